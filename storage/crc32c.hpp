#pragma once

#include "host/base/bytes.hpp"

#include <cstdint>

namespace quorate::storage {

// CRC-32C (Castagnoli), as iSCSI, ext4 and WiredTiger use it: finds every error burst of up to 32 bits
// and every single flipped bit. By the processor's own instruction where it has one, else by table;
// both give the same value. `seed` is the checksum of what came before, 0 at the start:
// crc32c(b, crc32c(a)) is the checksum of a followed by b. Thread: any.
std::uint32_t crc32c(ByteView bytes, std::uint32_t seed = 0);

// The table's way, which every machine can take. For tests and for measuring.
std::uint32_t crc32c_by_table(ByteView bytes, std::uint32_t seed = 0);

}  // namespace quorate::storage
