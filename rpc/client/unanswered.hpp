#pragma once

#include "host/base/bytes.hpp"
#include "host/base/time.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

namespace quorate::client {

// A command of a pipeline.
struct PipelineCommand {
    std::uint64_t correlation = 0;
    Bytes bytes;
    Time deadline;
};

// Commands that were sent and wait for their outcomes, under serial numbers that count up from 1 and are
// never used again. Thread: the client's.
class Unanswered {
 public:
    std::uint64_t next_serial() const { return first_ + commands_.size(); }
    void add(PipelineCommand command) {
        ++count_;
        bytes_ += command.bytes.size();
        commands_.emplace_back(std::move(command));
    }
    // Nothing: it does not wait, or was never sent.
    std::optional<PipelineCommand> take(std::uint64_t serial) {
        if (serial < first_ || serial >= next_serial()) return std::nullopt;
        auto taken = std::exchange(commands_[serial - first_], std::nullopt);
        if (!taken) return taken;
        --count_;
        bytes_ -= taken->bytes.size();
        for (; !commands_.empty() && !commands_.front(); ++first_) commands_.pop_front();
        return taken;
    }
    // In the order in which they were sent.
    std::vector<PipelineCommand> take_all() {
        std::vector<PipelineCommand> all;
        first_ = next_serial();
        for (auto& command : std::exchange(commands_, {})) {
            if (command) all.push_back(std::move(*command));
        }
        count_ = bytes_ = 0;
        return all;
    }

    // Of the one that was sent first. Pre: not empty.
    Time first_deadline() const { return commands_.front()->deadline; }
    bool empty() const { return count_ == 0; }
    std::uint64_t count() const { return count_; }
    std::uint64_t bytes() const { return bytes_; }

 private:
    // Invariant: the first is not empty.
    std::deque<std::optional<PipelineCommand>> commands_;
    std::uint64_t first_ = 1;
    std::uint64_t count_ = 0;
    std::uint64_t bytes_ = 0;
};

}  // namespace quorate::client
