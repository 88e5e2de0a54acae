#pragma once

#include "storage/wal_record.hpp"

#include <cstdint>
#include <optional>

namespace quorate::storage {

// What stands at one place of a log file.
struct ScannedRecord {
    std::uint64_t offset = 0;
    std::uint64_t end = 0;  // where the next one begins
    // Nothing: bytes that are no record, before one that is.
    std::optional<RecordHeader> header;
    std::uint64_t link = 0;
    ByteView payload;     // in the scanned bytes
    bool intact = false;  // header and payload pass their checksums

    std::uint64_t payload_offset() const { return offset + header_bytes; }
};

// Walks over the records of one file, past damaged ones too: where there is no record, the next
// place with a header of this file is looked for. Thread: any, one.
class WalScan {
 public:
    // `bytes` stand at offset `begin` of the file, where a record begins.
    WalScan(ByteView bytes, std::uint64_t file, std::uint64_t begin = 0)
        : bytes_(bytes), file_(file), begin_(begin), position_(begin) {}

    // Nothing: no record from position() on, or the seal was passed.
    std::optional<ScannedRecord> next();

    std::uint64_t position() const { return position_; }
    bool sealed() const { return sealed_; }

 private:
    std::optional<RecordHeader> header_at(std::uint64_t offset) const;
    ScannedRecord record_at(std::uint64_t offset, const RecordHeader& header);

    ByteView from(std::uint64_t offset) const { return bytes_.subspan(offset - begin_); }
    std::uint64_t end() const { return begin_ + bytes_.size(); }

    ByteView bytes_;
    std::uint64_t file_;
    std::uint64_t begin_;
    std::uint64_t position_;
    bool sealed_ = false;
};

}  // namespace quorate::storage
