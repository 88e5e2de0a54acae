#pragma once

#include "host/base/executor.hpp"

#include <cstddef>
#include <memory>

namespace quorate::loop {

// Threads for work that would block an event loop: snapshots, loading machines, checksums. Tasks
// start in order and run side by side. Destruction waits for those that have begun and drops the rest.
// Thread: any.
class WorkerPool final : public Executor {
 public:
    explicit WorkerPool(std::size_t threads);
    ~WorkerPool() override;
    void post(Task task) override;

 private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace quorate::loop
