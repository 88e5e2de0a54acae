#include "host/base/check.hpp"
#include "storage/snapshot_streams.hpp"

#include <zstd.h>

namespace quorate::storage {
namespace {

// Writes aside and moves in at commit. After a failure nothing more is written: what is on disk
// then is unknown, and goes.
class DirectoryWriter final : public SnapshotWriter {
 public:
    DirectoryWriter(SnapshotShelfPtr shelf, SnapshotClaim claim, SnapshotMeta meta)
        : shelf_(std::move(shelf)),
          claim_(std::move(claim)),
          group_(meta.group),
          directory_(shelf_->group_path(group_) + "/tmp-write"),
          info_{.meta = std::move(meta)} {}
    ~DirectoryWriter() override {
        file_.reset();
        if (!published_) static_cast<void>(shelf_->files.remove(directory_));
    }

    Result<void> open(std::string metadata);
    Result<void> write(ByteView bytes) override;
    Result<SnapshotInfo> commit() override;

 private:
    template <class Step>
    Result<void> unless_failed(Step step);
    Result<void> append(std::string_view first, std::string_view second);
    Result<void> write_chunk();
    Result<void> finish();

    const SnapshotShelfPtr shelf_;
    const SnapshotClaim claim_;
    const GroupId group_;
    const std::string directory_;
    SnapshotInfo info_;  // of what was written so far
    std::unique_ptr<File> file_;
    std::unique_ptr<ZSTD_CCtx, std::size_t (*)(ZSTD_CCtx*)> packer_{ZSTD_createCCtx(),
                                                                    ZSTD_freeCCtx};
    std::uint32_t binding_ = 0;
    std::uint64_t chunks_ = 0;
    std::uint64_t unsynced_bytes_ = 0;
    std::string raw_;     // of the chunk that is being filled
    std::string stored_;  // scratch
    std::optional<Error> failure_;
    bool published_ = false;
};

template <class Step>
Result<void> DirectoryWriter::unless_failed(Step step) {
    if (failure_) return *failure_;
    Result<void> done = step();
    if (!done.has_value()) failure_ = done.error();
    return done;
}

Result<void> DirectoryWriter::open(std::string metadata) {
    Files& files = shelf_->files;
    TRY_VOID(make_directory_durably(files, shelf_->group_path(group_)));
    TRY_VOID(files.remove(directory_));
    TRY_VOID(files.make_directory(directory_));
    TRY(file_,
        files.open(directory_ + "/" + std::string(snapshot_file_name), Files::Mode::create_new));
    SnapshotHeader header = SnapshotHeader::of(as_bytes(metadata));
    binding_ = header.binding;
    raw_.reserve(shelf_->options.chunk_bytes);
    return append(header.encode(), metadata);
}

Result<void> DirectoryWriter::append(std::string_view first, std::string_view second) {
    ByteView parts[] = {as_bytes(first), as_bytes(second)};
    TRY_VOID(file_->write_at(info_.bytes, parts));
    info_.bytes += first.size() + second.size();
    unsynced_bytes_ += first.size() + second.size();
    if (unsynced_bytes_ < shelf_->options.sync_bytes) return {};
    unsynced_bytes_ = 0;
    return file_->sync();
}

Result<void> DirectoryWriter::write_chunk() {
    stored_.resize(ZSTD_compressBound(raw_.size()));
    std::size_t size = ZSTD_compressCCtx(packer_.get(), stored_.data(), stored_.size(), raw_.data(),
                                         raw_.size(), shelf_->options.zstd_level);
    CHECK(ZSTD_isError(size) == 0, "the buffer has the size that zstd asks for");
    stored_.resize(size);
    auto header = SnapshotChunkHeader::of(
        binding_, chunks_, static_cast<std::uint32_t>(raw_.size()), as_bytes(stored_));
    TRY_VOID(append(header.encode(), stored_));
    ++chunks_;
    info_.raw_bytes += raw_.size();
    raw_.clear();
    return {};
}

Result<void> DirectoryWriter::write(ByteView bytes) {
    CHECK(!published_, "write after commit");
    return unless_failed([&]() -> Result<void> {
        std::string_view rest = as_text(bytes);
        while (!rest.empty()) {
            std::size_t room = shelf_->options.chunk_bytes - raw_.size();
            raw_ += rest.substr(0, room);
            rest.remove_prefix(std::min(room, rest.size()));
            if (raw_.size() == shelf_->options.chunk_bytes) TRY_VOID(write_chunk());
        }
        return {};
    });
}

Result<void> DirectoryWriter::finish() {
    if (!raw_.empty()) TRY_VOID(write_chunk());
    SnapshotTrailer trailer{.chunks = chunks_,
                            .raw_bytes = info_.raw_bytes,
                            .file_bytes = info_.bytes + snapshot_trailer_bytes};
    TRY_VOID(append(trailer.encode(binding_), ""));
    return file_->sync();
}

Result<SnapshotInfo> DirectoryWriter::commit() {
    CHECK(!published_, "commit twice");
    TRY_VOID(unless_failed([&] { return finish(); }));
    file_.reset();
    auto published = shelf_->publish(group_, directory_, info_);
    if (published.has_value()) {
        published_ = true;
    } else {
        failure_ = published.error();
    }
    return published;
}

}  // namespace

Result<std::unique_ptr<SnapshotWriter>> make_snapshot_writer(SnapshotShelfPtr shelf,
                                                             SnapshotMeta meta) {
    TRY(std::string metadata, encode_snapshot_meta(meta));
    TRY(SnapshotClaim claim, SnapshotClaim::take(shelf, meta.group));
    auto writer =
        std::make_unique<DirectoryWriter>(std::move(shelf), std::move(claim), std::move(meta));
    TRY_VOID(writer->open(std::move(metadata)));
    return std::unique_ptr<SnapshotWriter>(std::move(writer));
}

}  // namespace quorate::storage
