#pragma once

#include "host/group/scheduler.hpp"
#include "tests/sim/settings.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

namespace quorate::sim {

// Owns events: the life of one host, or the world itself (0).
using Owner = std::uint32_t;

// The one queue of everything that will happen, in order of time and, at equal times, of
// scheduling. Nothing else moves time.
class SimLoop {
 public:
    using EventId = std::uint64_t;

    Time now() const { return now_; }
    EventId at(Time when, Owner owner, Task task);
    void cancel(EventId id);
    // The owner is gone: none of its events happens.
    void drop(Owner owner);
    // The next event; false if there is none before `end`, and then it is `end`.
    bool run_next(Time end);
    std::uint64_t events() const { return ran_; }
    // A digest of when what ran: equal runs have equal digests.
    std::uint64_t digest() const { return digest_; }
    void mix(std::uint64_t value) { digest_ = (digest_ ^ value) * 0x100000001B3ull; }

 private:
    using Key = std::pair<Time, EventId>;
    struct Event {
        Owner owner;
        Task task;
    };
    std::map<Key, Event> queue_;
    std::unordered_map<EventId, Time> times_;
    Time now_{};
    EventId last_id_ = 0;
    std::uint64_t ran_ = 0;
    std::uint64_t digest_ = 0xCBF29CE484222325ull;
};

// One host's thread, during one life of that host.
class SimScheduler final : public group::Scheduler {
 public:
    SimScheduler(SimLoop& loop, Owner owner, std::uint64_t seed, Duration wall_skew)
        : loop_(loop), owner_(owner), random_(seed), wall_skew_(wall_skew) {}

    void post(Task task) override { loop_.at(loop_.now() + 1us, owner_, std::move(task)); }
    Time now() const override { return loop_.now(); }
    std::int64_t wall_ms() const override {
        return 1'700'000'000'000 + (loop_.now().time_since_epoch() + wall_skew_) / 1ms;
    }
    group::TimerId at(Time when, Task task) override {
        return loop_.at(std::max(when, loop_.now() + 1us), owner_, std::move(task));
    }
    void cancel(group::TimerId timer) override { loop_.cancel(timer); }
    void background(Task work) override {
        loop_.at(loop_.now() + between(random_, Duration(100us), Duration(20ms)), owner_,
                 std::move(work));
    }
    std::uint64_t random() override { return random_(); }

 private:
    SimLoop& loop_;
    Owner owner_;
    Random random_;
    Duration wall_skew_;
};

}  // namespace quorate::sim
