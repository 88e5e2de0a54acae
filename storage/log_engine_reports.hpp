#pragma once

#include "storage/log_engine_request.hpp"

#include <memory>
#include <vector>

namespace quorate::storage {

// What is to be said once a batch is durable: one post to each executor, in the order of the calls.
// Thread: the engine's.
class LogReports {
 public:
    void stored(const std::shared_ptr<Attachment>& attachment, Ticket ticket);
    void call(Executor& on, Task task);
    void post_all();
    // The batch failed: nobody is told anything.
    void drop_all() {
        ++report_;
        lists_.clear();
    }

 private:
    struct Item {
        std::shared_ptr<Attachment> attachment;  // nobody: `task` is run
        Ticket ticket;
        Task task;
    };
    struct List {
        Executor* executor = nullptr;
        std::vector<Item> items;
    };
    List& list_of(Executor& executor);

    std::vector<List> lists_;
    std::uint64_t report_ = 1;
};

}  // namespace quorate::storage
