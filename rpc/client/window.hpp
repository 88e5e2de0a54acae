#pragma once

#include <atomic>
#include <cstdint>

namespace quorate::client {

// Counts what is unanswered of a pipeline. Thread: take(), try_take() and wait_empty() from one at
// a time, give_back() from the client's.
class Window {
 public:
    Window(std::uint64_t commands, std::uint64_t bytes)
        : max_commands_(commands), max_bytes_(bytes) {}

    // False: it does not fit now.
    bool try_take(std::uint64_t bytes) {
        if (!fits(bytes, commands_)) return false;
        bytes_ += bytes;
        commands_ += 1;
        return true;
    }
    // Waits until it fits.
    void take(std::uint64_t bytes) {
        for (std::uint64_t held = commands_; !fits(bytes, held); held = commands_)
            commands_.wait(held);
        try_take(bytes);
    }
    void give_back(std::uint64_t commands, std::uint64_t bytes) {
        bytes_ -= bytes;  // first: who is woken looks at both
        commands_ -= commands;
        commands_.notify_all();
    }
    void wait_empty() {
        for (std::uint64_t held = commands_; held != 0; held = commands_) commands_.wait(held);
    }

 private:
    // One command always fits, however large.
    bool fits(std::uint64_t bytes, std::uint64_t held) const {
        return held == 0 || (held < max_commands_ && bytes_ + bytes <= max_bytes_);
    }

    const std::uint64_t max_commands_;
    const std::uint64_t max_bytes_;
    std::atomic<std::uint64_t> commands_ = 0;
    std::atomic<std::uint64_t> bytes_ = 0;
};

}  // namespace quorate::client
