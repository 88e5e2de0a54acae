#pragma once

#include "host/group/scheduler.hpp"
#include "rpc/loop/event_loop.hpp"
#include "rpc/loop/worker_pool.hpp"

#include <cstdint>

namespace quorate::rpc {

// A shard's event loop as the code above it sees it. Loop and pool outlive it. Thread: as Scheduler.
class LoopScheduler final : public group::Scheduler {
 public:
    // `seed` from the operating system, another for each: random() counts from it.
    LoopScheduler(loop::EventLoop& loop, loop::WorkerPool& workers, std::uint64_t seed)
        : loop_(loop), workers_(workers), state_(seed) {}

    void post(Task task) override { loop_.post(std::move(task)); }
    Time now() const override { return loop_.now(); }
    std::int64_t wall_ms() const override { return loop_.wall_ms(); }
    group::TimerId at(Time when, Task task) override { return loop_.at(when, std::move(task)); }
    void cancel(group::TimerId timer) override { loop_.cancel(timer); }
    void background(Task work) override { workers_.post(std::move(work)); }
    std::uint64_t random() override;

 private:
    loop::EventLoop& loop_;
    loop::WorkerPool& workers_;
    std::uint64_t state_;
};

}  // namespace quorate::rpc
