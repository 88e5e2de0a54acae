#include "rpc/loop/connection.hpp"

#include "host/base/log.hpp"
#include "rpc/loop/connection_impl.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>

#include <array>
#include <netinet/tcp.h>
#include <utility>

namespace quorate::loop {
namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;

namespace {

std::string name_of(const tcp::socket& socket) {
    error_code error;
    tcp::endpoint endpoint = socket.remote_endpoint(error);
    if (error) return "(gone)";
    std::string address = endpoint.address().to_string();
    if (endpoint.address().is_v6()) address = "[" + address + "]";
    return address + ":" + std::to_string(endpoint.port());
}

// A dead machine sends nothing, not even an end: the kernel finds out within about 30 s.
void set_options(tcp::socket& socket) {
    error_code ignored;
    socket.non_blocking(true, ignored);
    socket.set_option(tcp::no_delay(true), ignored);
    socket.set_option(asio::socket_base::keep_alive(true), ignored);
    int descriptor = socket.native_handle();
    auto set = [descriptor](int option, int value) {
        ::setsockopt(descriptor, IPPROTO_TCP, option, &value, sizeof value);
    };
    set(TCP_KEEPIDLE, 10);
    set(TCP_KEEPINTVL, 5);
    set(TCP_KEEPCNT, 4);
    set(TCP_USER_TIMEOUT, 30'000);
}

}  // namespace

// ---- beginning and end ------------------------------------------------------------------------

Connection::Impl::Impl(EventLoop& loop, tcp::socket socket)
    : loop_(loop), socket_(std::move(socket)) {
    remote = name_of(socket_);
    set_options(socket_);
}

void Connection::Impl::start(Handler& handler, const ConnectionOptions& options) {
    handler_ = &handler;
    options_ = options;
    limits = options.frames;
    // Uninitialised: the pages of an idle connection are never touched.
    buffer_ = std::make_shared_for_overwrite<std::byte[]>(options.receive_buffer_bytes);
    last_received_ = loop_.now();
    if (options.idle_timeout > 0s) watch_idle();
    receive();
}

void Connection::Impl::close() {
    if (closed) return;
    closed = true;
    handler_ = nullptr;
    output.clear();
    for (TimerId* timer : {&frame_timer_, &stall_timer_, &idle_timer_, &finish_timer_}) {
        loop_.cancel(std::exchange(*timer, 0));
    }
    error_code ignored;
    socket_.close(ignored);
}

void Connection::Impl::finish() {
    if (closed || closing_ != Closing::no) return;
    handler_ = nullptr;
    closing_ = Closing::after_flush;
    finish_timer_ = loop_.at(loop_.now() + 1s, [self = shared_from_this()] { self->close(); });
    paused_ = false;
    if (output.empty()) flushed();
    if (!closed) receive();
}

void Connection::Impl::fail(Error why) {
    if (closed) return;
    Handler* handler = handler_;
    close();
    if (handler != nullptr) handler->on_closed(why);
}

void Connection::Impl::refuse(const std::string& why) {
    log::warning("frame_refused", "a frame was refused and its connection closed",
                 {{"remote", remote}, {"why", why}});
    fail(quorate::fail(Errc::protocol, "a frame from " + remote + " was refused: " + why));
}

// ---- receiving --------------------------------------------------------------------------------

void Connection::Impl::receive() {
    if (receiving_ || closed || paused_) return;
    receiving_ = true;
    std::span<std::byte> space = receive_space();
    socket_.async_read_some(asio::buffer(space.data(), space.size()), [self = shared_from_this()](
                                                                          const error_code& error,
                                                                          std::size_t count) {
        self->receiving_ = false;
        if (self->closed) return;
        if (error) {
            self->fail(quorate::fail(Errc::unreachable, self->remote + " closed the connection (" +
                                                            error.message() + ")"));
        } else {
            self->received(count);
        }
    });
}

std::span<std::byte> Connection::Impl::receive_space() {
    if (large_ == nullptr) return {buffer_.get() + end_, options_.receive_buffer_bytes - end_};
    return {reinterpret_cast<std::byte*>(large_.get()) + large_filled_,
            large_total_ - large_filled_};
}

void Connection::Impl::received(std::size_t count) {
    if (options_.idle_timeout > 0s) last_received_ = loop_.now();
    if (closing_ != Closing::no) return receive();  // no longer of interest: only the end is
    if (large_ == nullptr) {
        end_ += count;
    } else {
        large_filled_ += count;
    }
    parse();
}

void Connection::Impl::parse() {
    if (parsing_ || closed) return;
    auto self = shared_from_this();  // a handler may destroy the connection
    parsing_ = true;
    while (!closed && !paused_ && closing_ == Closing::no && parse_one()) {
    }
    parsing_ = false;
    if (closed) return;
    make_room();
    watch_frame();
    receive();
}

// Hands on the next frame, or prepares for what is missing of it. False: more must come first.
bool Connection::Impl::parse_one() {
    if (large_ != nullptr) {
        if (large_filled_ < large_total_) return false;
        finish_large();
        return true;
    }
    ByteView here(buffer_.get() + begin_, end_ - begin_);
    FrameHeader header = read_frame_header(here, limits);
    if (const auto* refused = std::get_if<FrameRefused>(&header)) {
        refuse(refused->why);
        return false;
    }
    const auto* size = std::get_if<FrameSize>(&header);
    if (size == nullptr) return false;
    if (here.size() < size->total_bytes) {
        if (size->total_bytes > options_.receive_buffer_bytes / 2) begin_large(size->total_bytes);
        return false;
    }
    auto copy = std::make_shared_for_overwrite<std::uint64_t[]>(size->total_bytes / 8);
    std::memcpy(copy.get(), here.data(), size->total_bytes);
    begin_ += size->total_bytes;
    ByteView view(reinterpret_cast<const std::byte*>(copy.get()), size->total_bytes);
    hand_on(Bytes(std::move(copy), view));
    return true;
}

void Connection::Impl::begin_large(std::size_t total) {
    large_ = std::make_shared_for_overwrite<std::uint64_t[]>(total / 8);
    large_total_ = total;
    large_filled_ = end_ - begin_;
    std::memcpy(large_.get(), buffer_.get() + begin_, large_filled_);
    begin_ = end_ = 0;
    loop_.cancel(std::exchange(frame_timer_, 0));  // a large frame has its own patience
}

void Connection::Impl::finish_large() {
    ByteView view(reinterpret_cast<const std::byte*>(large_.get()), large_total_);
    hand_on(Bytes(std::exchange(large_, nullptr), view));
}

void Connection::Impl::hand_on(Bytes frame) {
    ++frames_;
    handler_->on_frame(std::move(frame));
}

// What is left is less than half the buffer: a larger frame has moved to memory of its own.
void Connection::Impl::make_room() {
    if (begin_ == 0 || receiving_) return;
    if (begin_ != end_) std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
}

void Connection::Impl::pause() {
    paused_ = true;
}

void Connection::Impl::resume() {
    if (!paused_) return;
    paused_ = false;
    // Its time does not run while it is we who do not read.
    loop_.cancel(std::exchange(frame_timer_, 0));
    asio::post(loop_.io(), [self = shared_from_this()] { self->parse(); });
}

// A frame that trickles in a byte at a time would hold its connection for ever.
void Connection::Impl::watch_frame() {
    if (!mid_frame() || frame_timer_ != 0) return;
    std::uint64_t size = large_ != nullptr ? large_total_ : options_.receive_buffer_bytes;
    Duration allowed = limits.patience + 1s * (size / limits.min_bytes_per_second);
    watched_frame_ = frames_;
    frame_timer_ =
        loop_.at(loop_.now() + allowed, [self = shared_from_this()] { self->frame_timer_fired(); });
}

void Connection::Impl::frame_timer_fired() {
    frame_timer_ = 0;
    if (mid_frame() && frames_ == watched_frame_ && !paused_) {
        refuse("it was not whole in time");
    } else {
        watch_frame();
    }
}

void Connection::Impl::watch_idle() {
    idle_timer_ = loop_.at(last_received_ + options_.idle_timeout, [self = shared_from_this()] {
        if (!self->paused_ &&
            self->loop_.now() - self->last_received_ >= self->options_.idle_timeout) {
            self->idle_timer_ = 0;
            self->fail(quorate::fail(Errc::unreachable, self->remote + " has fallen silent"));
        } else {
            if (self->paused_) self->last_received_ = self->loop_.now();
            self->watch_idle();
        }
    });
}

// ---- sending ----------------------------------------------------------------------------------

void Connection::Impl::output_grew() {
    if (closed || closing_ != Closing::no) return output.clear();
    if (output.size() > 2 * options_.max_queued_bytes) {
        // More than any flush could bring below the limit: not kept until it has been tried.
        output.clear();
        overrun_ = true;
    }
    if (output.size() > options_.low_queued_bytes) above_low_ = true;
    if (!flush_posted_) {
        flush_posted_ = true;
        asio::post(loop_.io(), [self = shared_from_this()] { self->flush(); });
    }
}

void Connection::Impl::flush() {
    flush_posted_ = false;
    if (overrun_) return fail(too_slow());
    error_code error;
    while (!closed && !waiting_writable_ && !error && !output.empty()) {
        std::array<asio::const_buffer, OutputQueue::gathered> buffers;
        std::size_t used = 0;
        for (ByteView piece : output.front()) buffers[used++] = {piece.data(), piece.size()};
        std::size_t sent = socket_.write_some(std::span(buffers.data(), used), error);
        output.consume(sent);
        sent_total_ += sent;
    }
    if (closed) return;
    if (error == asio::error::would_block || error == asio::error::try_again) {
        wait_writable();
    } else if (error) {
        return fail(
            quorate::fail(Errc::unreachable, "sending to " + remote + ": " + error.message()));
    }
    flushed();
}

Error Connection::Impl::too_slow() const {
    return quorate::fail(Errc::overloaded, remote + " does not read: more than " +
                                               std::to_string(options_.max_queued_bytes) +
                                               " bytes wait to be sent to it");
}

void Connection::Impl::flushed() {
    if (output.size() > options_.max_queued_bytes) {
        return fail(too_slow());
    }
    if (closing_ == Closing::after_flush && output.empty()) {
        error_code ignored;
        socket_.shutdown(tcp::socket::shutdown_send, ignored);
        closing_ = Closing::waiting_for_peer;
    }
    if (above_low_ && output.size() < options_.low_queued_bytes) {
        above_low_ = false;
        if (handler_ != nullptr) handler_->on_drained();
    }
}

void Connection::Impl::wait_writable() {
    waiting_writable_ = true;
    if (stall_timer_ == 0) watch_stall();
    socket_.async_wait(tcp::socket::wait_write,
                       [self = shared_from_this()](const error_code& error) {
                           self->waiting_writable_ = false;
                           if (!error) self->flush();
                       });
}

void Connection::Impl::watch_stall() {
    auto check = [self = shared_from_this(), sent_before = sent_total_] {
        self->stall_timer_ = 0;
        if (self->output.empty()) return;
        if (self->sent_total_ != sent_before) return self->watch_stall();
        self->fail(
            quorate::fail(Errc::overloaded, self->remote + " does not read what waits for it"));
    };
    stall_timer_ = loop_.at(loop_.now() + options_.stall_timeout, std::move(check));
}

// ---- the handle -------------------------------------------------------------------------------

Connection::Connection(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Connection::~Connection() {
    if (!impl_->finishing()) impl_->close();
}

void Connection::start(Handler& handler, const ConnectionOptions& options) {
    impl_->start(handler, options);
}

void Connection::send(std::span<const Bytes> pieces) {
    for (const Bytes& piece : pieces) impl_->output.push(piece);
    impl_->output_grew();
}

void Connection::send_copy(std::span<const ByteView> pieces) {
    for (ByteView piece : pieces) impl_->output.push_copy(piece);
    impl_->output_grew();
}

std::size_t Connection::queued_bytes() const {
    return impl_->output.size();
}
void Connection::pause() {
    impl_->pause();
}
void Connection::resume() {
    impl_->resume();
}
void Connection::set_frame_limits(const FrameLimits& limits) {
    impl_->limits = limits;
}
void Connection::close() {
    impl_->close();
}
void Connection::finish() {
    impl_->finish();
}
bool Connection::is_closed() const {
    return impl_->closed;
}
const std::string& Connection::remote() const {
    return impl_->remote;
}

}  // namespace quorate::loop
