#pragma once

#include "host/raft/types.hpp"

#include <optional>
#include <vector>

namespace quorate::raft {

// The payload of a membership entry: deterministic, versioned, documented in docs/formats/membership.md.
Bytes encode(const Membership& membership);

// Nothing if the bytes are not a valid membership (see Membership's invariant).
std::optional<Membership> decode_membership(ByteView payload);

// Membership's invariant holds.
bool is_valid(const Membership& membership);

const Member* find(const Membership& membership, MemberId id);
bool is_voter(const Membership& membership, MemberId id);
std::size_t voter_count(const Membership& membership);

// The memberships of a log, each in force from the index of its entry on (§4.1: from when it is
// appended, committed or not).
//
// Invariant: never empty; indexes ascend. The first is the one in force at the snapshot.
class MembershipLog {
 public:
    explicit MembershipLog(Index index, Membership first) { reset(index, std::move(first)); }

    const Membership& active() const { return steps_.back().membership; }
    Index active_since() const { return steps_.back().index; }
    const Membership& at(Index index) const;
    // A voter in the membership in force at `index`, or in a later one.
    bool is_voter_since(Index index, MemberId member) const;
    // Some membership up to `index` names this member.
    bool ever_named(MemberId member, Index until) const;

    void append(Index index, Membership membership);
    void truncate_from(Index from);
    void compact(Index snapshot);
    void reset(Index index, Membership membership);

 private:
    struct Step {
        Index index;
        Membership membership;
    };
    std::vector<Step> steps_;
};

}  // namespace quorate::raft
