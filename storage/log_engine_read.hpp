#pragma once

#include "storage/audit.hpp"
#include "storage/log_engine_request.hpp"
#include "storage/settled_log.hpp"
#include "storage/wal_recent.hpp"

#include <functional>
#include <memory>
#include <vector>

namespace quorate::storage {

// Where a read's entries are, as the engine knew when it was asked: a settled part, then slots.
struct ReadPlan {
    request::Read read;
    Index
        settled_to;  // entries from read.from up to here have settled; none if it is below read.from
    struct Piece {
        Index index;
        Slot slot;
    };
    std::vector<Piece> pieces;
};

// What the engine knows of a group's log as it stands, and where the rest is to be found.
struct RecoverPlan {
    RecoveredLog log;  // without runs and memberships
    Index settled_to;  // entries after the base up to here have settled
    std::vector<raft::TermRun> recent_runs;
    std::vector<ReadPlan::Piece> memberships;  // of those that have not settled
};

// Thread: the reading thread.
class LogReader {
 public:
    LogReader(Files& files, LogPaths paths, SettledLog& settled)
        : files_(files), paths_(std::move(paths)), settled_(settled) {}

    // Errc::corrupt or not_found may also mean that entries have moved since the plan was made: then
    // a new plan finds them.
    Result<std::vector<raft::Entry>> run(const ReadPlan& plan);
    // The same.
    Result<RecoveredLog> run(const RecoverPlan& plan);

 private:
    Result<raft::Entry> entry(const ReadPlan::Piece& piece);
    Result<Bytes> payload(const Slot& slot);
    Result<void> open(std::uint64_t file);
    Result<ByteView> window(std::uint64_t offset, std::uint64_t length);

    Files& files_;
    const LogPaths paths_;
    SettledLog& settled_;
    // The file read last, and a window of it: a group's entries lie near each other.
    std::uint64_t file_ = 0;
    std::unique_ptr<File> handle_;
    std::vector<std::byte> window_;
    std::uint64_t window_at_ = 0;
};

}  // namespace quorate::storage
