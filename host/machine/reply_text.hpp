#pragma once

#include "host/base/bytes.hpp"

#include <string>

namespace quorate::machine {

// A reply as text for people when its machine does not say how: a rejection as its code and text,
// printable bytes as they are, others in hex. Pure.
std::string plain_text_of(ByteView reply);

}  // namespace quorate::machine
