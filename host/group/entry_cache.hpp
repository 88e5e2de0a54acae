#pragma once

#include "host/base/ring.hpp"
#include "host/raft/types.hpp"

namespace quorate::group {

// The newest entries of a member's log, as one run that ends with the log: what followers and
// the machine are served from without a read of the log store. Payloads are shared, not copied.
//
// Invariant: entry first() + i is held at position i; when empty, first() is the next entry's index.
// Thread: the shard.
class EntryCache {
 public:
    // Empty, below an entry that is not there yet.
    explicit EntryCache(Index next) : first_(next) {}

    // Follows the log: drops, truncates, appends as the store says.
    void follow(const raft::Store& store);

    Index first() const { return first_; }
    Index next() const { return first_ + entries_.size(); }
    std::uint64_t bytes() const { return bytes_; }
    bool holds(Index index) const { return index >= first_ && index < next(); }
    // Until the next follow() or trim(). Pre: holds(index).
    const raft::Entry& at(Index index) const { return entries_[index - first_]; }

    // Drops entries from the old end, none at or above `limit`, until at most `max_bytes` are
    // held. True if any went.
    bool trim(std::uint64_t max_bytes, Index limit);

 private:
    // What an entry occupies: its payload and its own description.
    static std::uint64_t size_of(const raft::Entry& entry) {
        return entry.payload.size() + sizeof(raft::Entry);
    }
    void reset(Index next);
    void truncate(Index from);
    void append(const raft::Entry& entry);

    Index first_;
    Ring<raft::Entry> entries_;
    std::uint64_t bytes_ = 0;
};

}  // namespace quorate::group
