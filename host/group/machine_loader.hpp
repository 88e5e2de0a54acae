#pragma once

#include "host/machine/machine.hpp"
#include "storage/snapshot_store.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace quorate::group {

// A machine and where in the log its state stands.
struct LoadedMachine {
    std::unique_ptr<machine::Machine> machine;
    EntryId at;  // the last entry in its state; {0,0}: none
    std::uint64_t outcome_hash = 0;
    std::int64_t time_ms = 0;
};

// What is needed to make one member's machine, by value or outliving every load.
struct MachineSource {
    machine::MachineFactory& machines;
    storage::SnapshotStore& snapshots;
    machine::MachineRef ref;
    GroupId group;
    std::string name;  // the group's, for the log
};

// A fresh machine, or one with the snapshot's state. Errors: the factory's, the snapshot
// store's (corrupt, not_found, io) and snapshot_rejected. Thread: background.
Result<LoadedMachine> load_machine(const MachineSource& source, EntryId snapshot);

// What a disk holds of a member's state.
struct FoundState {
    std::optional<storage::SnapshotInfo> snapshot;  // the newest that can be read
    LoadedMachine machine;                          // empty if `machine_error`
    std::optional<Error> machine_error;
    std::vector<Error> unreadable;  // newer snapshots that failed their checks
};

// The newest readable snapshot and the machine loaded from it; without the plugin, the snapshot is
// read to its end all the same, because the log is judged by it. Thread: background.
FoundState find_state(const MachineSource& source);

}  // namespace quorate::group
