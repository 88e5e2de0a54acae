#pragma once

#include "host/machine/machine.hpp"

#include <atomic>
#include <string>

namespace quorate::group {

// XXH3-128 over the canonical stream of a view, as 32 hex digits: equal states give equal text, on
// any host. Errors are the view's. Thread: background.
Result<std::string> state_hash(const machine::View& view, const std::atomic<bool>& cancel);

}  // namespace quorate::group
