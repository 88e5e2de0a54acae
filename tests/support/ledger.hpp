#pragma once

#include <cstdint>

namespace quorate::testing {

// Of one answer of the ledger machine.
inline constexpr std::uint32_t ledger_rows_max = 10'000;

}  // namespace quorate::testing
