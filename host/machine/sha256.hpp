#pragma once

#include "host/base/bytes.hpp"

#include <string>

namespace quorate::machine {

// SHA-256 of the bytes as 64 lower-case hex digits: how a build is named everywhere. Thread: any.
std::string sha256_hex(ByteView bytes);

}  // namespace quorate::machine
