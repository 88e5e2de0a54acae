#pragma once

#include "host/base/result.hpp"
#include "rpc/loop/event_loop.hpp"
#include "rpc/loop/frame.hpp"

#include <memory>
#include <span>
#include <string>

namespace quorate::loop {

struct ConnectionOptions {
    FrameLimits frames;
    std::size_t receive_buffer_bytes = 256u << 10;
    std::size_t max_queued_bytes = 64u << 20;   // waiting to be sent; beyond: closed, overloaded;
                                                // twice as much within one turn is not even kept
    std::size_t low_queued_bytes = 256u << 10;  // on_drained() when the queue falls below
    // Bytes wait to be sent and the other side has taken none for so long: closed.
    Duration stall_timeout = 30s;
    // Nothing came for so long: closed. 0: the kernel's keepalive alone decides (about 30 s).
    Duration idle_timeout = 0s;
};

// A TCP connection that carries frames (frame.hpp) both ways. What arrives is received into one
// large buffer, checked, and handed on frame by frame, each in memory of its own; what is sent in a
// turn leaves in one system call. Whatever the other side does, it costs this connection only.
//
// Invariant: no byte of a frame is handed on before the frame's table was checked.
// Thread: the loop's. The handler may destroy the connection from within any of its calls.
class Connection {
 public:
    class Handler {
     public:
        virtual ~Handler() = default;
        // A whole frame, table included, 8-byte aligned, in a buffer that nothing else shares.
        virtual void on_frame(Bytes frame) = 0;
        // What waited to be sent fell below low_queued_bytes, having been above.
        virtual void on_drained() {}
        // The connection ended, not by close(). Last call. Errc::unreachable: the other side closed
        // it or went away. protocol: what came is no frame, or took too long. overloaded: it does
        // not read.
        virtual void on_closed(const Error& why) = 0;
    };

    class Impl;
    // By Listener and Connector (tcp.hpp).
    explicit Connection(std::shared_ptr<Impl> impl);
    ~Connection();  // close()
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // Begins to receive. Once, before anything else.
    void start(Handler& handler, const ConnectionOptions& options);

    // Queues bytes, sent in order of calls: send() keeps the pieces by reference, send_copy()
    // copies them. The caller sends whole frames. Without effect once closed.
    void send(std::span<const Bytes> pieces);
    void send_copy(std::span<const ByteView> pieces);
    std::size_t queued_bytes() const;

    // While paused no frame is handed on, and soon none is received: the other side is pushed back.
    void pause();
    void resume();
    // For a conversation whose first frames are of strangers.
    void set_frame_limits(const FrameLimits& limits);

    // Now; what is queued is dropped. No handler call follows.
    void close();
    // Once what is queued has been sent and the other side has closed, or after a second. No
    // handler call follows; the connection may be destroyed meanwhile.
    void finish();
    bool is_closed() const;

    const std::string& remote() const;  // "127.0.0.1:40022"

 private:
    std::shared_ptr<Impl> impl_;
};

}  // namespace quorate::loop
