#include "rpc/client/decode.hpp"

#include <algorithm>
#include <array>

namespace quorate::client {
namespace {

std::string text(capnp::Text::Reader reader) {
    return {reader.begin(), reader.size()};
}

Bytes bytes(capnp::Data::Reader reader) {
    return Bytes::copy_of(
        ByteView(reinterpret_cast<const std::byte*>(reader.begin()), reader.size()));
}

std::vector<std::string> texts(capnp::List<capnp::Text>::Reader list) {
    std::vector<std::string> values;
    for (auto item : list) values.push_back(text(item));
    return values;
}

template <class Enum, std::size_t N>
std::string name_of(Enum value, const std::array<const char*, N>& names) {
    auto at = static_cast<std::size_t>(value);
    return at < N ? names[at] : "unknown";
}

VoteKind decode(schema::VoteKind kind) {
    switch (kind) {
        case schema::VoteKind::VOTER:
            return VoteKind::voter;
        case schema::VoteKind::PROMOTABLE:
            return VoteKind::promotable;
        case schema::VoteKind::NON_VOTER:
            return VoteKind::non_voter;
    }
    return VoteKind::non_voter;
}

MachineRef decode(schema::MachineRef::Reader m) {
    return {text(m.getPlugin()), text(m.getBuild()), text(m.getMachine()), m.getVersion()};
}

PeerProgress decode(schema::PeerProgress::Reader p) {
    return {MemberId(p.getMember()), text(p.getHost()), decode(p.getKind()), Index(p.getMatch()),
            text(p.getState())};
}

MemberStatus decode(schema::MemberStatus::Reader s) {
    constexpr std::array states{"starting", "running",  "recovering", "waiting_for_plugin",
                                "faulted",  "diverged", "fenced",     "stopped"};
    constexpr std::array roles{"follower", "pre_candidate", "candidate", "leader"};
    MemberStatus status;
    status.group = GroupId(s.getGroup());
    status.name = text(s.getName());
    status.epoch = s.getEpoch();
    status.member = MemberId(s.getMember());
    status.host = text(s.getHost());
    status.machine = decode(s.getMachine());
    status.state = name_of(s.getState(), states);
    status.trouble = text(s.getTrouble());
    status.role = name_of(s.getRole(), roles);
    status.kind = decode(s.getKind());
    status.term = Term(s.getTerm());
    status.leader = text(s.getLeader());
    status.first = Index(s.getFirst());
    status.last = Index(s.getLast());
    status.commit = Index(s.getCommit());
    status.applied = Index(s.getApplied());
    status.snapshot = Index(s.getSnapshot());
    status.outcome_hash = s.getOutcomeHash();
    status.state_hash = text(s.getStateHash());
    status.commands = s.getCommands();
    status.queries = s.getQueries();
    for (auto member : s.getMembers()) status.members.push_back(decode(member));
    return status;
}

}  // namespace

Error decode(schema::Failure::Reader failure) {
    auto code = static_cast<Errc>(failure.getCode());
    return {code, text(failure.getMessage()), text(failure.getHint()), failure.getRetryAfterMs()};
}

EntryId decode(schema::EntryId::Reader entry) {
    return {Term(entry.getTerm()), Index(entry.getIndex())};
}

Outcome decode(schema::Outcome::Reader outcome) {
    switch (outcome.which()) {
        case schema::Outcome::APPLIED: {
            auto applied = outcome.getApplied();
            return Applied{decode(applied.getEntry()), bytes(applied.getReply())};
        }
        case schema::Outcome::NOT_APPLIED: {
            auto refused = outcome.getNotApplied();
            return NotApplied{decode(refused.getWhy()), text(refused.getLeader())};
        }
        case schema::Outcome::UNKNOWN:
            return Unknown{decode(outcome.getUnknown())};
    }
    return Unknown{fail(Errc::version_mismatch,
                        "the host answered with an outcome that this client does not know")};
}

Result<Answer> decode(schema::Answer::Reader answer) {
    if (answer.isFailed()) return decode(answer.getFailed());
    if (!answer.isReply()) {
        return fail(Errc::version_mismatch,
                    "the host gave an answer that this client does not know");
    }
    auto reply = answer.getReply();
    return Answer{decode(reply.getAt()), bytes(reply.getData()), text(reply.getLeader())};
}

GroupLocation decode(schema::GroupLocation::Reader l) {
    return {GroupId(l.getGroup()), text(l.getName()), text(l.getLeader()), texts(l.getHosts())};
}

MemberAnswer decode(schema::MemberAnswer::Reader answer) {
    MemberAnswer value;
    value.host = text(answer.getHost());
    if (answer.isStatus()) {
        value.status = decode(answer.getStatus());
    } else {
        value.error = decode(answer.getFailed());
    }
    return value;
}

SnapshotSummary decode(schema::SnapshotSummary::Reader s) {
    return {text(s.getHost()), decode(s.getLast()),  s.getBytes(),
            s.getRawBytes(),   text(s.getMachine()), s.getMachineVersion()};
}

PluginSummary decode(schema::PluginSummary::Reader p) {
    return {text(p.getId()),       text(p.getVersion()),   text(p.getBuild()),  p.getBytes(),
            text(p.getManifest()), texts(p.getMachines()), texts(p.getUsage()), text(p.getHost())};
}

HostSummary decode(schema::HostSummary::Reader h) {
    return {text(h.getName()), text(h.getPeerAddress()), text(h.getClientAddress()),
            h.getReachable(),  h.getRoundTripUs(),       h.getGroups(),
            h.getLeaders(),    text(h.getVersion())};
}

schema::ReadLevel encode(ReadLevel level) {
    switch (level) {
        case ReadLevel::local:
            return schema::ReadLevel::LOCAL;
        case ReadLevel::leader:
            return schema::ReadLevel::LEADER;
        case ReadLevel::linearizable:
            return schema::ReadLevel::LINEARIZABLE;
    }
    return schema::ReadLevel::LINEARIZABLE;
}

schema::VoteKind encode(VoteKind kind) {
    switch (kind) {
        case VoteKind::voter:
            return schema::VoteKind::VOTER;
        case VoteKind::promotable:
            return schema::VoteKind::PROMOTABLE;
        case VoteKind::non_voter:
            return schema::VoteKind::NON_VOTER;
    }
    return schema::VoteKind::NON_VOTER;
}

}  // namespace quorate::client
