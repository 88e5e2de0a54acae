#pragma once

#include "host/base/result.hpp"
#include "host/raft/types.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace quorate::storage {

// What a snapshot says of itself. Written beside its data, checksummed, and sent before it.
struct SnapshotMeta {
    GroupId group;
    Epoch epoch;
    EntryId last;                 // the last entry it covers
    raft::Membership membership;  // at last.index, not at the time of writing
    std::string machine;          // the machine type's name
    std::uint32_t machine_version = 0;
    std::string build;               // SHA-256 of the plugin, hex
    std::uint64_t outcome_hash = 0;  // chain over replies and effects up to last.index
    std::int64_t time_ms = 0;        // replicated clock at last.index
    Bytes host_state;  // the driver's replicated state (timers, sessions): opaque here
    friend bool operator==(const SnapshotMeta&, const SnapshotMeta&) = default;
};

struct SnapshotInfo {
    SnapshotMeta meta;
    std::uint64_t bytes = 0;      // on disk
    std::uint64_t raw_bytes = 0;  // as the machine wrote it
};

// Receives a machine's snapshot stream. Thread: one background thread.
class SnapshotWriter {
 public:
    virtual ~SnapshotWriter() = default;  // without commit(): leaves nothing behind
    virtual Result<void> write(ByteView bytes) = 0;
    // Data, metadata and directory are synced and the snapshot is renamed into place: it exists
    // from then on, or not at all.
    virtual Result<SnapshotInfo> commit() = 0;
};

// Reads a snapshot's stream back, each chunk verified before a byte of it is handed out.
class SnapshotReader {
 public:
    virtual ~SnapshotReader() = default;
    virtual const SnapshotMeta& meta() const = 0;
    // Up to `into.size()` bytes; 0 at the end. Errc::corrupt names file and offset.
    virtual Result<std::size_t> read(std::span<std::byte> into) = 0;
};

// A snapshot's bytes as they lie on disk, for sending: header, metadata and chunks as one run of
// bytes with one length, so that a transfer can resume at any offset.
class SnapshotSource {
 public:
    virtual ~SnapshotSource() = default;
    virtual std::uint64_t size() const = 0;
    virtual Result<Bytes> read_at(std::uint64_t offset, std::uint64_t count) = 0;
};

// Collects a snapshot that arrives in pieces; keeps what came so far if dropped before commit(),
// so that a later transfer of the same snapshot resumes.
class SnapshotReceiver {
 public:
    virtual ~SnapshotReceiver() = default;
    virtual std::uint64_t received() const = 0;  // the next offset wanted
    // Errc::request_invalid if offset is not received(); bytes of a repeated piece are ignored.
    virtual Result<void> accept(std::uint64_t offset, ByteView bytes) = 0;
    // Verifies every checksum and that the metadata names this group and `expected`; then as
    // SnapshotWriter::commit(). Errc::corrupt leaves nothing behind.
    virtual Result<SnapshotInfo> commit(EntryId expected) = 0;
};

// The snapshots of all groups of a system, a directory each. Slots have one owner: the group's
// driver; at most one writer or receiver per group at a time (ra's slot bug, ra.md P6).
// Thread: any, but one thread at a time per group; every call may block on the disk.
class SnapshotStore {
 public:
    virtual ~SnapshotStore() = default;
    virtual Result<std::unique_ptr<SnapshotWriter>> begin(SnapshotMeta meta) = 0;
    virtual Result<std::unique_ptr<SnapshotReceiver>> receive(GroupId group, EntryId last) = 0;
    // Complete snapshots of a group, newest first. Those that fail their checks are set aside
    // (renamed, not deleted) and said in the log, not listed.
    virtual Result<std::vector<SnapshotInfo>> list(GroupId group) = 0;
    virtual Result<std::unique_ptr<SnapshotReader>> open(GroupId group, EntryId last) = 0;
    virtual Result<std::unique_ptr<SnapshotSource>> source(GroupId group, EntryId last) = 0;
    // Removes all but the newest `keep`; a snapshot that a reader or source has open goes when it is closed.
    virtual Result<void> prune(GroupId group, std::size_t keep) = 0;
    virtual Result<void> erase(GroupId group) = 0;
    // Groups that have a directory here, for the start-up sweep of erased ones.
    virtual Result<std::vector<GroupId>> groups() = 0;
};

}  // namespace quorate::storage
