#pragma once

#include "storage/files.hpp"
#include "storage/snapshot_format.hpp"

#include <memory>
#include <string>
#include <vector>

struct ZSTD_DCtx_s;

namespace quorate::storage {

// One snapshot file, read chunk by chunk; no byte of it is handed out unverified. Errors are
// Errc::corrupt, naming file and offset, Errc::format_unknown, or the file layer's.
// Thread: one at a time.
class SnapshotFile {
 public:
    // Reads and verifies header, metadata and trailer.
    static Result<std::unique_ptr<SnapshotFile>> open(Files& files, std::string path);
    ~SnapshotFile();

    const SnapshotMeta& meta() const { return meta_; }
    SnapshotInfo info() const {
        return {.meta = meta_, .bytes = trailer_.file_bytes, .raw_bytes = trailer_.raw_bytes};
    }

    // The next chunk in order, as stored: its header and its bytes. Valid until the next call;
    // empty after the last one, when the trailer's totals have been found right.
    Result<ByteView> next_chunk();
    // Unpacks the chunk that next_chunk() gave. Valid until the next call.
    Result<ByteView> unpack();
    // Where the chunk after the last given begins.
    std::uint64_t position() const { return position_; }
    void rewind() { seek(0, front_.size()); }
    // To the chunk of this number, which must begin there. From anywhere but the first the trailer's
    // totals cannot come out right: next_chunk() then fails at the end.
    void seek(std::uint64_t number, std::uint64_t position);
    // Steps over the next chunk, verifying only that its header makes sense. False at the end.
    Result<bool> skip_chunk();

    enum class Depth : std::uint8_t {
        checksums,  // the bytes are those that were written
        contents,   // and each chunk unpacks: for bytes that another host wrote
    };
    // Reads everything, from the first chunk on, and rewinds.
    Result<void> verify(Depth depth);

    // Header and metadata, which come before the first chunk, and the trailer: as stored.
    const std::string& front() const { return front_; }
    const std::string& back() const { return back_; }

 private:
    SnapshotFile(std::unique_ptr<File> file, std::string path)
        : file_(std::move(file)), path_(std::move(path)) {}

    Result<void> read_front(std::uint64_t file_bytes);
    Result<void> read_back(std::uint64_t file_bytes);
    Result<void> read_exactly(std::uint64_t offset, std::span<std::byte> into);
    // Nothing after the last chunk.
    Result<std::optional<SnapshotChunkHeader>> chunk_header();
    Result<void> check_totals();
    void step_over(const SnapshotChunkHeader& header);
    Error corrupt(std::uint64_t offset, std::string_view why) const;

    const std::unique_ptr<File> file_;
    const std::string path_;
    std::string front_;
    std::string back_;
    SnapshotHeader header_;
    SnapshotMeta meta_;
    SnapshotTrailer trailer_;
    std::uint64_t position_ = 0;
    std::uint64_t sequence_ = 0;   // of the next chunk
    std::uint64_t raw_bytes_ = 0;  // of the chunks before it
    SnapshotChunkHeader chunk_;    // the last one given
    std::string stored_;
    std::string raw_;
    std::unique_ptr<ZSTD_DCtx_s, std::size_t (*)(ZSTD_DCtx_s*)> unpacker_{nullptr, nullptr};
};

// How many bytes at the start of a file that may have been cut anywhere, or lost parts in a power
// cut, are whole verified pieces of a snapshot of `group` up to `last`. 0 if not even the metadata is.
Result<std::uint64_t> verified_prefix(Files& files, const std::string& path, GroupId group,
                                      EntryId last);

}  // namespace quorate::storage
