#pragma once

#include "host/base/result.hpp"
#include "storage/snapshot_store.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>

// The bytes of a snapshot file, as docs/formats/snapshot.md describes them:
//   header | metadata | chunk* | trailer
// Every byte is under a checksum; those of chunks and trailer are seeded with the header's and
// with their place, so that a piece of another snapshot, or one in the wrong place, fails too.
namespace quorate::storage {

constexpr std::size_t snapshot_header_bytes = 32;
constexpr std::size_t snapshot_chunk_header_bytes = 16;
constexpr std::size_t snapshot_trailer_bytes = 40;
constexpr std::uint32_t snapshot_metadata_bytes_max = 512u << 20;
constexpr std::uint32_t snapshot_chunk_raw_bytes_max = 16u << 20;
constexpr std::uint32_t snapshot_chunk_stored_bytes_max = 17u << 20;

// Errc::request_invalid if the membership is not a valid one, or it all is too large.
Result<std::string> encode_snapshot_meta(const SnapshotMeta& meta);
// Nothing if the bytes are not exactly one encoded SnapshotMeta.
std::optional<SnapshotMeta> decode_snapshot_meta(ByteView bytes);

struct SnapshotHeader {
    std::uint32_t metadata_bytes = 0;
    std::uint32_t metadata_crc = 0;
    std::uint32_t binding = 0;  // the header's own checksum: seed of all that follows

    static SnapshotHeader of(ByteView metadata);
    std::string encode() const;
    // Errc::corrupt, or format_unknown if a newer release wrote it.
    static Result<SnapshotHeader> decode(ByteView bytes);
};

struct SnapshotChunkHeader {
    std::uint32_t stored_bytes = 0;
    std::uint32_t raw_bytes = 0;
    std::uint32_t crc = 0;

    // `sequence` counts a snapshot's chunks from 0.
    static SnapshotChunkHeader of(std::uint32_t binding, std::uint64_t sequence,
                                  std::uint32_t raw_bytes, ByteView stored);
    std::string encode() const;
    // Nothing if it is no chunk header, or names sizes out of range.
    static std::optional<SnapshotChunkHeader> decode(ByteView bytes);
    bool matches(std::uint32_t binding, std::uint64_t sequence, ByteView stored) const;
};

struct SnapshotTrailer {
    std::uint64_t chunks = 0;
    std::uint64_t raw_bytes = 0;
    std::uint64_t file_bytes = 0;  // the trailer included

    std::string encode(std::uint32_t binding) const;
    static std::optional<SnapshotTrailer> decode(std::uint32_t binding, ByteView bytes);
};

}  // namespace quorate::storage
