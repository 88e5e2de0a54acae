#pragma once

#include "rpc/loop/event_loop.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

namespace quorate::rpc {

// What one client is told, no faster than it reads: while more than a little waits to be sent to it,
// answers wait here, as the bytes that the machine gave, and in their order. They are counted where they
// were made (host/group/host_memory.hpp), so that a host whose clients do not read makes no more of them;
// a connection is lost only if its client stands in everybody's way.
//
// Thread: the loop's.
class Answers : public std::enable_shared_from_this<Answers> {
 public:
    struct Environment {
        loop::EventLoop& loop;
        std::size_t room_bytes = 0;        // of answers that may wait in the connection
        Duration stall_timeout{};          // nothing was taken for so long: hung up on ...
        Duration pressed_timeout{};        // ... or for so long, while the host is short of room
        std::function<bool()> is_pressed;  // it is
        std::function<void(std::string_view why)> hang_up;
    };
    explicit Answers(Environment environment) : env_(std::move(environment)) {}

    // How much waits in the connection. Before the first answer.
    void set_queued(std::function<std::size_t()> queued) { queued_ = std::move(queued); }
    // The connection is over: what waits is dropped, and what comes later is told at once, to nobody.
    void close();

    // Runs `tell`, which sends about so many bytes: at once, or in its turn.
    template <class Tell>
    void tell(std::size_t bytes, Tell&& tell) {
        if (closed_) return tell();
        if (waiting_.empty() && has_room()) {
            admit(bytes);
            return tell();
        }
        waiting_.push_back({bytes, std::forward<Tell>(tell)});
        hold(bytes);
    }
    // Less waits in the connection.
    void drained();

    // Outcomes that wait for a pipeline's next write count here too.
    void hold(std::uint64_t bytes) {
        held_bytes_ += bytes;
        if (held_bytes_ > env_.room_bytes && timer_ == 0 && !closed_) watch();
    }
    void let_go(std::uint64_t bytes) { held_bytes_ -= bytes; }
    std::uint64_t held_bytes() const { return held_bytes_; }
    // The client took something.
    void progress() { ++progress_; }

 private:
    struct Waiting {
        std::size_t bytes;
        std::function<void()> tell;
    };
    bool has_room() const { return queued_() + admitted_ <= env_.room_bytes; }
    void admit(std::size_t bytes);
    void settle_later();
    void run_waiting();
    void watch();
    void look();

    const Environment env_;
    std::function<std::size_t()> queued_ = [] { return std::size_t{0}; };
    bool closed_ = false;
    std::deque<Waiting> waiting_;
    std::uint64_t admitted_ = 0;  // told, but perhaps not in the connection's queue yet
    bool settling_ = false;
    std::uint64_t held_bytes_ = 0;

    std::uint64_t progress_ = 0;
    std::uint64_t seen_progress_ = 0;
    std::size_t seen_queued_ = 0;
    Time moved_at_{};  // when the client was last seen to take something
    loop::TimerId timer_ = 0;
};

}  // namespace quorate::rpc
