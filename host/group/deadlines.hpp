#pragma once

#include "host/group/scheduler.hpp"

#include <map>

namespace quorate::group {

// Everything of one member that ends at a time, behind one timer: what waits is mostly answered long
// before its deadline, so adding and removing must cost next to nothing and never a timer.
//
// Thread: the shard.
class Deadlines {
    using Waiting = std::multimap<Time, Task>;

 public:
    // Names one waiting task until it ran or was removed.
    using Key = Waiting::iterator;

    // `scheduler` runs nothing for a member that is gone.
    explicit Deadlines(Scheduler& scheduler) : scheduler_(scheduler) {}
    ~Deadlines() { clear(); }
    Deadlines(const Deadlines&) = delete;
    Deadlines& operator=(const Deadlines&) = delete;

    // Runs `expired` at `when`, once, from the timer and never from within add().
    Key add(Time when, Task expired);
    void remove(Key key) { waiting_.erase(key); }
    void clear();

 private:
    void arm(Time when);
    void fire();

    Scheduler& scheduler_;
    Waiting waiting_;
    TimerId timer_ = 0;
    Time armed_ = Time::max();  // what the timer is set to; it may fire with nothing due
};

}  // namespace quorate::group
