#pragma once

#include "host/base/result.hpp"

#include <string>
#include <string_view>

namespace quorate::group {

inline constexpr std::size_t name_length_max = 64;

// Names of groups: 1 to 64 of a-z A-Z 0-9 . _ - that begin with a letter or digit.
// Errc::name_invalid says what is wrong with it.
Result<void> check_name(std::string_view name);

// The text in quotes, with what is not printable shown as \xNN and what is too long cut off: safe in
// an error's sentence wherever it came from.
std::string quoted(std::string_view text);

}  // namespace quorate::group
