#pragma once

#include "host/base/check.hpp"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <span>

namespace quorate::raft {

// How many of `voters` make a majority.
constexpr std::size_t majority(std::size_t voters) {
    return voters / 2 + 1;
}

// The greatest value that `needed` of the values reach: what so many voters have got to.
// Reorders them. Pre: 1 <= needed <= values.size().
template <class Value>
Value reached_by(std::span<Value> values, std::size_t needed) {
    CHECK(needed >= 1 && needed <= values.size());
    auto nth = values.begin() + static_cast<std::ptrdiff_t>(needed - 1);
    std::nth_element(values.begin(), nth, values.end(), std::greater<>());
    return *nth;
}

}  // namespace quorate::raft
