#pragma once

#include "host/base/bytes.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace quorate::machine {

// A reply as text for people when its machine does not say how: a rejection as its code and text,
// printable bytes as they are, others in hex. Pure.
std::string plain_text_of(ByteView reply);

// A rejection of the host's own, in the form that machines' have (qr_rejection). Pure.
Bytes rejection(std::int32_t code, std::string_view text);

}  // namespace quorate::machine
