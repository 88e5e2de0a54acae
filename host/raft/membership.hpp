#pragma once

#include "host/raft/types.hpp"

#include <optional>

namespace quorate::raft {

// The payload of a membership entry: deterministic, versioned, documented in docs/formats/log.md.
Bytes encode(const Membership& membership);

// Nothing if the bytes are not a valid membership (see Membership's invariant).
std::optional<Membership> decode_membership(ByteView payload);

const Member* find(const Membership& membership, MemberId id);
bool is_voter(const Membership& membership, MemberId id);

}  // namespace quorate::raft
