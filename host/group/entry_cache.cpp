#include "host/group/entry_cache.hpp"

#include "host/base/check.hpp"

namespace quorate::group {

void EntryCache::follow(const raft::Store& store) {
    if (store.reset) reset(store.reset->index.next());
    if (store.truncate_from) truncate(*store.truncate_from);
    for (const raft::Entry& entry : store.entries) append(entry);
}

void EntryCache::reset(Index next) {
    entries_.clear();
    bytes_ = 0;
    first_ = next;
}

void EntryCache::truncate(Index from) {
    if (from <= first_) return reset(from);
    while (next() > from) {
        bytes_ -= size_of(entries_.back());
        entries_.pop_back();
    }
}

void EntryCache::append(const raft::Entry& entry) {
    CHECK(entry.id.index == next(), "a store leaves a gap in the log");
    bytes_ += size_of(entry);
    entries_.push_back(entry);
}

bool EntryCache::trim(std::uint64_t max_bytes, Index limit) {
    bool dropped = false;
    while (bytes_ > max_bytes && !entries_.empty() && first_ < limit) {
        bytes_ -= size_of(entries_.front());
        entries_.pop_front();
        first_ = first_.next();
        dropped = true;
    }
    return dropped;
}

}  // namespace quorate::group
