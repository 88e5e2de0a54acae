#pragma once

#include "host/base/strong.hpp"
#include "host/group/operation.hpp"
#include "host/group/scheduler.hpp"

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <unordered_set>

namespace quorate::group {

// Why a wait ended.
enum class Woken : std::uint8_t { timer, event, stopping };

// Where operations of one shard wait: for a time, or for something to happen to a group (a leader
// becomes known, the member ends). Thread: the shard.
class Waiting {
 public:
    explicit Waiting(Scheduler& scheduler) : scheduler_(scheduler) {}
    ~Waiting();
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

    // Until `when`, or until wake(group) if group is not 0.
    Operation<Woken> until(Time when, GroupId group = {});
    void wake(GroupId group);
    // Wakes everyone, and everyone who comes later at once.
    void stop();
    std::size_t size() const { return sleepers_.size(); }

 private:
    struct Sleeper {
        GroupId group;
        TimerId timer = 0;
        std::function<void(Woken)> wake;
    };
    void rouse(std::uint64_t key, Woken why);

    Scheduler& scheduler_;
    std::unordered_map<std::uint64_t, Sleeper> sleepers_;
    std::unordered_map<GroupId, std::unordered_set<std::uint64_t>> by_group_;
    std::uint64_t last_ = 0;
    bool stopping_ = false;
};

// Growing pauses between attempts, with jitter so that many do not come at once.
class Backoff {
 public:
    Backoff(Duration first, Duration longest) : next_(first), longest_(longest) {}
    // `random`: any number.
    Duration next(std::uint64_t random) {
        Duration pause = next_ + Duration(static_cast<Duration::rep>(
                                     random % static_cast<std::uint64_t>(next_.count() / 2 + 1)));
        next_ = std::min(next_ * 2, longest_);
        return pause;
    }

 private:
    Duration next_;
    Duration longest_;
};

}  // namespace quorate::group
