#pragma once

#include "host/group/messages.hpp"

#include <rpc/schema/peer.capnp.h>

namespace quorate::rpc {

void encode(const group::PeerMessage& message, schema::PeerMessage::Builder out);

}  // namespace quorate::rpc
