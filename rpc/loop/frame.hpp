#pragma once

#include "host/base/bytes.hpp"
#include "host/base/time.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

namespace quorate::loop {

// What one frame may be, and how long it may take. A frame is a message as Cap'n Proto lays it on a
// wire: a table with the number of segments less one and each segment's words, padded to 8 bytes,
// then the segments. Beyond a limit the connection is closed.
struct FrameLimits {
    std::uint64_t max_bytes = 64ull << 20;  // table and segments
    std::uint32_t max_segments = 512;
    // A frame that has begun must be whole within `patience`, plus its size at the slowest rate.
    Duration patience = 30s;
    std::uint64_t min_bytes_per_second = 64ull << 10;
};

struct FrameSize {
    std::size_t table_bytes;
    std::size_t total_bytes;  // table included; a multiple of 8
};
struct FrameIncomplete {};  // more bytes of the table are needed
struct FrameRefused {
    std::string why;
};
using FrameHeader = std::variant<FrameSize, FrameIncomplete, FrameRefused>;

// Reads the table at the front of `bytes`. This is the first code that sees what a stranger sent:
// Cap'n Proto 0.9.2's own reader writes past its buffer on a segment count of 2^32
// (advisory 2026-03-12-0), so nothing reaches it before it has passed here.
FrameHeader read_frame_header(ByteView bytes, const FrameLimits& limits);

// The table for segments of these sizes, as it goes in front of them.
std::string make_frame_table(std::span<const std::uint32_t> segment_words);

}  // namespace quorate::loop
