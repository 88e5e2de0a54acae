#pragma once

#include "host/group/scheduler.hpp"

#include <deque>
#include <functional>
#include <map>
#include <random>

namespace quorate::testing {

// One shard's thread in virtual time, and its background threads too: everything runs on the
// calling thread, in an order that depends on nothing but the calls and the seed. Time stands still
// until a test moves it.
//
// Background work runs when no posted task is left, one piece at a time. Tasks that never end to post
// tasks are a bug: run_ready() throws std::runtime_error.
// Thread: one, post() included.
class TestScheduler final : public group::Scheduler {
 public:
    explicit TestScheduler(std::uint64_t seed = 1) : random_(seed) {}

    void post(Task task) override { ready_.push_back(std::move(task)); }
    Time now() const override { return now_; }
    std::int64_t wall_ms() const override;
    group::TimerId at(Time when, Task task) override;
    void cancel(group::TimerId timer) override;
    void background(Task work) override { background_.push_back(std::move(work)); }
    std::uint64_t random() override { return random_(); }

    // Runs what can run without time passing.
    void run_ready();
    // Lets `duration` pass: timers fire in their order, each followed by all that it makes ready.
    void run_for(Duration duration);
    // Lets time pass until `condition` holds, at most `limit`; says whether it does.
    bool run_until(const std::function<bool()>& condition, Duration limit);

    // While held, background work waits: a disk that takes long, seen from the shard.
    void hold_background() { held_ = true; }
    void resume_background() { held_ = false; }
    // Runs the oldest piece of background work, held or not. False if there is none.
    bool run_background_once();
    std::size_t background_waiting() const { return background_.size(); }

 private:
    bool run_one();
    bool fire_next_before(Time limit);

    using TimerKey = std::pair<Time, group::TimerId>;
    std::mt19937_64 random_;
    Time now_{1h};  // so that 0 is long past
    std::deque<Task> ready_;
    std::deque<Task> background_;
    bool held_ = false;
    std::map<TimerKey, Task> timers_;
    std::map<group::TimerId, Time> timer_times_;
    group::TimerId last_timer_ = 0;
};

}  // namespace quorate::testing
