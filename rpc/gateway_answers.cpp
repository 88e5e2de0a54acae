#include "rpc/gateway_answers.hpp"

#include <kj/async.h>

#include <algorithm>

namespace quorate::rpc {

void Answers::close() {
    closed_ = true;
    waiting_.clear();
    env_.loop.cancel(std::exchange(timer_, 0));
}

// Encoding follows in KJ's turn; until then the connection's queue does not show it. Small answers are
// added up first: nothing is posted for each.
void Answers::admit(std::size_t bytes) {
    ++progress_;
    admitted_ += bytes;
    if (admitted_ > env_.room_bytes / 2) settle_later();
}

void Answers::settle_later() {
    if (std::exchange(settling_, true)) return;
    // Behind what is ready now, the encoding of what was told among it.
    kj::evalLater([weak = weak_from_this()] {
        auto self = weak.lock();
        if (!self) return;
        self->settling_ = false;
        self->admitted_ = 0;
        self->run_waiting();
    }).detach([](kj::Exception&&) {});
}

void Answers::drained() {
    run_waiting();
}

// Whatever is left waits for the connection to drain, or for what was told to show there.
void Answers::run_waiting() {
    auto self = shared_from_this();  // whoever is told may end the connection
    while (!closed_ && !waiting_.empty() && has_room()) {
        Waiting first = std::move(waiting_.front());
        waiting_.pop_front();
        let_go(first.bytes);
        admit(first.bytes);
        first.tell();
    }
}

// ---- who does not read ----------------------------------------------------------------------------

void Answers::watch() {
    moved_at_ = env_.loop.now();
    seen_progress_ = progress_;
    seen_queued_ = queued_();
    Duration often = std::min(env_.pressed_timeout, env_.stall_timeout) / 4;
    timer_ = env_.loop.at(moved_at_ + often, [weak = weak_from_this()] {
        if (auto self = weak.lock()) self->look();
    });
}

void Answers::look() {
    timer_ = 0;
    if (closed_ || held_bytes_ <= env_.room_bytes) return;
    bool moved = progress_ != seen_progress_ || queued_() < seen_queued_;
    if (moved) return watch();
    Time now = env_.loop.now();
    bool too_long = now - moved_at_ >= env_.stall_timeout ||
                    (now - moved_at_ >= env_.pressed_timeout && env_.is_pressed());
    if (too_long) return env_.hang_up("it does not take its answers");
    Time since = moved_at_;
    watch();
    moved_at_ = since;
}

}  // namespace quorate::rpc
