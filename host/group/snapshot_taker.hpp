#pragma once

#include "host/group/applier.hpp"
#include "host/group/background.hpp"
#include "host/group/group.hpp"
#include "host/group/member.hpp"

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

namespace quorate::group {

// Takes snapshots of the machine, by itself and when asked, hashes its state, and owns the member's
// one place for a snapshot in the making. A snapshot that is received goes first: it cancels
// one being taken, and the late end of that one changes nothing (ra.md P6).
//
// Thread: the shard; saving and hashing run on background threads.
class SnapshotTaker {
 public:
    struct Environment {
        Member& member;
        Background& background;
        storage::SnapshotStore& snapshots;
        storage::LogStore& log;
        Applier& applier;
        const GroupOptions& options;
        const Registration& registration;
        const HostName& host;
    };
    struct Hash {
        EntryId at;
        std::uint64_t outcome_hash = 0;
        std::string state;  // 32 hex digits over the canonical stream of the state
    };

    explicit SnapshotTaker(Environment environment) : env_(environment) {}

    // A snapshot of the state as it is. Errc::snapshot_busy while one is made or received; the
    // machine's error if there is none.
    void take(Reply<SnapshotSummary> done);
    void hash(Reply<Hash> done);
    // Entries were applied: takes a snapshot if it is time.
    void state_moved();
    // The machine goes: its view must end soon.
    void machine_leaves() { cancel(); }

    // The place is wanted for a snapshot that is received; `granted` runs when it is free.
    void claim(Task granted);
    void release();
    // Nothing more is begun; what waits for the place is answered.
    void stop(const Error& why);

    SnapshotSummary summary(const storage::SnapshotInfo& info) const;

 private:
    struct ViewJob {
        std::shared_ptr<machine::Machine> machine;  // outlives its view
        std::unique_ptr<machine::View> view;
        std::atomic<bool> cancel = false;
    };
    using Job = std::shared_ptr<ViewJob>;
    enum class Place : std::uint8_t { free, taking, receiving };

    Result<Job> open_view();
    void begin(Reply<SnapshotSummary> done);
    void saved(Result<storage::SnapshotInfo> result, const Reply<SnapshotSummary>& done);
    void compact(const storage::SnapshotInfo& info);
    void start_hash();
    void view_ended();
    void cancel();
    storage::SnapshotMeta meta() const;

    Environment env_;
    Place place_ = Place::free;
    Task waiting_claim_;
    Job job_;  // the one view that is open
    std::vector<Reply<Hash>> hashes_;
    Index attempted_;  // the last entry at which a snapshot was begun
    std::optional<Error> stopped_;
};

}  // namespace quorate::group
