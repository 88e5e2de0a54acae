#pragma once

#include "host/group/messages.hpp"
#include "host/group/transport.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

// What hosts send each other, as values, to Cap'n Proto frames and back (rpc/schema/peer.capnp,
// docs/formats/peer.md). This is the only code that reads what a peer sent.
namespace quorate::rpc {

struct Hello {
    std::uint16_t protocol = 0;         // the sender's best
    std::uint16_t protocol_oldest = 0;  // the oldest it still speaks
    std::string software;
    std::string cluster;
    std::uint64_t incarnation = 0;  // random, of this run of the process
    group::KnownHost self;          // `connected` is not sent
    std::vector<group::KnownHost> hosts;
    std::uint16_t lane = 0;  // a host may dial once per shard
};
struct Accepted {
    Hello hello;
};
struct RefusedHello {
    Error why;
};
struct Batch {
    std::vector<group::PeerMessage> messages;
};
struct Hosts {
    std::vector<group::KnownHost> hosts;
};
struct Ping {
    std::uint64_t number = 0;
};
struct Pong {
    std::uint64_t number = 0;
};
using PeerFrame = std::variant<Hello, Accepted, RefusedHello, Batch, Hosts, Ping, Pong>;

// What this build speaks.
extern const std::uint16_t protocol_best;
extern const std::uint16_t protocol_oldest;

// A frame as it goes on the wire, in pieces that are sent one after another. Payloads were copied
// once, into it.
std::vector<Bytes> encode_frame(const PeerFrame& frame);
std::vector<Bytes> encode_batch(std::span<const group::PeerMessage> messages);

// About what a message takes in a frame; never less.
std::size_t wire_bytes(const group::PeerMessage& message);

// Pre: `frame` is one whole frame, 8-byte aligned, its table checked (loop/frame.hpp).
// Payloads are slices of `frame`. What is returned keeps every promise that host/raft/types.hpp and
// host/group/messages.hpp make about received messages: ids that are not 0, entries that run from prev
// to last with terms that never fall, enumerators in range, memberships that decode. Everything else
// is Errc::protocol, and the sender's connection is not worth keeping.
Result<PeerFrame> decode_frame(const Bytes& frame);

}  // namespace quorate::rpc
