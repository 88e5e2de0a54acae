#pragma once

#include "host/group/service.hpp"
#include "host/group/status.hpp"

#include <cstddef>
#include <rpc/schema/client.capnp.h>
#include <stdexcept>
#include <string>
#include <vector>

// The values that clients and peers both see, to Cap'n Proto and back. A new alternative of a variant or a
// new field of an encoded struct does not compile until it has its place here.
namespace quorate::rpc {

// Thrown by the decoders below for what no honest sender sends; caught by decode_frame(), so that it never
// leaves rpc/.
class Refused : public std::runtime_error {
 public:
    using std::runtime_error::runtime_error;
};

// The message being read: hands out its texts and bytes.
class Source {
 public:
    explicit Source(const Bytes& frame) : frame_(frame) {}
    // A slice of the message's own buffer, not a copy.
    Bytes bytes(capnp::Data::Reader data) const;
    static std::string text(capnp::Text::Reader text);

 private:
    const Bytes& frame_;
};

inline capnp::Data::Reader data(ByteView bytes) {
    return {reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size()};
}
inline ByteView view(capnp::Data::Reader data) {
    return {reinterpret_cast<const std::byte*>(data.begin()), data.size()};
}

// The size of a list, as Cap'n Proto takes it.
inline unsigned count(std::size_t size) {
    return static_cast<unsigned>(size);
}

// ---- to the wire ------------------------------------------------------------------------------

void encode(const Error& error, schema::Failure::Builder out);
void encode(EntryId id, schema::EntryId::Builder out);
void encode(const group::Outcome& outcome, schema::Outcome::Builder out);
void encode(const group::QueryAnswer& answer, schema::Answer::Builder out);
void encode(const machine::MachineRef& machine, schema::MachineRef::Builder out);
void encode(const group::MemberStatus& status, schema::MemberStatus::Builder out);
void encode(const group::MemberAnswer& answer, schema::MemberAnswer::Builder out);
void encode(const group::GroupLocation& location, schema::GroupLocation::Builder out);
void encode(const group::SnapshotSummary& snapshot, schema::SnapshotSummary::Builder out);
void encode(const group::PluginSummary& plugin, schema::PluginSummary::Builder out);
void encode(const group::HostSummary& host, schema::HostSummary::Builder out);
void encode(const std::vector<std::string>& texts, capnp::List<capnp::Text>::Builder out);

template <class Value, class List>
void encode_all(const std::vector<Value>& values, List out) {
    for (unsigned i = 0; i < values.size(); ++i) encode(values[i], out[i]);
}

schema::ReadLevel to_wire(group::ReadLevel level);
schema::VoteKind to_wire(raft::VoteKind kind);

// ---- from the wire ------------------------------------------------------------------------------

// Throw Refused on an enumerator that this build does not know.
group::ReadLevel from_wire(schema::ReadLevel level);
raft::VoteKind from_wire(schema::VoteKind kind);

// Positions and terms beyond this are refused: no log gets there, a flipped bit does.
inline constexpr std::uint64_t largest_position = 1ull << 62;
Index index(std::uint64_t value);
Term term(std::uint64_t value);
EntryId entry_id(std::uint64_t term, std::uint64_t index);  // {0, 0}, or both at least 1

Error decode(schema::Failure::Reader in);
EntryId decode(schema::EntryId::Reader in);
group::Outcome decode(schema::Outcome::Reader in, const Source& source);
machine::MachineRef decode(schema::MachineRef::Reader in);
group::MemberStatus decode(schema::MemberStatus::Reader in);
group::GroupLocation decode(schema::GroupLocation::Reader in);
group::SnapshotSummary decode(schema::SnapshotSummary::Reader in);
group::PluginSummary decode(schema::PluginSummary::Reader in);
std::vector<std::string> decode(capnp::List<capnp::Text>::Reader in);

}  // namespace quorate::rpc
