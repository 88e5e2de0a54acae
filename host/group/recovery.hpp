#pragma once

#include "host/group/registration.hpp"
#include "storage/log_store.hpp"
#include "storage/snapshot_store.hpp"

#include <optional>
#include <string>

namespace quorate::group {

// From what a disk holds of a member to what its core starts from.
struct Recovery {
    raft::Initial initial;
    // The log does not follow its snapshot: the store must drop it and go on after this entry.
    std::optional<EntryId> reset;
    // Entries that may have been promised go with that reset: the registration must say so first, or
    // a crash half-way through would bring back a member that knows of no promise.
    bool forgets = false;
    std::string damage;  // for the operator: what is missing; empty if nothing is
};

// `snapshot`: the newest that can be read, if any. A log that begins behind it, or one that the
// store found damaged, makes the member recovering: it neither votes nor acknowledges until it holds
// again everything it may have promised.
Recovery plan_recovery(const Registration& registration, std::optional<storage::RecoveredLog> log,
                       const std::optional<storage::SnapshotMeta>& snapshot);

}  // namespace quorate::group
