#pragma once

#include "host/group/deadlines.hpp"
#include "host/group/snapshot_taker.hpp"

#include <map>
#include <memory>
#include <optional>

namespace quorate::group {

// Pulls a snapshot from another member: keeps a window of pieces asked for, writes what arrives in
// order, asks again after silence, and goes on where an earlier transfer of it ended. Ends in
// SnapshotReceived or SnapshotFailed to the core, unless a later snapshot is wanted first.
//
// Thread: the shard; the disk is written on background threads.
class SnapshotFetcher {
 public:
    struct Environment {
        Member& member;
        Background& background;
        Scheduler& scheduler;
        Deadlines& deadlines;
        storage::SnapshotStore& snapshots;
        GroupLinks& links;
        SnapshotTaker& taker;
        const GroupOptions& options;
        const Registration& registration;
    };
    explicit SnapshotFetcher(Environment environment) : env_(environment) {}

    void fetch(const raft::SnapshotWanted& wanted);
    void receive(SnapshotPiece piece);
    void stop();

 private:
    // Used by one background thread at a time.
    using Receiver = std::shared_ptr<std::unique_ptr<storage::SnapshotReceiver>>;
    struct Transfer {
        MemberId from;
        HostName host;
        EntryId snapshot;
        Receiver receiver;                       // empty until it is open
        std::uint32_t piece = 0;                 // bytes asked for at once
        std::uint64_t stored = 0;                // handed to the receiver
        std::uint64_t asked = 0;                 // everything before it was asked for
        std::uint64_t total = 0;                 // 0: not told yet
        std::map<std::uint64_t, Bytes> arrived;  // by offset, at or above `stored`
        int silent = 0;                          // timeouts since anything arrived
    };

    void begin();
    void opened(Result<Receiver> receiver);
    void ask();
    void ask_for(std::uint64_t offset);
    void arm();
    void silence();
    std::uint64_t held() const;
    void write_arrived();
    void commit();
    void committed(Result<storage::SnapshotInfo> info);
    void fail_transfer(const Error& why);
    void end();

    Environment env_;
    std::optional<Transfer> transfer_;
    std::optional<raft::SnapshotWanted> next_;  // begins when the place and the disk are free
    bool busy_ = false;                         // background work on the receiver
    bool claimed_ = false;
    bool stopped_ = false;
    std::optional<Deadlines::Key> timer_;
};

}  // namespace quorate::group
