#pragma once

#include <span>
#include <string_view>

namespace quorate {

// The name that was probably meant: the nearest by single edits, if it is near enough to be a typo.
// Empty if none is.
std::string_view did_you_mean(std::string_view written, std::span<const std::string_view> names);

}  // namespace quorate
