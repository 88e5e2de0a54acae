#pragma once

#include "host/base/time.hpp"

#include <functional>
#include <stdexcept>
#include <string>
#include <thread>

namespace quorate::testing {

// Waits for what a running program does in its own time: asks until `missing` says that nothing is,
// and throws with its last word at the deadline.
inline void wait_until(Duration timeout, const std::function<std::string()>& missing) {
    auto end = std::chrono::steady_clock::now() + timeout;
    for (;;) {
        std::string what = missing();
        if (what.empty()) return;
        if (std::chrono::steady_clock::now() >= end) {
            throw std::runtime_error("waited " + std::to_string(timeout / 1ms) +
                                     " ms in vain: " + what);
        }
        std::this_thread::sleep_for(20ms);
    }
}

}  // namespace quorate::testing
