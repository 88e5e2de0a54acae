#pragma once

#include "storage/snapshot_shelf.hpp"
#include "storage/snapshot_store.hpp"

#include <memory>
#include <string>
#include <vector>

namespace quorate::storage {

// The snapshot store on a disk: a directory per group, in it one per snapshot, written aside and
// renamed in (docs/formats/snapshot.md). A crash at any moment leaves the whole snapshot or none.
//
// Each snapshot is read and verified in full the first time that it is listed or opened, so a
// restart finds damage before a machine is half loaded; later calls read its metadata only.
//
// Beyond the contract: Errc::format_unknown from list(), open() and source() if a newer release
// wrote the snapshot (it is not set aside). When a snapshot cannot be read for a failing disk, list()
// passes it over if it found a newer one, and else fails with Errc::io. A commit of a snapshot that is
// there already, equal in all its metadata, keeps the one there. A transfer survives a restart: what
// came of it and verifies is kept.
class SnapshotDirectory final : public SnapshotStore {
 public:
    using Options = SnapshotShelf::Options;

    // Makes `root` (a path below that of `files`, which outlives the store and all that it opens) if
    // it is not there, and sweeps what a crash left half-done.
    static Result<std::unique_ptr<SnapshotDirectory>> open(Files& files, std::string root,
                                                           Options options = {});

    Result<std::unique_ptr<SnapshotWriter>> begin(SnapshotMeta meta) override;
    Result<std::unique_ptr<SnapshotReceiver>> receive(GroupId group, EntryId last) override;
    Result<std::vector<SnapshotInfo>> list(GroupId group) override;
    Result<std::unique_ptr<SnapshotReader>> open(GroupId group, EntryId last) override;
    Result<std::unique_ptr<SnapshotSource>> source(GroupId group, EntryId last) override;
    // Removes older transfers that nobody has under way, too.
    Result<void> prune(GroupId group, std::size_t keep) override;
    Result<void> erase(GroupId group) override;
    Result<std::vector<GroupId>> groups() override;

 private:
    explicit SnapshotDirectory(SnapshotShelfPtr shelf) : shelf_(std::move(shelf)) {}

    Result<void> sweep();
    Result<void> sweep_group(GroupId group);
    Result<void> remove_transfers_up_to(GroupId group, Index newest);

    const SnapshotShelfPtr shelf_;
};

}  // namespace quorate::storage
