#include "storage/settled_gatherer.hpp"

namespace quorate::storage {

Result<void> SettledGatherer::add(GroupId group, EntryId id, raft::EntryKind kind,
                                  ByteView payload) {
    Run& run = runs_[group];
    if (!run.has_room_for(payload)) {
        TRY_VOID(settled_.put(group, run));
        run = {};
    }
    run.add(id, kind, payload);
    return {};
}

Result<void> SettledGatherer::put(GroupId group) {
    auto found = runs_.find(group);
    if (found == runs_.end()) return {};
    TRY_VOID(settled_.put(group, found->second));
    runs_.erase(found);
    return {};
}

Result<void> SettledGatherer::put_all() {
    for (const auto& [group, run] : runs_) TRY_VOID(settled_.put(group, run));
    runs_.clear();
    return {};
}

}  // namespace quorate::storage
