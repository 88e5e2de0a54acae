#pragma once

#include "storage/settled_log.hpp"

#include <map>

namespace quorate::storage {

// Gathers entries of many groups on their way to the settled log, so that each group's go there in as few
// rows as possible. Thread: the settled log's writer.
class SettledGatherer {
 public:
    explicit SettledGatherer(SettledLog& settled) : settled_(settled) {}

    // Pre: it follows what was added of the group since that was put.
    Result<void> add(GroupId group, EntryId id, raft::EntryKind kind, ByteView payload);
    // What was gathered of the group goes to the settled log now ...
    Result<void> put(GroupId group);
    // ... of every group ...
    Result<void> put_all();
    // ... or never.
    void drop(GroupId group) { runs_.erase(group); }

 private:
    SettledLog& settled_;
    std::map<GroupId, Run> runs_;
};

}  // namespace quorate::storage
