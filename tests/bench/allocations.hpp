#pragma once

#include <cstdint>

namespace quorate::bench {

// Allocations of this program so far, of all threads: allocations.cpp replaces operator new.
std::uint64_t allocations();

}  // namespace quorate::bench
