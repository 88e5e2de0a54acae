#pragma once

#include "host/group/background.hpp"
#include "host/group/deadlines.hpp"
#include "host/group/group.hpp"

#include <map>
#include <memory>
#include <optional>

namespace quorate::group {

// Serves a member's snapshots to members that pull them, piece by piece. A snapshot stays open
// while pieces of it are asked for, so that it outlives newer ones for whoever is fetching it.
//
// Thread: the shard; the disk is read on background threads.
class SnapshotSender {
 public:
    struct Environment {
        Background& background;
        Scheduler& scheduler;
        Deadlines& deadlines;
        storage::SnapshotStore& snapshots;
        GroupLinks& links;
        const GroupOptions& options;
        const Registration& registration;
    };
    explicit SnapshotSender(Environment environment) : env_(environment) {}

    void serve(const SnapshotFetch& wanted, const HostName& to);
    // Closes all; nothing is sent any more.
    void stop();

 private:
    // Shared with the reads under way. Read by one background thread at a time: `busy`.
    struct Open {
        std::unique_ptr<storage::SnapshotSource> source;  // empty until it was opened
        Time last_use;
        bool busy = false;
        std::vector<std::pair<SnapshotFetch, HostName>> waiting;
    };
    using OpenPtr = std::shared_ptr<Open>;
    struct ReadPiece {
        std::uint64_t total = 0;
        Bytes bytes;
    };

    void read_next(EntryId snapshot, const OpenPtr& open);
    void close_idle();

    Environment env_;
    std::map<EntryId, OpenPtr> open_;
    bool sweeping_ = false;
    bool stopped_ = false;
};

}  // namespace quorate::group
