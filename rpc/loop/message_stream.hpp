#pragma once

#include "rpc/loop/connection.hpp"

#include <capnp/serialize-async.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>

namespace quorate::loop {

struct MessageStreamOptions {
    ConnectionOptions connection;
    std::size_t max_inbox_bytes = 4u << 20;  // frames received and not read yet; more: not received
    // While more than this waits to be sent, nothing more is read: who does not take answers may not
    // ask on. One side of a conversation only, or both may wait for each other for ever. 0: never.
    std::size_t congested_bytes = 0;
    unsigned nesting_limit = 32;
};

// Cap'n Proto messages over a Connection. KJ's stream reader is not involved: messages are read
// from whole frames whose tables were checked. Writes are queued and never wait; the connection's own
// bound is what limits them. Thread: the loop's, within a Scope.
class MessageStream final : public capnp::MessageStream, private Connection::Handler {
 public:
    MessageStream(std::unique_ptr<Connection> connection, const MessageStreamOptions& options);
    ~MessageStream() noexcept;

    kj::Promise<kj::Maybe<capnp::MessageReaderAndFds>> tryReadMessage(
        kj::ArrayPtr<kj::AutoCloseFd> descriptors, capnp::ReaderOptions reader,
        kj::ArrayPtr<capnp::word> scratch) override;
    kj::Promise<void> writeMessage(
        kj::ArrayPtr<const int> descriptors,
        kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) override;
    kj::Promise<void> writeMessages(
        kj::ArrayPtr<kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>>> messages) override;
    kj::Maybe<int> getSendBufferSize() override { return nullptr; }
    kj::Promise<void> end() override;

    void set_frame_limits(const FrameLimits& limits) { connection_->set_frame_limits(limits); }
    std::size_t queued_bytes() const { return connection_->queued_bytes(); }
    // Called when few bytes wait to be sent, having been many.
    void set_drained(std::function<void()> action) { drained_ = std::move(action); }
    const std::string& remote() const { return connection_->remote(); }
    // Why the connection ended; nothing while it lives.
    const std::optional<Error>& why_closed() const { return why_closed_; }

 private:
    using Read = kj::Maybe<capnp::MessageReaderAndFds>;

    void on_frame(Bytes frame) override;
    void on_drained() override;
    void on_closed(const Error& why) override;
    void deliver();
    void stop_waiting();
    Read take_frame();
    bool congested() const;
    kj::Exception disconnected() const;

    MessageStreamOptions options_;
    std::unique_ptr<Connection> connection_;
    std::deque<Bytes> inbox_;
    std::size_t inbox_bytes_ = 0;
    capnp::ReaderOptions reader_;
    kj::Maybe<kj::Own<kj::PromiseFulfiller<Read>>> waiting_;  // null: nobody reads now
    std::optional<Error> why_closed_;
    std::function<void()> drained_;
};

}  // namespace quorate::loop
