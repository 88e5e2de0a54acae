#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <sys/types.h>

namespace quorate::bench {

// What processes of this machine have used: processor time since they began, memory now.
struct Usage {
    double cpu_seconds = 0;
    std::uint64_t resident_bytes = 0;
};

// Of them all together; nothing if one is gone, or cannot be read.
std::optional<Usage> usage_of(std::span<const pid_t> processes);

}  // namespace quorate::bench
