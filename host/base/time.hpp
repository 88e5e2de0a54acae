#pragma once

#include <chrono>
#include <cstdint>

namespace quorate {

// Time as everything above the event loop sees it: an argument, never a call. Monotonic, from an
// origin that means nothing; simulated time in tests.
using Duration = std::chrono::nanoseconds;
struct Clock {
    using rep = Duration::rep;
    using period = Duration::period;
    using duration = Duration;
    using time_point = std::chrono::time_point<Clock, Duration>;
    static constexpr bool is_steady = true;
};
using Time = Clock::time_point;

using namespace std::chrono_literals;

}  // namespace quorate
