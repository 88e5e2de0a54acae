#include "storage/wal_scan.hpp"

#include "storage/crc32c.hpp"

#include <algorithm>

namespace quorate::storage {

std::optional<RecordHeader> WalScan::header_at(std::uint64_t offset) const {
    if (end() < offset + header_bytes) return {};
    return parse_header(from(offset).first<header_bytes>(), file_, offset);
}

ScannedRecord WalScan::record_at(std::uint64_t offset, const RecordHeader& header) {
    ScannedRecord found{.offset = offset, .header = header};
    found.link = link(from(offset).first<header_bytes>());
    found.end = std::min(end(), offset + record_bytes(header.length));
    if (ByteView after = from(offset + header_bytes); header.length <= after.size()) {
        found.payload = after.first(header.length);
        found.intact = crc32c(found.payload) == header.payload_crc;
    }
    sealed_ = header.kind == RecordKind::seal;
    position_ = found.end;
    return found;
}

std::optional<ScannedRecord> WalScan::next() {
    if (sealed_) return {};
    if (auto header = header_at(position_)) return record_at(position_, *header);
    for (std::uint64_t at = position_ + 8; at + header_bytes <= end(); at += 8) {
        if (!header_at(at)) continue;
        ScannedRecord gap{.offset = position_, .end = at};
        position_ = at;
        return gap;
    }
    return {};
}

}  // namespace quorate::storage
