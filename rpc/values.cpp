#include "rpc/values.hpp"

#include "rpc/overloaded.hpp"

#include <functional>

namespace quorate::rpc {
namespace {

// Our enumerators and the schema's stand in the same order; the decoders check the range.
template <class Wire, class Ours>
constexpr Wire same_place(Ours value) {
    return static_cast<Wire>(static_cast<std::uint16_t>(value));
}

template <class Ours, class Wire>
Ours in_range(Wire value, Ours last, const char* what) {
    auto number = static_cast<std::uint16_t>(value);
    if (number > static_cast<std::uint16_t>(last)) {
        throw Refused(std::string("an unknown ") + what + " (" + std::to_string(number) + ")");
    }
    return static_cast<Ours>(number);
}

static_assert(same_place<schema::Role>(raft::Role::leader) == schema::Role::LEADER);
static_assert(same_place<schema::VoteKind>(raft::VoteKind::non_voter) ==
              schema::VoteKind::NON_VOTER);
static_assert(same_place<schema::ReadLevel>(group::ReadLevel::linearizable) ==
              schema::ReadLevel::LINEARIZABLE);
static_assert(same_place<schema::MemberState>(group::MemberState::fenced) ==
              schema::MemberState::FENCED);
static_assert(same_place<schema::MemberState>(group::MemberState::stopped) ==
              schema::MemberState::STOPPED);

}  // namespace

// ---- texts and bytes ----------------------------------------------------------------------------

Bytes Source::bytes(capnp::Data::Reader data) const {
    ByteView part = view(data);
    if (part.empty()) return {};
    ByteView whole = frame_.view();
    auto before = std::less<const std::byte*>();
    bool inside = !before(part.data(), whole.data()) &&
                  !before(whole.data() + whole.size(), part.data() + part.size());
    if (!inside) return Bytes::copy_of(part);
    return frame_.slice(static_cast<std::size_t>(part.data() - whole.data()), part.size());
}

std::string Source::text(capnp::Text::Reader text) {
    return {text.begin(), text.size()};
}

// ---- to the wire ------------------------------------------------------------------------------

void encode(const Error& error, schema::Failure::Builder out) {
    const ErrorInfo& info = error_info(error.code);
    out.setCode(static_cast<std::uint16_t>(error.code));
    out.setName(capnp::Text::Reader(info.name.data(), info.name.size()));
    out.setMessage(error.what);
    out.setHint(std::string(error.advice()));
    out.setRetryable(info.retryable);
    out.setRetryAfterMs(error.retry_after_ms);
}

void encode(EntryId id, schema::EntryId::Builder out) {
    out.setTerm(id.term.value());
    out.setIndex(id.index.value());
}

void encode(const group::Outcome& outcome, schema::Outcome::Builder out) {
    std::visit(Overloaded{
                   [&](const group::Applied& applied) {
                       auto into = out.initApplied();
                       encode(applied.entry, into.initEntry());
                       into.setReply(data(applied.reply.view()));
                   },
                   [&](const group::NotApplied& refused) {
                       auto into = out.initNotApplied();
                       encode(refused.error, into.initWhy());
                       into.setLeader(refused.leader);
                   },
                   [&](const group::Unknown& unknown) { encode(unknown.error, out.initUnknown()); },
               },
               outcome);
}

void encode(const group::QueryAnswer& answer, schema::Answer::Builder out) {
    const auto& [at, reply, leader] = answer;
    auto into = out.initReply();
    into.setData(data(reply.view()));
    encode(at, into.initAt());
    into.setLeader(leader);
}

void encode(const machine::MachineRef& machine, schema::MachineRef::Builder out) {
    const auto& [plugin, build, name, version] = machine;
    out.setPlugin(plugin);
    out.setBuild(build);
    out.setMachine(name);
    out.setVersion(version);
}

namespace {

void encode(const group::PeerProgress& peer, schema::PeerProgress::Builder out) {
    const auto& [id, host, kind, match, state] = peer;
    out.setMember(id.value());
    out.setHost(host);
    out.setKind(to_wire(kind));
    out.setMatch(match.value());
    out.setState(state);
}

}  // namespace

void encode(const group::MemberStatus& status, schema::MemberStatus::Builder out) {
    const auto& [group, name, epoch, member, host, machine, state, trouble, role, kind, term,
                 leader, first, last, commit, applied, snapshot, outcome_hash, state_hash, commands,
                 queries, members] = status;
    out.setGroup(group.value());
    out.setName(name);
    out.setEpoch(epoch.value());
    out.setMember(member.value());
    out.setHost(host);
    encode(machine, out.initMachine());
    out.setState(same_place<schema::MemberState>(state));
    out.setTrouble(trouble);
    out.setRole(same_place<schema::Role>(role));
    out.setKind(to_wire(kind));
    out.setTerm(term.value());
    out.setLeader(leader);
    out.setFirst(first.value());
    out.setLast(last.value());
    out.setCommit(commit.value());
    out.setApplied(applied.value());
    out.setSnapshot(snapshot.value());
    out.setOutcomeHash(outcome_hash);
    if (state_hash) out.setStateHash(*state_hash);
    out.setCommands(commands);
    out.setQueries(queries);
    auto peers = out.initMembers(count(members.size()));
    for (unsigned i = 0; i < members.size(); ++i) encode(members[i], peers[i]);
}

void encode(const group::MemberAnswer& answer, schema::MemberAnswer::Builder out) {
    const auto& [host, status, error] = answer;
    out.setHost(host);
    if (status) return encode(*status, out.initStatus());
    encode(error.value_or(Error{Errc::unreachable, host + " did not answer"}), out.initFailed());
}

void encode(const group::GroupLocation& location, schema::GroupLocation::Builder out) {
    const auto& [group, name, leader, hosts] = location;
    out.setGroup(group.value());
    out.setName(name);
    out.setLeader(leader);
    encode(hosts, out.initHosts(count(hosts.size())));
}

void encode(const group::SnapshotSummary& snapshot, schema::SnapshotSummary::Builder out) {
    const auto& [host, last, bytes, raw_bytes, machine, machine_version] = snapshot;
    out.setHost(host);
    encode(last, out.initLast());
    out.setBytes(bytes);
    out.setRawBytes(raw_bytes);
    out.setMachine(machine);
    out.setMachineVersion(machine_version);
}

void encode(const group::PluginSummary& plugin, schema::PluginSummary::Builder out) {
    const auto& [id, version, build, bytes, manifest, machines, usage, host] = plugin;
    out.setId(id);
    out.setVersion(version);
    out.setBuild(build);
    out.setBytes(bytes);
    out.setManifest(manifest);
    encode(machines, out.initMachines(count(machines.size())));
    encode(usage, out.initUsage(count(usage.size())));
    out.setHost(host);
}

void encode(const group::HostSummary& summary, schema::HostSummary::Builder out) {
    const auto& [host, reachable, round_trip, groups, leaders, version] = summary;
    out.setName(host.name);
    out.setPeerAddress(host.peer_address);
    out.setClientAddress(host.client_address);
    out.setReachable(reachable);
    auto us = std::chrono::duration_cast<std::chrono::microseconds>(round_trip).count();
    out.setRoundTripUs(static_cast<std::uint64_t>(us));
    out.setGroups(groups);
    out.setLeaders(leaders);
    out.setVersion(version);
}

void encode(const std::vector<std::string>& texts, capnp::List<capnp::Text>::Builder out) {
    for (unsigned i = 0; i < texts.size(); ++i) out.set(i, texts[i]);
}

schema::ReadLevel to_wire(group::ReadLevel level) {
    return same_place<schema::ReadLevel>(level);
}
schema::VoteKind to_wire(raft::VoteKind kind) {
    return same_place<schema::VoteKind>(kind);
}

// ---- from the wire ------------------------------------------------------------------------------

group::ReadLevel from_wire(schema::ReadLevel level) {
    return in_range(level, group::ReadLevel::linearizable, "read level");
}
raft::VoteKind from_wire(schema::VoteKind kind) {
    return in_range(kind, raft::VoteKind::non_voter, "vote kind");
}

Index index(std::uint64_t value) {
    if (value > largest_position) throw Refused("an index of " + std::to_string(value));
    return Index(value);
}

Term term(std::uint64_t value) {
    if (value > largest_position) throw Refused("a term of " + std::to_string(value));
    return Term(value);
}

EntryId entry_id(std::uint64_t term_value, std::uint64_t index_value) {
    if ((term_value == 0) != (index_value == 0)) throw Refused("half an entry's id is 0");
    return {term(term_value), index(index_value)};
}

Error decode(schema::Failure::Reader in) {
    return {static_cast<Errc>(in.getCode()), Source::text(in.getMessage()),
            Source::text(in.getHint()), in.getRetryAfterMs()};
}

EntryId decode(schema::EntryId::Reader in) {
    return entry_id(in.getTerm(), in.getIndex());
}

group::Outcome decode(schema::Outcome::Reader in, const Source& source) {
    switch (in.which()) {
        case schema::Outcome::APPLIED: {
            auto applied = in.getApplied();
            return group::Applied{decode(applied.getEntry()), source.bytes(applied.getReply())};
        }
        case schema::Outcome::NOT_APPLIED: {
            auto refused = in.getNotApplied();
            return group::NotApplied{decode(refused.getWhy()), Source::text(refused.getLeader())};
        }
        case schema::Outcome::UNKNOWN:
            return group::Unknown{decode(in.getUnknown())};
    }
    throw Refused("an unknown kind of outcome");
}

machine::MachineRef decode(schema::MachineRef::Reader in) {
    return {Source::text(in.getPlugin()), Source::text(in.getBuild()),
            Source::text(in.getMachine()), in.getVersion()};
}

group::MemberStatus decode(schema::MemberStatus::Reader in) {
    group::MemberStatus out;
    out.group = GroupId(in.getGroup());
    out.name = Source::text(in.getName());
    out.epoch = Epoch(in.getEpoch());
    out.member = MemberId(in.getMember());
    out.host = Source::text(in.getHost());
    out.machine = decode(in.getMachine());
    out.state = in_range(in.getState(), group::MemberState::stopped, "state of a member");
    out.trouble = Source::text(in.getTrouble());
    out.role = in_range(in.getRole(), raft::Role::leader, "role");
    out.kind = from_wire(in.getKind());
    out.term = term(in.getTerm());
    out.leader = Source::text(in.getLeader());
    out.first = index(in.getFirst());
    out.last = index(in.getLast());
    out.commit = index(in.getCommit());
    out.applied = index(in.getApplied());
    out.snapshot = index(in.getSnapshot());
    out.outcome_hash = in.getOutcomeHash();
    if (in.getStateHash().size() != 0) out.state_hash = Source::text(in.getStateHash());
    out.commands = in.getCommands();
    out.queries = in.getQueries();
    for (auto peer : in.getMembers()) {
        out.members.push_back({MemberId(peer.getMember()), Source::text(peer.getHost()),
                               from_wire(peer.getKind()), index(peer.getMatch()),
                               Source::text(peer.getState())});
    }
    return out;
}

group::GroupLocation decode(schema::GroupLocation::Reader in) {
    return {GroupId(in.getGroup()), Source::text(in.getName()), Source::text(in.getLeader()),
            decode(in.getHosts())};
}

group::SnapshotSummary decode(schema::SnapshotSummary::Reader in) {
    return {Source::text(in.getHost()), decode(in.getLast()),          in.getBytes(),
            in.getRawBytes(),           Source::text(in.getMachine()), in.getMachineVersion()};
}

group::PluginSummary decode(schema::PluginSummary::Reader in) {
    return {Source::text(in.getId()),       Source::text(in.getVersion()),
            Source::text(in.getBuild()),    in.getBytes(),
            Source::text(in.getManifest()), decode(in.getMachines()),
            decode(in.getUsage()),          Source::text(in.getHost())};
}

std::vector<std::string> decode(capnp::List<capnp::Text>::Reader in) {
    std::vector<std::string> out;
    for (auto text : in) out.push_back(Source::text(text));
    return out;
}

}  // namespace quorate::rpc
