#pragma once

#include "rpc/client/connections.hpp"

// Queries of one group that are asked in one turn leave in one call: a call costs both sides more than the
// queries that it carries. Thread: the client's.
namespace quorate::client {

// Asks it with the others, at the end of the turn. Fails with a kj exception, as a call of its own would.
kj::Promise<Result<Answer>> ask_together(Connections& connections, const LinkPtr& link,
                                         const GroupCap& group, ReadLevel level, Bytes query,
                                         Time deadline);

// Alone, in a call of its own, which no other query's time delays.
kj::Promise<Result<Answer>> ask_alone(const GroupCap& group, ReadLevel level, Index at_least,
                                      const Bytes& query, std::uint32_t timeout_ms);

}  // namespace quorate::client
