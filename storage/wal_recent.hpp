#pragma once

#include "host/base/check.hpp"
#include "host/raft/types.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace quorate::storage {

// One entry that has not settled, and where the log holds it.
struct Slot {
    Term term;
    std::uint64_t file = 0;
    std::uint64_t offset = 0;  // of the payload
    std::uint32_t length = 0;
    std::uint32_t crc = 0;
    raft::EntryKind kind = raft::EntryKind::command;
};

// The newest entries of a group, consecutive, up to its last one.
class Recent {
 public:
    bool empty() const { return head_ == slots_.size(); }
    std::size_t size() const { return slots_.size() - head_; }
    // Pre: not empty.
    Index first() const { return first_; }
    // The slot of an entry, or nothing if it is not here.
    Slot* find(Index index) {
        if (empty() || index < first_ || index - first_ >= size()) return nullptr;
        return &slots_[head_ + (index - first_)];
    }
    const Slot* find(Index index) const { return const_cast<Recent*>(this)->find(index); }

    // Pre: empty, or index follows the last one.
    void push(Index index, Slot slot) {
        if (empty()) {
            clear();
            first_ = index;
        }
        CHECK(index - first_ == size(), "entries of a group are consecutive");
        slots_.push_back(std::move(slot));
    }
    void truncate_from(Index from) {
        if (empty()) return;
        std::uint64_t keep = from <= first_ ? 0 : std::min<std::uint64_t>(from - first_, size());
        slots_.resize(head_ + keep);
    }
    // Drops entries up to and including this one.
    void drop_to(Index index) {
        while (!empty() && first_ <= index) drop_first();
        shrink();
    }
    // Drops entries that lie in files up to and including this one.
    void drop_files(std::uint64_t file) {
        while (!empty() && slots_[head_].file <= file) drop_first();
        shrink();
    }
    void clear() {
        slots_.clear();
        head_ = 0;
    }

 private:
    void drop_first() {
        ++head_;
        first_ = first_.next();
    }
    void shrink() {
        if (empty()) {
            slots_ = {};
            head_ = 0;
        } else if (head_ > slots_.size() / 2) {
            slots_.erase(slots_.begin(), slots_.begin() + static_cast<std::ptrdiff_t>(head_));
            head_ = 0;
        }
    }

    std::vector<Slot> slots_;
    std::size_t head_ = 0;  // slots before it are dropped
    Index first_;
};

}  // namespace quorate::storage
