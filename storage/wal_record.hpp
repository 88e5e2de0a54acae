#pragma once

#include "host/raft/types.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

// The write-ahead log's unit (docs/formats/log.md): a header of 64 bytes, a payload, zeroes up to a
// multiple of 8. A file is a run of records from offset 0 on.
namespace quorate::storage {

enum class RecordKind : std::uint8_t {
    open = 1,          // a file's first record; index: the format's version
    entry = 2,         // index, term, detail: the entry's kind, payload
    hard_state = 3,    // term; index: the member voted for, 0 for none
    truncate = 4,      // entries at and above index are dropped
    reset = 5,         // the log begins after (term, index), empty
    create = 6,        // payload: the group's registration. Written twice: see `second_copy`
    registration = 7,  // payload: a new registration. Twice
    erase = 8,         // the group is gone. Twice
    release = 9,       // entries up to (term, index) are no longer needed
    repaired = 10,     // the group's damage is made good
    seal = 11,         // a file's last record: what follows is in the next file
};

// A record's header, without the two checksums, which append_record() adds and parse_header() checks.
struct RecordHeader {
    RecordKind kind = RecordKind::open;
    std::uint8_t detail = 0;  // an entry's kind
    std::uint8_t flags = 0;
    std::uint64_t file =
        0;  // the file's sequence number: a recycled file's old records have another
    std::uint64_t batch = 0;  // of the write and sync that it was part of; grows by one with each
    GroupId group;            // 0: open, seal
    Index index;
    Term term;
    std::uint64_t chain = 0;   // link() of the group's record before this one; 0 for its first
    std::uint32_t length = 0;  // of the payload
    std::uint32_t payload_crc = 0;
};

inline constexpr std::uint8_t first_of_batch = 1;
// The next record belongs to the same unit (a Store): without it this one does not count either.
inline constexpr std::uint8_t unit_goes_on = 2;
// Says again what the group's record before it said, so that one flipped bit cannot take it away.
inline constexpr std::uint8_t second_copy = 4;

inline constexpr std::size_t header_bytes = 64;
inline constexpr std::uint64_t log_format = 1;

constexpr std::uint64_t record_bytes(std::uint64_t payload) {
    return header_bytes + (payload + 7) / 8 * 8;
}

// Writes the header for a place in the file. Returns its link.
// The checksum covers the place: a block that lands elsewhere does not pass.
std::uint64_t put_header(const RecordHeader& header, std::uint64_t offset,
                         std::span<std::byte, header_bytes> into);

// What names a record to the next one of its group: a hash of its header, which in turn holds the
// payload's checksum and the link of the record before. So the last link vouches for all of them.
std::uint64_t link(std::span<const std::byte, header_bytes> header);

// Nothing if the bytes are not a whole header of this file at this offset.
std::optional<RecordHeader> parse_header(std::span<const std::byte, header_bytes> from,
                                         std::uint64_t file, std::uint64_t offset);

// wal-<sequence, 16 hexadecimal digits>.log
std::string wal_name(std::uint64_t file);
std::optional<std::uint64_t> parse_wal_name(std::string_view name);

}  // namespace quorate::storage
