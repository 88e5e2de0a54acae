#include "storage/wal_scan.hpp"

#include "storage/crc32c.hpp"

#include <algorithm>

namespace quorate::storage {

std::optional<RecordHeader> WalScan::header_at(std::uint64_t offset) const {
    if (bytes_.size() < header_bytes || offset > bytes_.size() - header_bytes) return {};
    return parse_header(bytes_.subspan(offset).first<header_bytes>(), file_, offset);
}

ScannedRecord WalScan::record_at(std::uint64_t offset, const RecordHeader& header) {
    ScannedRecord found{.offset = offset, .header = header};
    found.link = link(bytes_.subspan(offset).first<header_bytes>());
    std::uint64_t left = bytes_.size() - offset - header_bytes;
    found.end = std::min<std::uint64_t>(bytes_.size(), offset + record_bytes(header.length));
    if (header.length <= left) {
        found.payload = bytes_.subspan(offset + header_bytes, header.length);
        found.intact = crc32c(found.payload) == header.payload_crc;
    }
    sealed_ = header.kind == RecordKind::seal;
    position_ = found.end;
    return found;
}

std::optional<ScannedRecord> WalScan::next() {
    if (sealed_) return {};
    if (auto header = header_at(position_)) return record_at(position_, *header);
    for (std::uint64_t at = position_ + 8; at + header_bytes <= bytes_.size(); at += 8) {
        if (!header_at(at)) continue;
        ScannedRecord gap{.offset = position_, .end = at};
        position_ = at;
        return gap;
    }
    return {};
}

}  // namespace quorate::storage
