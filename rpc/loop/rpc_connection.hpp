#pragma once

#include "rpc/loop/message_stream.hpp"

#include <capnp/capability.h>

#include <functional>
#include <memory>

namespace quorate::loop {

struct RpcOptions {
    MessageStreamOptions stream;
    // Bytes of calls received and not yet returned; more: nothing further is read.
    std::uint64_t max_call_bytes = 64ull << 20;
    // Read of one message at most, all pointers followed.
    std::uint64_t max_traversal_bytes = 256ull << 20;
};

// Cap'n Proto RPC between the two ends of one connection. A broken or hostile other side ends this
// conversation and nothing else. Thread: the loop's, within a Scope; destroyed on it too.
class RpcConnection {
 public:
    // The side that accepted: `bootstrap` is what the other side gets first.
    RpcConnection(std::unique_ptr<Connection> connection, capnp::Capability::Client bootstrap,
                  const RpcOptions& options);
    // The side that connected.
    RpcConnection(std::unique_ptr<Connection> connection, const RpcOptions& options);
    ~RpcConnection() noexcept;
    RpcConnection(const RpcConnection&) = delete;
    RpcConnection& operator=(const RpcConnection&) = delete;

    // What the other side gives first. Calls on it fail once the connection has ended.
    capnp::Capability::Client bootstrap();

    // Runs once when the connection has ended, with why, never from within another call of ours. It may
    // destroy this object. Dropped if this object is destroyed before.
    void on_disconnect(std::function<void(const Error&)> action);

    // False: the connection has ended, though on_disconnect() may still be on its way. What is called now
    // is not sent.
    bool is_open() const;
    // Bytes that wait to be sent. `action` runs when they have become few, having been many; it may
    // destroy nothing of this connection.
    std::size_t queued_bytes() const;
    // For a conversation whose first messages are of strangers.
    void set_frame_limits(const FrameLimits& limits);
    void on_drained(std::function<void()> action);
    const std::string& remote() const;

 private:
    class Impl;
    kj::Own<Impl> impl_;
};

}  // namespace quorate::loop
