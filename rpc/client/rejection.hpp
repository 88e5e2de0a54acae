#pragma once

#include "host/base/bytes.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace quorate::client {

// A machine's deterministic "no". The command was applied, in its place in the log and on every
// member, and this is its reply: sending it again is another command.
struct Rejection {
    std::int32_t code = 0;  // the machine's own; never 0
    std::string_view text;  // within the reply
};

// The rejection that a reply holds in the common form (sdk/include/quorate/effect.h), if it does.
std::optional<Rejection> rejection_of(ByteView reply);

}  // namespace quorate::client
