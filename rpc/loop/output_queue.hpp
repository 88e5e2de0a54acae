#pragma once

#include "host/base/bytes.hpp"

#include <array>
#include <cstddef>
#include <deque>
#include <span>
#include <string>

namespace quorate::loop {

// Bytes that wait to be sent, in order. Small pieces are copied into one growing chunk, so that a
// turn's many messages make few pieces; large ones stay where they are. The chunk is the last piece, and
// its memory is kept for the next turn.
class OutputQueue {
 public:
    static constexpr std::size_t gathered = 64;  // pieces per system call

    void push(Bytes piece) {
        if (piece.size() < copy_below) return push_copy(piece.view());
        seal();
        bytes_ += piece.size();
        pieces_.push_back(std::move(piece));
    }

    void push_copy(ByteView piece) {
        if (chunk_.size() >= chunk_bytes) seal();
        chunk_.append(as_text(piece));
        bytes_ += piece.size();
    }

    // The front of the queue, as views that hold until the next call.
    std::span<const ByteView> front() {
        std::size_t count = 0;
        for (const Bytes& piece : pieces_) {
            views_[count++] = piece.view();
            if (count == gathered) break;
        }
        if (count < gathered && !chunk_.empty()) views_[count++] = as_bytes(chunk_);
        if (count != 0) views_[0] = views_[0].subspan(sent_of_front_);
        return {views_.data(), count};
    }

    // Pre: count <= size().
    void consume(std::size_t count) {
        bytes_ -= count;
        sent_of_front_ += count;
        while (!pieces_.empty() && sent_of_front_ >= pieces_.front().size()) {
            sent_of_front_ -= pieces_.front().size();
            pieces_.pop_front();
        }
        if (!pieces_.empty() || sent_of_front_ < chunk_.size()) return;
        sent_of_front_ = 0;
        chunk_.clear();
        if (chunk_.capacity() > kept_bytes) chunk_ = {};
    }

    void clear() { *this = OutputQueue(); }
    std::size_t size() const { return bytes_; }
    bool empty() const { return bytes_ == 0; }

 private:
    static constexpr std::size_t copy_below = 4096;
    static constexpr std::size_t chunk_bytes = 256u << 10;
    static constexpr std::size_t kept_bytes = 16u << 10;  // of memory, while nothing waits

    void seal() {
        if (!chunk_.empty()) pieces_.push_back(Bytes::take(std::exchange(chunk_, {})));
    }

    std::deque<Bytes> pieces_;
    std::string chunk_;
    std::size_t sent_of_front_ = 0;
    std::size_t bytes_ = 0;
    std::array<ByteView, gathered> views_;
};

}  // namespace quorate::loop
