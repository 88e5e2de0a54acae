#pragma once

#include "host/base/result.hpp"
#include "storage/settled_run.hpp"
#include "storage/wal_image.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace quorate::storage {

// How far the write-ahead log has settled.
struct SettledMark {
    std::uint64_t file = 0;   // all files up to this sequence number; 0: none
    std::uint64_t batch = 0;  // the last batch in them
    friend bool operator==(const SettledMark&, const SettledMark&) = default;
};

struct SettledState {
    SettledMark mark;
    Images images;  // as of the end of mark.file
};

// Where entries go when their file is full: found again by (group, index). Also holds the groups'
// images as of the last file settled.
//
// Nothing is durable until checkpoint() returns; a crash falls back to the checkpoint before, whole.
// Every error is Errc::io or corrupt and final: the process stops and recovers.
//
// Thread: one that writes (everything but read) and one that reads.
class SettledLog {
 public:
    virtual ~SettledLog() = default;

    // What the last checkpoint holds.
    virtual Result<SettledState> load() = 0;

    // Pre: the run is not empty, and comes after all that is there of the group.
    virtual Result<void> put(GroupId group, const Run& run) = 0;
    // Entries from `from` on are gone.
    virtual Result<void> truncate(GroupId group, Index from) = 0;
    // Entries up to `to` will not be asked for again: they may go, now or later.
    virtual Result<void> release(GroupId group, Index to) = 0;
    virtual Result<void> put_image(GroupId group, const GroupImage& image) = 0;
    // The group's image and all of its entries.
    virtual Result<void> erase(GroupId group) = 0;
    virtual Result<void> checkpoint(SettledMark mark) = 0;

    // Entries [from, to], as many as fit max_bytes but at least one, and none after a gap.
    // Errc::not_found if `from` is not there.
    virtual Result<std::vector<raft::Entry>> read(GroupId group, Index from, Index to,
                                                  std::uint64_t max_bytes) = 0;
};

// The place that holds a settled log. Thread: one, while the store opens.
class SettledHome {
 public:
    virtual ~SettledHome() = default;
    virtual Result<bool> exists() = 0;
    // A new, empty one: there whole, or not at all.
    virtual Result<std::unique_ptr<SettledLog>> create() = 0;
    // The one that exists, with every checksum verified. Errc::corrupt says what is wrong with it;
    // nothing of it is open then. Errc::io, disk_full: it cannot be opened now, and may be sound.
    virtual Result<std::unique_ptr<SettledLog>> open() = 0;
    // What open() found wrong and could put right, with nothing lost. Empty: nothing.
    virtual std::string complaint() const { return {}; }
    // Renames it out of the way, durably; returns where to.
    virtual Result<std::string> set_aside() = 0;
};

}  // namespace quorate::storage
