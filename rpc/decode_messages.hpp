#pragma once

#include "host/group/messages.hpp"
#include "rpc/values.hpp"

#include <rpc/schema/peer.capnp.h>

namespace quorate::rpc {

// Throws Refused, or kj::Exception where the bytes are no such message at all.
group::PeerMessage decode(schema::PeerMessage::Reader in, const Source& source);

// Defined in decode_requests.cpp.
group::Request decode(schema::Request::Reader in, const Source& source);
group::Response decode(schema::Response::Reader in, const Source& source);

// Ids that name something.
template <class Id>
Id named(std::uint64_t value, const char* what) {
    if (value == 0) throw Refused(std::string("a ") + what + " of 0");
    return Id(value);
}

}  // namespace quorate::rpc
