#pragma once

#include "host/base/executor.hpp"
#include "host/base/time.hpp"

#include <cstdint>

namespace quorate::group {

using TimerId = std::uint64_t;  // 0 names no timer

// One shard's thread, as the code above it sees it: a queue of tasks, a clock and timers. The
// daemon's is the shard's event loop, the simulator's is simulated; the code above cannot tell.
// Thread: post() from any; everything else only from the shard's own thread.
class Scheduler : public Executor {
 public:
    virtual Time now() const = 0;              // monotonic
    virtual std::int64_t wall_ms() const = 0;  // UTC milliseconds; never used for safety
    virtual TimerId at(Time when, Task task) = 0;
    virtual void cancel(TimerId timer) = 0;  // fine if it ran or never was
    // Runs `work` on a background thread (snapshots, loading a machine). Work and this shard
    // exchange results by post(); work must not touch the shard's objects.
    virtual void background(Task work) = 0;
    // A number that no other call in this process's run returns; from the seed in the simulator.
    virtual std::uint64_t random() = 0;
};

}  // namespace quorate::group
