#include "host/base/check.hpp"
#include "host/base/log.hpp"
#include "storage/snapshot_streams.hpp"

#include <algorithm>

namespace quorate::storage {
namespace {

constexpr std::string_view partial_prefix = "recv-";

// Keeps what came under a name of its own. When this process took it in, all of it counts when a
// transfer resumes; after a restart only what a power cut has certainly not spoilt.
class DirectoryReceiver final : public SnapshotReceiver {
 public:
    DirectoryReceiver(SnapshotShelfPtr shelf, SnapshotClaim claim, GroupId group, EntryId last)
        : shelf_(std::move(shelf)),
          claim_(std::move(claim)),
          group_(group),
          last_(last),
          directory_(shelf_->group_path(group) + "/" + partial_name(last)),
          path_(directory_ + "/" + std::string(snapshot_file_name)) {}
    ~DirectoryReceiver() override {
        if (file_) shelf_->set_partial(path_, received_);
    }

    Result<void> open();
    std::uint64_t received() const override { return received_; }
    Result<void> accept(std::uint64_t offset, ByteView bytes) override;
    Result<SnapshotInfo> commit(EntryId expected) override;

 private:
    Result<void> remove_other_transfers();
    Result<void> resume();
    Result<SnapshotInfo> verified(EntryId expected);
    void discard();

    const SnapshotShelfPtr shelf_;
    const SnapshotClaim claim_;
    const GroupId group_;
    const EntryId last_;
    const std::string directory_;
    const std::string path_;
    std::unique_ptr<File> file_;  // null once committed or failed
    std::uint64_t received_ = 0;
    std::uint64_t unsynced_bytes_ = 0;
};

Result<void> DirectoryReceiver::open() {
    TRY_VOID(make_directory_durably(shelf_->files, shelf_->group_path(group_)));
    TRY_VOID(remove_other_transfers());
    TRY(bool is_resumed, shelf_->files.exists(path_));
    if (is_resumed) return resume();
    static_cast<void>(shelf_->take_partial(path_));
    TRY_VOID(shelf_->files.make_directory(directory_));
    TRY(file_, shelf_->files.open(path_, Files::Mode::create_new));
    // So that what came can be found after a crash; its bytes are synced now and then.
    TRY_VOID(shelf_->files.sync_directory(directory_));
    return shelf_->files.sync_directory(shelf_->group_path(group_));
}

// A newer offer replaces the older: there is one transfer per group (docs/decisions/0005).
Result<void> DirectoryReceiver::remove_other_transfers() {
    std::string group_path = shelf_->group_path(group_);
    TRY(auto names, shelf_->files.list(group_path));
    for (const std::string& name : names) {
        auto other = parse_partial_name(name);
        if (other && *other != last_) TRY_VOID(shelf_->files.remove(group_path + "/" + name));
    }
    return {};
}

Result<void> DirectoryReceiver::resume() {
    auto vouched = shelf_->take_partial(path_);
    if (vouched) {
        received_ = *vouched;
    } else {
        TRY(received_, verified_prefix(shelf_->files, path_, group_, last_));
    }
    TRY(file_, shelf_->files.open(path_, Files::Mode::read_write));
    return file_->truncate(received_);
}

Result<void> DirectoryReceiver::accept(std::uint64_t offset, ByteView bytes) {
    if (!file_) return fail(Errc::request_invalid, path_ + ": this transfer has ended");
    if (offset > received_) {
        return fail(Errc::request_invalid, path_ + ": a piece begins at " + std::to_string(offset) +
                                               ", the next byte wanted is " +
                                               std::to_string(received_));
    }
    ByteView fresh = bytes.subspan(std::min<std::uint64_t>(received_ - offset, bytes.size()));
    if (fresh.empty()) return {};
    auto written = file_->write_at(received_, {&fresh, 1});
    if (!written.has_value()) {
        // No room is an answer, and the transfer goes on when there is; else the disk is in doubt.
        if (written.error().code != Errc::disk_full) file_.reset();
        return written;
    }
    received_ += fresh.size();
    unsynced_bytes_ += fresh.size();
    if (unsynced_bytes_ < shelf_->options.sync_bytes) return {};
    unsynced_bytes_ = 0;
    auto synced = file_->sync();
    if (!synced.has_value()) file_.reset();
    return synced;
}

Result<SnapshotInfo> DirectoryReceiver::verified(EntryId expected) {
    TRY(auto snapshot, SnapshotFile::open(shelf_->files, path_));
    const SnapshotMeta& meta = snapshot->meta();
    if (meta.group != group_ || meta.last != expected || expected != last_) {
        return fail(Errc::corrupt,
                    path_ + ": what came is a snapshot of group " + hex_name(meta.group) +
                        " at index " + std::to_string(meta.last.index.value()) + ", not of " +
                        hex_name(group_) + " at " + std::to_string(expected.index.value()));
    }
    TRY_VOID(snapshot->verify(SnapshotFile::Depth::contents));
    return snapshot->info();
}

Result<SnapshotInfo> DirectoryReceiver::commit(EntryId expected) {
    if (!file_) return fail(Errc::request_invalid, path_ + ": this transfer has ended");
    auto info = verified(expected);
    auto synced = info.has_value() ? file_->sync() : Result<void>();
    file_.reset();
    if (!info.has_value()) {
        Errc code = info.error().code;
        if (code == Errc::corrupt || code == Errc::format_unknown) discard();
        return info;
    }
    if (!synced.has_value()) return synced.error();
    return shelf_->publish(group_, directory_, std::move(*info));
}

void DirectoryReceiver::discard() {
    auto removed = shelf_->files.remove(directory_);
    if (removed.has_value()) return;
    log::warning("snapshot_transfer_not_removed", "a spoilt transfer could not be removed",
                 {{"path", directory_}, {"why", to_string(removed.error())}});
}

}  // namespace

std::string partial_name(EntryId last) {
    return std::string(partial_prefix) + SnapshotName{last, 0}.text();
}

std::optional<EntryId> parse_partial_name(std::string_view name) {
    if (!name.starts_with(partial_prefix)) return std::nullopt;
    auto parsed = SnapshotName::parse(name.substr(partial_prefix.size()));
    if (!parsed) return std::nullopt;
    return parsed->last;
}

Result<std::unique_ptr<SnapshotReceiver>> make_snapshot_receiver(SnapshotShelfPtr shelf,
                                                                 GroupId group, EntryId last) {
    TRY(SnapshotClaim claim, SnapshotClaim::take(shelf, group));
    auto receiver =
        std::make_unique<DirectoryReceiver>(std::move(shelf), std::move(claim), group, last);
    TRY_VOID(receiver->open());
    return std::unique_ptr<SnapshotReceiver>(std::move(receiver));
}

}  // namespace quorate::storage
