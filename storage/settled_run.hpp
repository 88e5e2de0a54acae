#pragma once

#include "host/raft/types.hpp"
#include "storage/wal_bytes.hpp"

#include <optional>
#include <vector>

namespace quorate::storage {

// Entries that follow one another, as the settled log keeps them in one row (docs/formats/log.md): a row of a
// B-tree costs a search, a place in a page and a tombstone, whatever it holds.
class Run {
 public:
    // Whether this payload still belongs in the row; the first one does, whatever its size.
    bool has_room_for(ByteView payload) const;
    // Pre: it follows the last one.
    void add(EntryId id, raft::EntryKind kind, ByteView payload);

    bool empty() const { return row_.text().empty(); }
    Index first() const { return first_; }
    ByteView row() const { return as_bytes(row_.text()); }

 private:
    Index first_;
    Index next_;
    ByteWriter row_;
};

// The entries of a row that begins with `first`; they share its memory. Nothing: it does not decode.
std::optional<std::vector<raft::Entry>> decode_run(const Bytes& row, Index first);

}  // namespace quorate::storage
