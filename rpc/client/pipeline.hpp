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
    // Told what ended since the last call. Runs on the client's thread, one call at a time; must
    // neither block nor throw, nor destroy the pipeline. Required.
    std::function<void(std::span<PipelineOutcome>)> on_outcomes;
    std::uint32_t window = 1024;              // commands unanswered at most; then submit() waits
    std::uint64_t window_bytes = 8ull << 20;  // likewise, of commands; one command always fits
    Duration timeout = Duration(std::chrono::seconds(5));  // of each command, from submit() on
};

// Many commands in few calls: what is submitted in one turn of the client's thread, or while several
// writes are on their way, goes with the next one, so batches form by themselves and an idle pipeline
// adds no delay (ra's pipeline_command with correlations).
//
// Every command ends in exactly one outcome, told under its correlation, half a second after its
// timeout at the latest:
//   Applied     with its place in the log and the machine's reply
//   NotApplied  it was never sent (deadline_exceeded, unreachable, command_too_large, cancelled and
//               whatever opening the group says), or the host refused it (overloaded, no_leader,
//               not_leader with the leader, ...). Nothing refused is submitted again by itself, for
//               that would break the order.
//   Unknown     it was sent, and the connection was lost or the host silent past the timeout
// Order: commands are proposed in the order in which they were submitted, as long as one leader
// lasts and none is refused. What was not sent when a connection breaks goes with the next
// connection; what was sent is never sent again.
//
// Thread: submit(), try_submit() and drain() from one thread at a time; submit() and drain() wait,
// and so never on the thread of any client (BrokenInvariant).
class Pipeline {
 public:
    // What is unanswered ends in Unknown or NotApplied (cancelled) before this returns, and nothing
    // is told after it. Waits for a call of on_outcomes that runs now.
    virtual ~Pipeline() = default;
    // Waits while the window is full. The command is copied.
    virtual void submit(std::uint64_t correlation, ByteView command) = 0;
    // False, and nothing is done, while the window is full.
    virtual bool try_submit(std::uint64_t correlation, ByteView command) = 0;
    // Returns when every command submitted before has ended and been told.
    virtual void drain() = 0;
};

}  // namespace quorate::client
