#pragma once

#include "rpc/client/types.hpp"

#include <capnp/list.h>

#include <rpc/schema/client.capnp.h>

// From the schema's messages to the library's values. What a newer server says and this build does
// not know is kept as far as it can be shown: unknown error numbers, unknown enumerators.
namespace quorate::client {

Error decode(schema::Failure::Reader failure);
Outcome decode(schema::Outcome::Reader outcome);
Result<Answer> decode(schema::Answer::Reader answer);
EntryId decode(schema::EntryId::Reader entry);
GroupLocation decode(schema::GroupLocation::Reader location);
MemberAnswer decode(schema::MemberAnswer::Reader answer);
SnapshotSummary decode(schema::SnapshotSummary::Reader snapshot);
PluginSummary decode(schema::PluginSummary::Reader plugin);
HostSummary decode(schema::HostSummary::Reader host);

template <class T>
auto decode_list(typename capnp::List<T>::Reader list) {
    std::vector<decltype(decode(list[0]))> values;
    values.reserve(list.size());
    for (auto item : list) values.push_back(decode(item));
    return values;
}

schema::ReadLevel encode(ReadLevel level);
schema::VoteKind encode(VoteKind kind);

}  // namespace quorate::client
