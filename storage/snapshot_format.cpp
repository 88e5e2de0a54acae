#include "storage/snapshot_format.hpp"

#include "host/raft/membership.hpp"
#include "storage/crc32c.hpp"

#include <cstring>
#include <type_traits>

namespace quorate::storage {
namespace {

// The end-of-file character and the two newlines show a transfer that took the file for text.
constexpr std::string_view snapshot_magic = "QRSNAP\x1a\n";
constexpr std::uint32_t format_version = 1;
constexpr std::uint32_t chunk_mark = 0x4b4e4843;    // "CHNK"
constexpr std::uint32_t trailer_mark = 0x444e4551;  // "QEND"

template <class Number>
void put(std::string& out, Number value) {
    auto bits = static_cast<std::make_unsigned_t<Number>>(value);
    for (std::size_t i = 0; i < sizeof(Number); ++i) {
        out.push_back(static_cast<char>(bits >> (8 * i) & 0xff));
    }
}

void put_bytes(std::string& out, std::string_view bytes) {
    put(out, static_cast<std::uint32_t>(bytes.size()));
    out += bytes;
}

// Takes values off the front of bytes that may end too early; is_whole() tells at the end.
class Taker {
 public:
    explicit Taker(ByteView bytes) : rest_(bytes) {}

    template <class Number>
    Number take() {
        std::uint64_t value = 0;
        ByteView part = take_view(sizeof(Number));
        for (std::size_t i = 0; i < part.size(); ++i) {
            value |= std::to_integer<std::uint64_t>(part[i]) << (8 * i);
        }
        return static_cast<Number>(value);
    }
    ByteView take_view(std::size_t count) {
        if (count > rest_.size()) {
            short_ = true;
            rest_ = {};
            return {};
        }
        ByteView part = rest_.first(count);
        rest_ = rest_.subspan(count);
        return part;
    }
    ByteView take_bytes() { return take_view(take<std::uint32_t>()); }
    std::string take_text() { return std::string(as_text(take_bytes())); }
    bool is_whole() const { return !short_ && rest_.empty(); }

 private:
    ByteView rest_;
    bool short_ = false;
};

std::uint32_t chunk_crc(std::uint32_t binding, std::uint64_t sequence, std::uint32_t raw_bytes,
                        ByteView stored) {
    std::string place;
    put(place, sequence);
    put(place, static_cast<std::uint32_t>(stored.size()));
    put(place, raw_bytes);
    return crc32c(stored, crc32c(as_bytes(place), binding));
}

}  // namespace

Result<std::string> encode_snapshot_meta(const SnapshotMeta& meta) {
    if (!raft::is_valid(meta.membership)) {
        return fail(Errc::request_invalid,
                    "the snapshot's membership has no voter, or names a member twice");
    }
    std::string out;
    put(out, meta.group.value());
    put(out, meta.epoch.value());
    put(out, meta.last.term.value());
    put(out, meta.last.index.value());
    put(out, meta.machine_version);
    put(out, meta.outcome_hash);
    put(out, meta.time_ms);
    put_bytes(out, meta.machine);
    put_bytes(out, meta.build);
    put_bytes(out, raft::encode(meta.membership).text());
    std::size_t size = out.size() + meta.host_state.size();
    if (size > snapshot_metadata_bytes_max) {
        return fail(Errc::request_invalid, "the snapshot's metadata takes " + std::to_string(size) +
                                               " bytes, more than a snapshot can carry");
    }
    put_bytes(out, meta.host_state.text());
    return out;
}

std::optional<SnapshotMeta> decode_snapshot_meta(ByteView bytes) {
    Taker in(bytes);
    SnapshotMeta meta;
    meta.group = GroupId(in.take<std::uint64_t>());
    meta.epoch = Epoch(in.take<std::uint64_t>());
    meta.last.term = Term(in.take<std::uint64_t>());
    meta.last.index = Index(in.take<std::uint64_t>());
    meta.machine_version = in.take<std::uint32_t>();
    meta.outcome_hash = in.take<std::uint64_t>();
    meta.time_ms = in.take<std::int64_t>();
    meta.machine = in.take_text();
    meta.build = in.take_text();
    auto membership = raft::decode_membership(in.take_bytes());
    meta.host_state = Bytes::copy_of(in.take_bytes());
    if (!in.is_whole() || !membership) return std::nullopt;
    meta.membership = std::move(*membership);
    return meta;
}

SnapshotHeader SnapshotHeader::of(ByteView metadata) {
    SnapshotHeader header;
    header.metadata_bytes = static_cast<std::uint32_t>(metadata.size());
    header.metadata_crc = crc32c(metadata);
    header.binding = crc32c(as_bytes(header.encode()).first(snapshot_header_bytes - 4));
    return header;
}

std::string SnapshotHeader::encode() const {
    std::string out(snapshot_magic);
    put(out, format_version);
    put(out, metadata_bytes);
    put(out, metadata_crc);
    put(out, std::uint64_t{0});
    put(out, crc32c(as_bytes(out)));
    return out;
}

Result<SnapshotHeader> SnapshotHeader::decode(ByteView bytes) {
    Taker in(bytes);
    bool named = as_text(in.take_view(snapshot_magic.size())) == snapshot_magic;
    auto version = in.take<std::uint32_t>();
    SnapshotHeader header;
    header.metadata_bytes = in.take<std::uint32_t>();
    header.metadata_crc = in.take<std::uint32_t>();
    in.take<std::uint64_t>();
    header.binding = in.take<std::uint32_t>();
    if (!named || !in.is_whole()) return fail(Errc::corrupt, "this is not a snapshot's header");
    if (crc32c(bytes.first(snapshot_header_bytes - 4)) != header.binding) {
        return fail(Errc::corrupt, "the header fails its checksum");
    }
    if (version != format_version) {
        return fail(Errc::format_unknown, "the snapshot has format version " +
                                              std::to_string(version) + ", this release reads " +
                                              std::to_string(format_version));
    }
    if (header.metadata_bytes > snapshot_metadata_bytes_max) {
        return fail(Errc::corrupt, "the header names metadata of " +
                                       std::to_string(header.metadata_bytes) + " bytes");
    }
    return header;
}

SnapshotChunkHeader SnapshotChunkHeader::of(std::uint32_t binding, std::uint64_t sequence,
                                            std::uint32_t raw_bytes, ByteView stored) {
    return {.stored_bytes = static_cast<std::uint32_t>(stored.size()),
            .raw_bytes = raw_bytes,
            .crc = chunk_crc(binding, sequence, raw_bytes, stored)};
}

std::string SnapshotChunkHeader::encode() const {
    std::string out;
    put(out, chunk_mark);
    put(out, stored_bytes);
    put(out, raw_bytes);
    put(out, crc);
    return out;
}

std::optional<SnapshotChunkHeader> SnapshotChunkHeader::decode(ByteView bytes) {
    Taker in(bytes);
    bool named = in.take<std::uint32_t>() == chunk_mark;
    SnapshotChunkHeader header;
    header.stored_bytes = in.take<std::uint32_t>();
    header.raw_bytes = in.take<std::uint32_t>();
    header.crc = in.take<std::uint32_t>();
    bool in_range = header.stored_bytes > 0 &&
                    header.stored_bytes <= snapshot_chunk_stored_bytes_max &&
                    header.raw_bytes > 0 && header.raw_bytes <= snapshot_chunk_raw_bytes_max;
    if (!named || !in.is_whole() || !in_range) return std::nullopt;
    return header;
}

bool SnapshotChunkHeader::matches(std::uint32_t binding, std::uint64_t sequence,
                                  ByteView stored) const {
    return stored.size() == stored_bytes && chunk_crc(binding, sequence, raw_bytes, stored) == crc;
}

std::string SnapshotTrailer::encode(std::uint32_t binding) const {
    std::string out;
    put(out, trailer_mark);
    put(out, std::uint32_t{0});
    put(out, chunks);
    put(out, raw_bytes);
    put(out, file_bytes);
    put(out, std::uint32_t{0});
    put(out, crc32c(as_bytes(out), binding));
    return out;
}

std::optional<SnapshotTrailer> SnapshotTrailer::decode(std::uint32_t binding, ByteView bytes) {
    if (bytes.size() != snapshot_trailer_bytes) return std::nullopt;
    Taker in(bytes);
    bool named = in.take<std::uint32_t>() == trailer_mark;
    in.take<std::uint32_t>();
    SnapshotTrailer trailer;
    trailer.chunks = in.take<std::uint64_t>();
    trailer.raw_bytes = in.take<std::uint64_t>();
    trailer.file_bytes = in.take<std::uint64_t>();
    in.take<std::uint32_t>();
    bool intact =
        crc32c(bytes.first(snapshot_trailer_bytes - 4), binding) == in.take<std::uint32_t>();
    if (!named || !intact) return std::nullopt;
    return trailer;
}

}  // namespace quorate::storage
