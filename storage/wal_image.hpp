#pragma once

#include "host/raft/types.hpp"
#include "storage/log_store.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace quorate::storage {

// What is to be known of a group at one point of the write-ahead log, payloads excepted.
//
// Invariant: base.index <= last; runs cover (base.index, last] with ascending terms, and so do
// `memberships`, without gaps in the first case.
struct GroupImage {
    Bytes registration;
    raft::HardState hard;
    EntryId base;  // as RecoveredLog::base
    Index last;
    std::vector<raft::TermRun> runs;
    std::vector<Index> memberships;              // where membership entries are
    std::uint64_t chain = 0;                     // link of the group's newest record
    std::optional<RecoveredLog::Damage> damage;  // until `repaired`

    // Pre: index == last + 1.
    void append(EntryId id, raft::EntryKind kind);
    void truncate_from(Index from);
    void reset(EntryId to);
    // Past the last entry it releases up to there: what follows is not known here.
    void release(Index up_to);
    // 0 outside of (base.index, last].
    Term term_at(Index index) const;

    friend bool operator==(const GroupImage&, const GroupImage&);
};

inline constexpr std::uint8_t image_format = 1;  // its first byte
std::string encode(const GroupImage& image);
std::optional<GroupImage> decode_image(ByteView bytes);

using Images = std::unordered_map<GroupId, GroupImage>;

}  // namespace quorate::storage
