#pragma once

#include "storage/snapshot_shelf.hpp"

namespace quorate::storage {

// The four ways into and out of a snapshot, for SnapshotDirectory. Each holds what it needs of the
// shelf; the shelf's Files outlives them all.

Result<std::unique_ptr<SnapshotWriter>> make_snapshot_writer(SnapshotShelfPtr shelf,
                                                             SnapshotMeta meta);
Result<std::unique_ptr<SnapshotReceiver>> make_snapshot_receiver(SnapshotShelfPtr shelf,
                                                                 GroupId group, EntryId last);
Result<std::unique_ptr<SnapshotReader>> make_snapshot_reader(SnapshotShelfPtr shelf, GroupId group,
                                                             EntryId last);
Result<std::unique_ptr<SnapshotSource>> make_snapshot_source(SnapshotShelfPtr shelf, GroupId group,
                                                             EntryId last);

// Where a transfer under way lies, within its group's directory.
std::string partial_name(EntryId last);
std::optional<EntryId> parse_partial_name(std::string_view name);

}  // namespace quorate::storage
