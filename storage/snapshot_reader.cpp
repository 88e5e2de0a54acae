#include "storage/snapshot_streams.hpp"

#include <algorithm>
#include <cstring>

namespace quorate::storage {
namespace {

// Keeps a snapshot from being removed, and remembers if it proves bad.
class OpenSnapshot {
 public:
    OpenSnapshot(SnapshotShelfPtr shelf, GroupId group, SnapshotName name)
        : shelf_(std::move(shelf)), group_(group), name_(name) {
        shelf_->opened(group_, name_);
    }
    OpenSnapshot(const OpenSnapshot&) = delete;
    ~OpenSnapshot() { shelf_->closed(group_, name_); }

    // Loads it; called once, first.
    Result<void> load() {
        auto loaded = shelf_->load(group_, name_);
        if (loaded.has_value()) {
            file_ = std::move(*loaded);
            return {};
        }
        // It may have been pruned between finding and holding it: then it is gone, not bad.
        TRY_VOID(shelf_->find(group_, name_.last));
        return noted(loaded.error());
    }
    SnapshotFile& file() { return *file_; }
    const SnapshotFile& file() const { return *file_; }

    // The error; the next list() sets the snapshot aside if it says that the bytes are bad.
    Error noted(const Error& error) {
        if (error.code == Errc::corrupt) shelf_->mark_bad(group_, name_);
        return error;
    }

 private:
    const SnapshotShelfPtr shelf_;
    const GroupId group_;
    const SnapshotName name_;
    std::unique_ptr<SnapshotFile> file_;
};

Result<std::unique_ptr<OpenSnapshot>> open_snapshot(SnapshotShelfPtr shelf, GroupId group,
                                                    EntryId last) {
    TRY(SnapshotName name, shelf->find(group, last));
    auto snapshot = std::make_unique<OpenSnapshot>(std::move(shelf), group, name);
    TRY_VOID(snapshot->load());
    return snapshot;
}

class DirectoryReader final : public SnapshotReader {
 public:
    explicit DirectoryReader(std::unique_ptr<OpenSnapshot> snapshot)
        : snapshot_(std::move(snapshot)) {}

    const SnapshotMeta& meta() const override { return snapshot_->file().meta(); }

    Result<std::size_t> read(std::span<std::byte> into) override {
        std::size_t done = 0;
        while (done < into.size()) {
            if (left_.empty()) {
                if (!failure_) {
                    auto more = next();
                    if (more.has_value() && !*more) break;
                    if (!more.has_value()) failure_ = snapshot_->noted(more.error());
                }
                // What came before it is good and handed out; the error comes with the next call.
                if (failure_ && done > 0) break;
                if (failure_) return *failure_;
            }
            std::size_t count = std::min(left_.size(), into.size() - done);
            std::memcpy(into.data() + done, left_.data(), count);
            left_ = left_.subspan(count);
            done += count;
        }
        return done;
    }

 private:
    // False at the end.
    Result<bool> next() {
        TRY(ByteView chunk, snapshot_->file().next_chunk());
        if (chunk.empty()) return false;
        TRY(left_, snapshot_->file().unpack());
        return true;
    }

    const std::unique_ptr<OpenSnapshot> snapshot_;
    ByteView left_;  // of the unpacked chunk
    std::optional<Error> failure_;
};

// The file as one run of bytes. What is sent was verified when it was read for that: a disk that
// rots under a snapshot long open is noticed here and not at the far end of a long transfer.
class DirectorySource final : public SnapshotSource {
 public:
    explicit DirectorySource(std::unique_ptr<OpenSnapshot> snapshot)
        : snapshot_(std::move(snapshot)), size_(snapshot_->file().info().bytes) {}

    // Finds where each chunk begins.
    Result<void> index() {
        SnapshotFile& file = snapshot_->file();
        file.rewind();
        for (bool more = true; more;) {
            starts_.push_back(file.position());
            auto stepped = file.skip_chunk();
            if (!stepped.has_value()) return snapshot_->noted(stepped.error());
            more = *stepped;
        }
        return {};
    }

    std::uint64_t size() const override { return size_; }

    Result<Bytes> read_at(std::uint64_t offset, std::uint64_t count) override {
        std::string out;
        count = std::min(count, size_ - std::min(offset, size_));
        out.reserve(count);
        while (out.size() < count) {
            auto piece = piece_at(offset + out.size());
            if (!piece.has_value()) return snapshot_->noted(piece.error());
            out += as_text(*piece).substr(0, count - out.size());
        }
        return Bytes::take(std::move(out));
    }

 private:
    // The bytes from `offset` to the end of the piece that it lies in.
    Result<ByteView> piece_at(std::uint64_t offset) {
        SnapshotFile& file = snapshot_->file();
        std::uint64_t back_begins = starts_.back();
        if (offset < starts_.front()) return as_bytes(file.front()).subspan(offset);
        if (offset >= back_begins) return as_bytes(file.back()).subspan(offset - back_begins);
        auto after = std::ranges::upper_bound(starts_, offset);
        auto number = static_cast<std::uint64_t>(after - starts_.begin()) - 1;
        if (!chunk_number_ || *chunk_number_ != number) {
            chunk_number_.reset();
            file.seek(number, starts_[number]);
            TRY(chunk_, file.next_chunk());
            chunk_number_ = number;
        }
        return chunk_.subspan(offset - starts_[number]);
    }

    const std::unique_ptr<OpenSnapshot> snapshot_;
    const std::uint64_t size_;
    std::vector<std::uint64_t> starts_;  // of each chunk, and last of the trailer
    ByteView chunk_;                     // the last one read
    std::optional<std::uint64_t> chunk_number_;
};

}  // namespace

Result<std::unique_ptr<SnapshotReader>> make_snapshot_reader(SnapshotShelfPtr shelf, GroupId group,
                                                             EntryId last) {
    TRY(auto snapshot, open_snapshot(std::move(shelf), group, last));
    return std::unique_ptr<SnapshotReader>(std::make_unique<DirectoryReader>(std::move(snapshot)));
}

Result<std::unique_ptr<SnapshotSource>> make_snapshot_source(SnapshotShelfPtr shelf, GroupId group,
                                                             EntryId last) {
    TRY(auto snapshot, open_snapshot(std::move(shelf), group, last));
    auto source = std::make_unique<DirectorySource>(std::move(snapshot));
    TRY_VOID(source->index());
    return std::unique_ptr<SnapshotSource>(std::move(source));
}

}  // namespace quorate::storage
