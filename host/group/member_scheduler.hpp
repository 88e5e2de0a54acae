#pragma once

#include "host/group/scheduler.hpp"

#include <exception>
#include <functional>
#include <memory>
#include <utility>

namespace quorate::group {

// The shard's scheduler as the parts of one member use it: what they post runs only while the member
// exists, and what throws reaches the member, which fences itself, and not the event loop.
//
// Thread: the shard. What another thread must call later is wrapped by guard() and given to the
// shard's own scheduler, which outlives every member.
class MemberScheduler final : public Scheduler {
 public:
    using Broken = std::function<void(const std::exception&)>;

    MemberScheduler(Scheduler& shard, Broken broken)
        : shard_(shard), guard_(std::make_shared<Guard>(Guard{std::move(broken)})) {}

    Scheduler& shard() { return shard_; }

    // Runs `task` now; what it throws goes to the member.
    void run(const Task& task) { guard_->run(task); }

    // A call that does nothing once the member is gone.
    template <class... Arguments>
    std::function<void(Arguments...)> guard(std::function<void(Arguments...)> call) {
        return [weak = std::weak_ptr(guard_), call = std::move(call)](Arguments... arguments) {
            if (auto held = weak.lock()) {
                held->run([&] { call(std::forward<Arguments>(arguments)...); });
            }
        };
    }

    void post(Task task) override { shard_.post(guard(std::move(task))); }
    Time now() const override { return shard_.now(); }
    std::int64_t wall_ms() const override { return shard_.wall_ms(); }
    TimerId at(Time when, Task task) override { return shard_.at(when, guard(std::move(task))); }
    void cancel(TimerId timer) override { shard_.cancel(timer); }
    void background(Task work) override { shard_.background(std::move(work)); }
    std::uint64_t random() override { return shard_.random(); }

 private:
    struct Guard {
        Broken broken;
        void run(const Task& task) const {
            try {
                task();
            } catch (const std::exception& e) {
                broken(e);
            }
        }
    };

    Scheduler& shard_;
    std::shared_ptr<Guard> guard_;
};

}  // namespace quorate::group
