#pragma once

#include <functional>

namespace quorate {

using Task = std::function<void()>;

// Runs tasks one after another, in the order they were posted, on the one thread that owns the
// objects they touch. Implemented by a shard's event loop and by the simulator.
// Thread: post() may be called from any thread.
class Executor {
 public:
    virtual ~Executor() = default;
    virtual void post(Task task) = 0;
};

}  // namespace quorate
