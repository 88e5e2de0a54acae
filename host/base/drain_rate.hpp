#pragma once

#include "host/base/time.hpp"

#include <algorithm>
#include <cstdint>

namespace quorate {

// How fast a queue has emptied lately: whoever finds it full is told when to come again. Counted in
// whatever the queue is, commands or bytes.
//
// Thread: its owner's.
class DrainRate {
 public:
    static constexpr std::uint32_t retry_ms_min = 10;
    static constexpr std::uint32_t retry_ms_max = 5000;
    static constexpr std::uint32_t retry_ms_unknown = 100;  // before anything was measured

    void drained(std::uint64_t amount) { total_ += amount; }

    // The time, at least whenever something is added while the queue is busy. Costs nothing but a
    // comparison before a window is over.
    void look(Time now) {
        Duration passed = now - since_;
        if (passed < window) return;
        // Over a long silence nothing is learnt.
        if (passed < 20 * window) {
            double seconds = std::chrono::duration<double>(passed).count();
            per_second_ = static_cast<double>(total_ - counted_) / seconds;
            known_ = true;
        }
        since_ = now;
        counted_ = total_;
    }

    // When half of what waits will have gone: sooner, whoever comes again finds it full again.
    std::uint32_t retry_after_ms(std::uint64_t waiting) const {
        if (!known_) return retry_ms_unknown;
        if (per_second_ <= 0) return retry_ms_max;
        double ms = static_cast<double>(waiting) / 2 / per_second_ * 1e3;
        return static_cast<std::uint32_t>(
            std::clamp<double>(ms, double{retry_ms_min}, double{retry_ms_max}));
    }

 private:
    static constexpr Duration window = 50ms;

    std::uint64_t total_ = 0;
    std::uint64_t counted_ = 0;  // of them, when the window began
    Time since_{};
    double per_second_ = 0;
    bool known_ = false;
};

}  // namespace quorate
