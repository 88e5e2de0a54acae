#pragma once

#include "rpc/loop/connection.hpp"
#include "rpc/loop/output_queue.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <optional>

namespace quorate::loop {

// Shared by the connection and its Asio handlers, which may outlive it.
class Connection::Impl : public std::enable_shared_from_this<Connection::Impl> {
 public:
    Impl(EventLoop& loop, boost::asio::ip::tcp::socket socket);

    void start(Handler& handler, const ConnectionOptions& options);
    void output_grew();
    void pause();
    void resume();
    void close();
    void finish();
    bool finishing() const { return closing_ != Closing::no; }

    OutputQueue output;
    FrameLimits limits;
    bool closed = false;
    std::string remote;

 private:
    enum class Closing : std::uint8_t { no, after_flush, waiting_for_peer };

    // receiving
    void receive();
    void received(std::size_t count);
    void parse();
    bool parse_one();
    void begin_large(std::size_t total);
    void finish_large();
    void hand_on(Bytes frame);
    void make_room();
    std::span<std::byte> receive_space();
    bool mid_frame() const { return large_ != nullptr || begin_ != end_; }

    // sending
    void flush();
    void wait_writable();
    void flushed();

    // endings
    void fail(Error why);
    Error too_slow() const;
    void refuse(const std::string& why);
    void watch_frame();
    void frame_timer_fired();
    void watch_stall();
    void watch_idle();

    EventLoop& loop_;
    boost::asio::ip::tcp::socket socket_;
    Handler* handler_ = nullptr;
    ConnectionOptions options_;
    Closing closing_ = Closing::no;

    std::shared_ptr<std::byte[]> buffer_;  // received and not handed on: [begin_, end_)
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    // A frame that does not fit the buffer is received where it will stay.
    std::shared_ptr<std::uint64_t[]> large_;
    std::size_t large_total_ = 0;
    std::size_t large_filled_ = 0;
    bool paused_ = false;
    bool receiving_ = false;  // a receive is outstanding
    bool parsing_ = false;

    std::uint64_t frames_ = 0;         // handed on so far: names the one being received
    std::uint64_t watched_frame_ = 0;  // the one that frame_deadline_ is for
    Time frame_deadline_;
    TimerId frame_timer_ = 0;

    bool flush_posted_ = false;
    bool overrun_ = false;  // far too much was to be sent, and is no longer there
    bool waiting_writable_ = false;
    bool above_low_ = false;
    std::uint64_t sent_total_ = 0;
    TimerId stall_timer_ = 0;
    Time last_received_;
    TimerId idle_timer_ = 0;
    TimerId finish_timer_ = 0;
};

}  // namespace quorate::loop
