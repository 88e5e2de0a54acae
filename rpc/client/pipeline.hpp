#pragma once

#include "rpc/client/types.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

namespace quorate::client {

struct PipelineOutcome {
    std::uint64_t correlation = 0;  // as the caller gave it
    Outcome outcome;
};

struct PipelineOptions {
    // Called on the client's thread with what ended since the last call; must not block.
    std::function<void(std::span<PipelineOutcome>)> on_outcomes;
    std::uint32_t window = 1024;              // commands unanswered at most; then submit() waits
    std::uint64_t window_bytes = 8ull << 20;  // likewise
    Duration timeout = Duration(std::chrono::seconds(5));  // of each command, from when it is sent
};

// Many commands in few calls: what is submitted while a write is on its way goes with the next one,
// so batches form by themselves and an idle pipeline adds no delay (ra's pipeline_command with correlations).
// Order: commands of one pipeline are proposed in the order they were submitted as long as one
// leader lasts. Every one ends in exactly one outcome, also when the connection dies (Unknown if it was
// sent, else it goes with the next connection until its timeout).
// Thread: submit() and drain() from one thread, which is not the client's.
class Pipeline {
 public:
    virtual ~Pipeline() = default;  // waits for nothing; what is unanswered ends in Unknown
    // Waits while the window is full.
    virtual void submit(std::uint64_t correlation, ByteView command) = 0;
    // Returns when every command submitted before has ended.
    virtual void drain() = 0;
};

}  // namespace quorate::client
