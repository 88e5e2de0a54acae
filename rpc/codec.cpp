#include "rpc/codec.hpp"

#include "rpc/decode_messages.hpp"
#include "rpc/encode_messages.hpp"
#include "rpc/loop/frame.hpp"
#include "rpc/values.hpp"

#include <capnp/message.h>
#include <capnp/serialize.h>

#include <algorithm>
#include <rpc/schema/peer.capnp.h>
#include <string_view>

namespace quorate::rpc {

const std::uint16_t protocol_best = schema::PEER_PROTOCOL;
const std::uint16_t protocol_oldest = schema::PEER_PROTOCOL_OLDEST;

namespace {

constexpr int nesting_limit = 16;
constexpr std::size_t address_length_max = 256;
constexpr std::size_t name_length_max = 64;

// ---- to the wire ------------------------------------------------------------------------------

void put(const group::KnownHost& host, schema::KnownHost::Builder out) {
    out.setName(host.name);
    out.setPeerAddress(host.peer_address);
    out.setClientAddress(host.client_address);
}

void put(const std::vector<group::KnownHost>& hosts, capnp::List<schema::KnownHost>::Builder out) {
    for (unsigned i = 0; i < hosts.size(); ++i) put(hosts[i], out[i]);
}

void put(const Hello& hello, schema::Hello::Builder out) {
    const auto& [best, oldest, software, cluster, incarnation, self, hosts, lane] = hello;
    out.setProtocol(best);
    out.setProtocolOldest(oldest);
    out.setSoftware(software);
    out.setCluster(cluster);
    out.setIncarnation(incarnation);
    put(self, out.initSelf());
    put(hosts, out.initHosts(count(hosts.size())));
    out.setLane(lane);
}

void put(const Hello& hello, schema::PeerFrame::Builder out) {
    put(hello, out.initHello());
}
void put(const Accepted& accepted, schema::PeerFrame::Builder out) {
    put(accepted.hello, out.initWelcome().initAccepted());
}
void put(const RefusedHello& refused, schema::PeerFrame::Builder out) {
    encode(refused.why, out.initWelcome().initRefused());
}
void put(std::span<const group::PeerMessage> messages, schema::PeerFrame::Builder out) {
    auto list = out.initBatch(count(messages.size()));
    for (unsigned i = 0; i < messages.size(); ++i) encode(messages[i], list[i]);
}
void put(const Batch& batch, schema::PeerFrame::Builder out) {
    put(std::span<const group::PeerMessage>(batch.messages), out);
}
void put(const Hosts& hosts, schema::PeerFrame::Builder out) {
    put(hosts.hosts, out.initHosts(count(hosts.hosts.size())));
}
void put(const Ping& ping, schema::PeerFrame::Builder out) {
    out.setPing(ping.number);
}
void put(const Pong& pong, schema::PeerFrame::Builder out) {
    out.setPong(pong.number);
}

// The builder's segments as they are, behind their table.
std::vector<Bytes> pieces_of(std::shared_ptr<capnp::MallocMessageBuilder> builder) {
    auto segments = builder->getSegmentsForOutput();
    std::vector<std::uint32_t> sizes;
    for (auto segment : segments) sizes.push_back(static_cast<std::uint32_t>(segment.size()));
    std::vector<Bytes> pieces{Bytes::take(loop::make_frame_table(sizes))};
    for (auto segment : segments) {
        auto bytes = segment.asBytes();
        pieces.emplace_back(
            builder, ByteView(reinterpret_cast<const std::byte*>(bytes.begin()), bytes.size()));
    }
    return pieces;
}

template <class Content>
std::vector<Bytes> encode_into(std::size_t bytes, const Content& content) {
    auto builder = std::make_shared<capnp::MallocMessageBuilder>(count(bytes / 8 + 16));
    put(content, builder->initRoot<schema::PeerFrame>());
    return pieces_of(std::move(builder));
}

// ---- sizes ------------------------------------------------------------------------------------

// Structs, pointers and texts of a message, generously; what can be large is added to it.
constexpr std::size_t fixed_bytes = 320;

std::size_t padded(const Bytes& payload) {
    return payload.size() + 16;
}
std::size_t padded(const std::string& text) {
    return text.size() + 24;
}

std::size_t variable_bytes(const raft::AppendEntries& append) {
    std::size_t bytes = 0;
    for (const raft::Entry& entry : append.entries) bytes += 24 + padded(entry.payload);
    return bytes;
}
std::size_t variable_bytes(const raft::SnapshotOffer& offer) {
    std::size_t bytes = 0;
    for (const raft::Member& member : offer.membership.members) bytes += 32 + padded(member.host);
    return bytes;
}
std::size_t variable_bytes(const group::RaftEnvelope& envelope) {
    if (const auto* append = std::get_if<raft::AppendEntries>(&envelope.message)) {
        return variable_bytes(*append);
    }
    const auto* offer = std::get_if<raft::SnapshotOffer>(&envelope.message);
    return offer == nullptr ? 0 : variable_bytes(*offer);
}
std::size_t variable_bytes(const group::SnapshotFetch&) {
    return 0;
}
std::size_t variable_bytes(const group::SnapshotPiece& piece) {
    return padded(piece.bytes);
}

std::size_t variable_bytes(const group::Beat&) {
    return 0;
}
std::size_t variable_bytes(const group::LeaderCheck& check) {
    return 24 * check.of.size();
}

std::size_t variable_bytes(const group::Request& request) {
    if (const auto* submit = std::get_if<group::SubmitRequest>(&request.body)) {
        return padded(submit->payload);
    }
    if (const auto* query = std::get_if<group::QueryRequest>(&request.body))
        return padded(query->query);
    if (const auto* start = std::get_if<group::StartMemberRequest>(&request.body)) {
        return padded(start->registration);
    }
    if (const auto* locate = std::get_if<group::LocateRequest>(&request.body)) {
        return padded(locate->name);
    }
    return 256;  // hosts' names, hashes
}

std::size_t variable_bytes(const Error& error) {
    return padded(error.what) + error.advice().size() + 64;
}
std::size_t variable_bytes(const group::Outcome& outcome) {
    if (const auto* applied = std::get_if<group::Applied>(&outcome)) return padded(applied->reply);
    if (const auto* refused = std::get_if<group::NotApplied>(&outcome)) {
        return variable_bytes(refused->error) + padded(refused->leader);
    }
    return variable_bytes(std::get<group::Unknown>(outcome).error);
}
std::size_t variable_bytes(const std::vector<std::string>& texts) {
    std::size_t bytes = 8;
    for (const std::string& text : texts) bytes += padded(text);
    return bytes;
}
std::size_t variable_bytes(const group::MemberStatus& status) {
    std::size_t bytes = 512 + status.name.size() + status.host.size() + status.trouble.size();
    bytes +=
        status.machine.plugin.size() + status.machine.build.size() + status.machine.machine.size();
    bytes += status.leader.size() + (status.state_hash ? status.state_hash->size() : 0);
    for (const group::PeerProgress& peer : status.members) {
        bytes += 64 + padded(peer.host) + padded(peer.state);
    }
    return bytes;
}
std::size_t variable_bytes(const group::SnapshotSummary& one) {
    return 128 + padded(one.host) + padded(one.machine);
}
std::size_t variable_bytes(const group::PluginSummary& one) {
    return 128 + padded(one.id) + padded(one.version) + padded(one.build) + padded(one.manifest) +
           variable_bytes(one.machines) + variable_bytes(one.usage) + padded(one.host);
}
std::size_t variable_bytes(const group::Done&) {
    return 0;
}
std::size_t variable_bytes(const group::QueryAnswer& answer) {
    return padded(answer.reply) + padded(answer.leader);
}
std::size_t variable_bytes(const group::GroupLocation& location) {
    return padded(location.name) + padded(location.leader) + variable_bytes(location.hosts);
}
template <class Value>
std::size_t variable_bytes(const std::vector<Value>& values) {
    std::size_t bytes = 0;
    for (const Value& value : values) bytes += variable_bytes(value);
    return bytes;
}
std::size_t variable_bytes(const group::Piece& piece) {
    return padded(piece.bytes);
}
std::size_t variable_bytes(const EntryId&) {
    return 0;
}

std::size_t variable_bytes(const group::Response& response) {
    if (response.failed) return variable_bytes(response.error);
    return std::visit([](const auto& body) { return variable_bytes(body); }, response.body);
}

// ---- from the wire ------------------------------------------------------------------------------

// As names of hosts are given: what else would be written into logs, files and labels is kept out.
std::string host_name(capnp::Text::Reader in) {
    std::string name = Source::text(in);
    auto plain = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    };
    auto allowed = [&plain](char c) {
        return plain(c) || std::string_view("._-").find(c) != std::string_view::npos;
    };
    bool good = !name.empty() && name.size() <= name_length_max && plain(name.front()) &&
                std::ranges::all_of(name, allowed);
    if (!good) throw Refused("a host's name that is none");
    return name;
}

std::string address(capnp::Text::Reader in) {
    std::string text = Source::text(in);
    auto printable = [](char c) { return c > ' ' && c < '\x7f'; };
    if (text.size() > address_length_max || !std::ranges::all_of(text, printable)) {
        throw Refused("an address that is none");
    }
    return text;
}

group::KnownHost known_host(schema::KnownHost::Reader in) {
    return {.name = host_name(in.getName()),
            .peer_address = address(in.getPeerAddress()),
            .client_address = address(in.getClientAddress())};
}

std::vector<group::KnownHost> known_hosts(capnp::List<schema::KnownHost>::Reader in) {
    std::vector<group::KnownHost> out;
    for (auto host : in) out.push_back(known_host(host));
    return out;
}

Hello hello(schema::Hello::Reader in) {
    return {.protocol = in.getProtocol(),
            .protocol_oldest = in.getProtocolOldest(),
            .software = Source::text(in.getSoftware()),
            .cluster = Source::text(in.getCluster()),
            .incarnation = named<std::uint64_t>(in.getIncarnation(), "run"),
            .self = known_host(in.getSelf()),
            .hosts = known_hosts(in.getHosts()),
            .lane = in.getLane()};
}

PeerFrame welcome(schema::Welcome::Reader in) {
    switch (in.which()) {
        case schema::Welcome::ACCEPTED:
            return Accepted{hello(in.getAccepted())};
        case schema::Welcome::REFUSED:
            return RefusedHello{decode(in.getRefused())};
    }
    throw Refused("an unknown kind of welcome");
}

Batch batch(capnp::List<schema::PeerMessage>::Reader in, const Source& source) {
    Batch out;
    for (auto message : in) out.messages.push_back(decode(message, source));
    return out;
}

PeerFrame decode_root(schema::PeerFrame::Reader in, const Source& source) {
    switch (in.which()) {
        case schema::PeerFrame::HELLO:
            return hello(in.getHello());
        case schema::PeerFrame::WELCOME:
            return welcome(in.getWelcome());
        case schema::PeerFrame::BATCH:
            return batch(in.getBatch(), source);
        case schema::PeerFrame::HOSTS:
            return Hosts{known_hosts(in.getHosts())};
        case schema::PeerFrame::PING:
            return Ping{in.getPing()};
        case schema::PeerFrame::PONG:
            return Pong{in.getPong()};
    }
    throw Refused("an unknown kind of frame");
}

}  // namespace

std::vector<Bytes> encode_frame(const PeerFrame& frame) {
    std::size_t bytes = 1024;
    if (const auto* messages = std::get_if<Batch>(&frame)) return encode_batch(messages->messages);
    return std::visit([bytes](const auto& content) { return encode_into(bytes, content); }, frame);
}

std::vector<Bytes> encode_batch(std::span<const group::PeerMessage> messages) {
    std::size_t bytes = 0;
    for (const group::PeerMessage& message : messages) bytes += wire_bytes(message);
    return encode_into(bytes, messages);
}

std::size_t wire_bytes(const group::PeerMessage& message) {
    return fixed_bytes + std::visit([](const auto& one) { return variable_bytes(one); }, message);
}

Result<PeerFrame> decode_frame(const Bytes& frame) {
    try {
        kj::ArrayPtr<const capnp::word> words(
            reinterpret_cast<const capnp::word*>(frame.view().data()), frame.size() / 8);
        // Every word is read once; twice is for pointers that lead to the same place.
        capnp::ReaderOptions limits{.traversalLimitInWords = 2 * words.size() + 1024,
                                    .nestingLimit = nesting_limit};
        capnp::FlatArrayMessageReader reader(words, limits);
        return decode_root(reader.getRoot<schema::PeerFrame>(), Source(frame));
    } catch (const Refused& refused) {
        return fail(Errc::protocol, std::string("the frame holds ") + refused.what());
    } catch (const kj::Exception& broken) {
        return fail(Errc::protocol,
                    std::string("the frame is broken: ") + broken.getDescription().cStr());
    }
}

}  // namespace quorate::rpc
