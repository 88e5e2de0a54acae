#include "storage/snapshot_file.hpp"

#include "storage/crc32c.hpp"

#include <optional>
#include <zstd.h>

namespace quorate::storage {
namespace {

std::span<std::byte> writable(std::string& text, std::size_t size) {
    text.resize(size);
    return std::as_writable_bytes(std::span(text));
}

}  // namespace

SnapshotFile::~SnapshotFile() = default;

Result<std::unique_ptr<SnapshotFile>> SnapshotFile::open(Files& files, std::string path) {
    TRY(auto file, files.open(path, Files::Mode::read));
    std::unique_ptr<SnapshotFile> snapshot(new SnapshotFile(std::move(file), std::move(path)));
    TRY(std::uint64_t bytes, snapshot->file_->size());
    TRY_VOID(snapshot->read_front(bytes));
    TRY_VOID(snapshot->read_back(bytes));
    snapshot->rewind();
    return snapshot;
}

Error SnapshotFile::corrupt(std::uint64_t offset, std::string_view why) const {
    return fail(Errc::corrupt,
                path_ + " at byte " + std::to_string(offset) + ": " + std::string(why));
}

Result<void> SnapshotFile::read_exactly(std::uint64_t offset, std::span<std::byte> into) {
    TRY(std::size_t count, file_->read_at(offset, into));
    if (count != into.size()) return corrupt(offset + count, "the file ends too early");
    return {};
}

Result<void> SnapshotFile::read_front(std::uint64_t file_bytes) {
    if (file_bytes < snapshot_header_bytes) return corrupt(file_bytes, "the file ends too early");
    TRY_VOID(read_exactly(0, writable(front_, snapshot_header_bytes)));
    auto header = SnapshotHeader::decode(as_bytes(front_));
    if (!header.has_value()) return within(path_, header.error());
    header_ = *header;
    std::uint64_t end = snapshot_header_bytes + std::uint64_t{header_.metadata_bytes};
    if (file_bytes < end) return corrupt(file_bytes, "the file ends within its metadata");
    TRY_VOID(read_exactly(0, writable(front_, end)));
    ByteView metadata = as_bytes(front_).subspan(snapshot_header_bytes);
    if (crc32c(metadata) != header_.metadata_crc) {
        return corrupt(snapshot_header_bytes, "the metadata fails its checksum");
    }
    auto meta = decode_snapshot_meta(metadata);
    if (!meta) return corrupt(snapshot_header_bytes, "the metadata makes no sense");
    meta_ = std::move(*meta);
    return {};
}

Result<void> SnapshotFile::read_back(std::uint64_t file_bytes) {
    if (file_bytes < front_.size() + snapshot_trailer_bytes) {
        return corrupt(file_bytes, "the file ends before its trailer");
    }
    std::uint64_t offset = file_bytes - snapshot_trailer_bytes;
    TRY_VOID(read_exactly(offset, writable(back_, snapshot_trailer_bytes)));
    auto trailer = SnapshotTrailer::decode(header_.binding, as_bytes(back_));
    if (!trailer) return corrupt(offset, "the trailer is missing or fails its checksum");
    if (trailer->file_bytes != file_bytes) {
        return corrupt(offset, "the trailer speaks of " + std::to_string(trailer->file_bytes) +
                                   " bytes, the file has " + std::to_string(file_bytes));
    }
    trailer_ = *trailer;
    return {};
}

void SnapshotFile::seek(std::uint64_t number, std::uint64_t position) {
    position_ = position;
    sequence_ = number;
    raw_bytes_ = 0;
}

Result<std::optional<SnapshotChunkHeader>> SnapshotFile::chunk_header() {
    std::uint64_t end = trailer_.file_bytes - snapshot_trailer_bytes;
    if (position_ == end) {
        TRY_VOID(check_totals());
        return std::optional<SnapshotChunkHeader>();
    }
    if (end - position_ < snapshot_chunk_header_bytes)
        return corrupt(position_, "a chunk's header is cut");
    std::array<std::byte, snapshot_chunk_header_bytes> bytes{};
    TRY_VOID(read_exactly(position_, bytes));
    auto header = SnapshotChunkHeader::decode(bytes);
    if (!header) return corrupt(position_, "no chunk begins here");
    if (end - position_ - snapshot_chunk_header_bytes < header->stored_bytes) {
        return corrupt(position_, "a chunk reaches beyond the file's end");
    }
    return header;
}

Result<void> SnapshotFile::check_totals() {
    if (sequence_ == trailer_.chunks && raw_bytes_ == trailer_.raw_bytes) return {};
    return corrupt(position_, "the trailer speaks of " + std::to_string(trailer_.chunks) +
                                  " chunks and " + std::to_string(trailer_.raw_bytes) +
                                  " raw bytes, there are " + std::to_string(sequence_) + " and " +
                                  std::to_string(raw_bytes_));
}

void SnapshotFile::step_over(const SnapshotChunkHeader& header) {
    chunk_ = header;
    position_ += snapshot_chunk_header_bytes + header.stored_bytes;
    ++sequence_;
    raw_bytes_ += header.raw_bytes;
}

Result<bool> SnapshotFile::skip_chunk() {
    TRY(auto header, chunk_header());
    if (header) step_over(*header);
    return header.has_value();
}

Result<ByteView> SnapshotFile::next_chunk() {
    TRY(auto header, chunk_header());
    if (!header) return ByteView();
    TRY_VOID(read_exactly(position_,
                          writable(stored_, snapshot_chunk_header_bytes + header->stored_bytes)));
    ByteView stored = as_bytes(stored_).subspan(snapshot_chunk_header_bytes);
    if (!header->matches(header_.binding, sequence_, stored)) {
        return corrupt(position_, "a chunk fails its checksum");
    }
    step_over(*header);
    return as_bytes(stored_);
}

Result<ByteView> SnapshotFile::unpack() {
    if (!unpacker_) unpacker_ = {ZSTD_createDCtx(), ZSTD_freeDCtx};
    std::string_view stored = std::string_view(stored_).substr(snapshot_chunk_header_bytes);
    raw_.resize(chunk_.raw_bytes);
    std::size_t size = ZSTD_decompressDCtx(unpacker_.get(), raw_.data(), raw_.size(), stored.data(),
                                           stored.size());
    if (ZSTD_isError(size) != 0 || size != raw_.size()) {
        return corrupt(position_ - stored_.size(), "a chunk does not unpack to what it says");
    }
    return as_bytes(raw_);
}

Result<void> SnapshotFile::verify(Depth depth) {
    rewind();
    for (;;) {
        TRY(ByteView chunk, next_chunk());
        if (chunk.empty()) break;
        if (depth == Depth::contents) TRY_VOID(unpack());
    }
    rewind();
    return {};
}

namespace {

// The piece at `offset`, or nothing if it is cut or fails its checksum.
Result<std::string> piece(File& file, std::uint64_t offset, std::uint64_t size) {
    std::string bytes;
    TRY(std::size_t count, file.read_at(offset, writable(bytes, size)));
    bytes.resize(count == size ? size : 0);
    return bytes;
}

}  // namespace

Result<std::uint64_t> verified_prefix(Files& files, const std::string& path, GroupId group,
                                      EntryId last) {
    TRY(auto file, files.open(path, Files::Mode::read));
    TRY(std::uint64_t file_bytes, file->size());
    TRY(std::string front, piece(*file, 0, snapshot_header_bytes));
    auto header = SnapshotHeader::decode(as_bytes(front));
    std::uint64_t end = snapshot_header_bytes;
    if (!header.has_value() || file_bytes - end < header->metadata_bytes) return 0;
    TRY(std::string metadata, piece(*file, end, header->metadata_bytes));
    auto meta = decode_snapshot_meta(as_bytes(metadata));
    bool ours = crc32c(as_bytes(metadata)) == header->metadata_crc && meta &&
                meta->group == group && meta->last == last;
    if (!ours) return 0;
    end += metadata.size();
    for (std::uint64_t sequence = 0;; ++sequence) {
        TRY(std::string chunk, piece(*file, end, snapshot_chunk_header_bytes));
        auto head = SnapshotChunkHeader::decode(as_bytes(chunk));
        if (!head || file_bytes - end - snapshot_chunk_header_bytes < head->stored_bytes)
            return end;
        TRY(std::string stored,
            piece(*file, end + snapshot_chunk_header_bytes, head->stored_bytes));
        if (!head->matches(header->binding, sequence, as_bytes(stored))) return end;
        end += snapshot_chunk_header_bytes + stored.size();
    }
}

}  // namespace quorate::storage
