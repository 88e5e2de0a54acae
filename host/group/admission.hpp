#pragma once

#include "host/group/scheduler.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>

namespace quorate::group {

// Whose turn it is to propose, among the groups of one shard. What comes faster than it can be replicated
// has to wait somewhere: here it does so in its group's queue, where its deadline is kept and its batch
// grows. Further in, before disks, machines and other hosts, it would hold up heartbeats too, until hosts
// take each other for dead (docs/decisions/0012).
//
// While less than `commands` are under way (proposed and not settled; a batch counts as some more, and no
// group for more than a quarter) nobody waits. Beyond, what is settled makes room for who has waited
// longest, and while anybody waits a group proposes again only once its commands are settled and it has
// waited as well. A group whose commands are not settled `patience` after the last was proposed is bound by
// something else (a slow peer, no quorum), and no load: it counts for nothing until they are.
//
// Thread: the shard.
class Admission {
 public:
    struct Limits {
        std::uint64_t commands = 10'000;
        Duration patience = 500ms;
    };
    class Place;

    Admission(Scheduler& scheduler, Limits limits) : scheduler_(scheduler), limits_(limits) {}
    ~Admission();
    Admission(const Admission&) = delete;
    Admission& operator=(const Admission&) = delete;

    std::uint64_t under_way() const { return under_way_; }  // batches included
    std::size_t waiting() const { return waiting_.size(); }

 private:
    bool full() const { return under_way_ >= limits_.commands; }
    std::uint64_t weight_of(std::size_t commands) const;
    void fill();
    void expire();
    void arm();

    Scheduler& scheduler_;
    const Limits limits_;
    std::uint64_t under_way_ = 0;
    std::list<Place*> holders_;  // whose latest proposal is oldest first
    std::list<Place*> waiting_;  // longest first
    TimerId timer_ = 0;
};

// One group's. Thread: the shard. Destroy before the Admission.
class Admission::Place {
 public:
    // `granted`: it may propose now. Called from within calls of other places.
    Place(Admission& admission, std::function<void()> granted)
        : admission_(admission), granted_(std::move(granted)) {}
    ~Place() { leave(); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    struct Load {
        std::size_t queued = 0;     // commands that are not proposed yet
        std::size_t under_way = 0;  // commands that are proposed and not settled
    };
    // Whether what is queued may be proposed now. If not: once granted() is called, or some of what is under
    // way is settled, this is to be asked again.
    bool may_propose(Load load);
    // The load has changed.
    void update(Load load);
    // Neither waits nor proposes any more; may come again.
    void leave();

 private:
    friend class Admission;
    enum class State : std::uint8_t {
        idle,
        waiting,
        granted,  // counts for what it has not proposed yet
        busy,     // counts for what is under way
        stuck,    // busy for too long: counts for nothing
    };
    bool holds() const { return state_ == State::granted || state_ == State::busy; }
    void hold(State state, std::size_t commands);
    void renew();
    void count(std::uint64_t weight);

    Admission& admission_;
    std::function<void()> granted_;
    State state_ = State::idle;
    std::size_t queued_ = 0;
    std::uint64_t weight_ = 0;        // what it counts for
    Time since_{};                    // of the latest proposal, or of being granted
    std::list<Place*>::iterator at_;  // in the list that it is in, if any
};

}  // namespace quorate::group
