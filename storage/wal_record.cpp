#include "storage/wal_record.hpp"

#include "storage/crc32c.hpp"

#include <array>
#include <charconv>
#include <cstring>
#include <xxhash.h>

namespace quorate::storage {
namespace {

constexpr std::uint16_t record_magic = 0x7251;  // "Qr"
constexpr std::string_view prefix = "wal-";
constexpr std::string_view suffix = ".log";

// The header as it lies in the file, little-endian.
struct Layout {
    std::uint32_t crc;  // of the 60 bytes that follow, begun with the offset
    std::uint16_t magic;
    std::uint8_t kind;
    std::uint8_t detail;
    std::uint64_t file;
    std::uint64_t batch_and_flags;  // flags in the highest byte
    std::uint64_t group;
    std::uint64_t index;
    std::uint64_t term;
    std::uint64_t chain;
    std::uint32_t length;
    std::uint32_t payload_crc;
};
static_assert(sizeof(Layout) == header_bytes);

constexpr int flags_shift = 56;

std::uint32_t header_crc(const std::byte* raw, std::uint64_t offset) {
    auto seed = static_cast<std::uint32_t>(offset ^ (offset >> 32));
    return crc32c(ByteView(raw + sizeof(std::uint32_t), header_bytes - sizeof(std::uint32_t)),
                  seed);
}

bool is_known(std::uint8_t kind) {
    return kind >= static_cast<std::uint8_t>(RecordKind::open) &&
           kind <= static_cast<std::uint8_t>(RecordKind::seal);
}

}  // namespace

std::uint64_t put_header(const RecordHeader& h, std::uint64_t offset,
                         std::span<std::byte, header_bytes> into) {
    Layout layout{.crc = 0,
                  .magic = record_magic,
                  .kind = static_cast<std::uint8_t>(h.kind),
                  .detail = h.detail,
                  .file = h.file,
                  .batch_and_flags = h.batch | (std::uint64_t{h.flags} << flags_shift),
                  .group = h.group.value(),
                  .index = h.index.value(),
                  .term = h.term.value(),
                  .chain = h.chain,
                  .length = h.length,
                  .payload_crc = h.payload_crc};
    std::memcpy(into.data(), &layout, header_bytes);
    layout.crc = header_crc(into.data(), offset);
    std::memcpy(into.data(), &layout.crc, sizeof layout.crc);
    return link(into);
}

std::uint64_t link(std::span<const std::byte, header_bytes> header) {
    return XXH3_64bits(header.data() + sizeof(std::uint32_t), header_bytes - sizeof(std::uint32_t));
}

std::optional<RecordHeader> parse_header(std::span<const std::byte, header_bytes> from,
                                         std::uint64_t file, std::uint64_t offset) {
    Layout layout;
    std::memcpy(&layout, from.data(), header_bytes);
    if (layout.magic != record_magic || layout.file != file || !is_known(layout.kind)) return {};
    if (layout.crc != header_crc(from.data(), offset)) return {};
    return RecordHeader{.kind = static_cast<RecordKind>(layout.kind),
                        .detail = layout.detail,
                        .flags = static_cast<std::uint8_t>(layout.batch_and_flags >> flags_shift),
                        .file = layout.file,
                        .batch = layout.batch_and_flags & ((std::uint64_t{1} << flags_shift) - 1),
                        .group = GroupId(layout.group),
                        .index = Index(layout.index),
                        .term = Term(layout.term),
                        .chain = layout.chain,
                        .length = layout.length,
                        .payload_crc = layout.payload_crc};
}

std::string wal_name(std::uint64_t file) {
    std::array<char, 16> digits{};
    digits.fill('0');
    for (std::size_t i = digits.size(); file != 0; file >>= 4) {
        digits[--i] = "0123456789abcdef"[file & 15];
    }
    return std::string(prefix) + std::string(digits.data(), digits.size()) + std::string(suffix);
}

std::optional<std::uint64_t> parse_wal_name(std::string_view name) {
    constexpr std::size_t size = prefix.size() + 16 + suffix.size();
    if (name.size() != size || !name.starts_with(prefix) || !name.ends_with(suffix)) return {};
    std::string_view digits = name.substr(prefix.size(), 16);
    std::uint64_t file = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), file, 16);
    if (error != std::errc{} || end != digits.data() + digits.size()) return {};
    return file;
}

}  // namespace quorate::storage
