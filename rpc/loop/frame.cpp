#include "rpc/loop/frame.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace quorate::loop {
namespace {

static_assert(std::endian::native == std::endian::little,
              "frames are little endian, as is every host");

std::uint32_t word32(ByteView bytes, std::size_t at) {
    std::uint32_t value = 0;
    std::memcpy(&value, bytes.data() + at * sizeof value, sizeof value);
    return value;
}

}  // namespace

FrameHeader read_frame_header(ByteView bytes, const FrameLimits& limits) {
    if (bytes.size() < 4) return FrameIncomplete{};
    // In 64 bits, so that the count of FF FF FF FF does not wrap to none.
    std::uint64_t segments = std::uint64_t{word32(bytes, 0)} + 1;
    if (segments > limits.max_segments) {
        return FrameRefused{"it announces " + std::to_string(segments) + " segments; at most " +
                            std::to_string(limits.max_segments) + " are taken"};
    }
    std::size_t table = (4 + 4 * segments + 7) / 8 * 8;
    // Sizes that are here already are judged at once: a hostile one need not be waited for.
    std::uint64_t present = std::min<std::uint64_t>(segments, bytes.size() / 4 - 1);
    std::uint64_t total = table;
    for (std::size_t i = 1; i <= present; ++i) total += std::uint64_t{word32(bytes, i)} * 8;
    if (total > limits.max_bytes) {
        return FrameRefused{"it announces " + std::to_string(total) + " bytes; at most " +
                            std::to_string(limits.max_bytes) + " are taken"};
    }
    if (bytes.size() < table) return FrameIncomplete{};
    if (total == table) return FrameRefused{"it is empty"};
    return FrameSize{table, total};
}

std::string make_frame_table(std::span<const std::uint32_t> segment_words) {
    std::string table((4 + 4 * segment_words.size() + 7) / 8 * 8, '\0');
    auto count = static_cast<std::uint32_t>(segment_words.size() - 1);
    std::memcpy(table.data(), &count, sizeof count);
    std::memcpy(table.data() + 4, segment_words.data(), segment_words.size_bytes());
    return table;
}

}  // namespace quorate::loop
