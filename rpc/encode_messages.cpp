#include "rpc/encode_messages.hpp"

#include "host/raft/membership.hpp"
#include "rpc/values.hpp"

#include <algorithm>

namespace quorate::rpc {
namespace {

// Of a time that is left; none if it has passed.
std::uint64_t microseconds(Duration left) {
    auto us = std::chrono::duration_cast<std::chrono::microseconds>(std::max(left, Duration{}));
    return static_cast<std::uint64_t>(us.count());
}

// ---- consensus ------------------------------------------------------------------------------------

void put(const raft::VoteRequest& message, schema::RaftEnvelope::Builder out) {
    const auto& [term, last, pre_vote, transfer] = message;
    out.setTerm(term.value());
    auto into = out.initVoteRequest();
    into.setLastTerm(last.term.value());
    into.setLastIndex(last.index.value());
    into.setPreVote(pre_vote);
    into.setTransfer(transfer);
}

void put(const raft::VoteReply& message, schema::RaftEnvelope::Builder out) {
    const auto& [term, pre_vote, granted] = message;
    out.setTerm(term.value());
    auto into = out.initVoteReply();
    into.setPreVote(pre_vote);
    into.setGranted(granted);
}

void put(const raft::AppendEntries& message, schema::RaftEnvelope::Builder out) {
    const auto& [term, prev, last, commit, leader_last, round, sleep, entries] = message;
    out.setTerm(term.value());
    auto into = out.initAppendEntries();
    into.setPrevTerm(prev.term.value());
    into.setPrevIndex(prev.index.value());
    into.setCommit(commit.value());
    into.setLeaderLast(leader_last.value());
    into.setRound(round);
    into.setSleep(sleep);
    auto list = into.initEntries(count(entries.size()));
    for (unsigned i = 0; i < entries.size(); ++i) {
        const auto& [id, kind, payload] = entries[i];
        list[i].setTerm(id.term.value());
        list[i].setKind(static_cast<schema::EntryKind>(kind));
        list[i].setPayload(data(payload.view()));
    }
}
static_assert(static_cast<std::uint16_t>(raft::EntryKind::command) ==
              static_cast<std::uint16_t>(schema::EntryKind::COMMAND));
static_assert(static_cast<std::uint16_t>(raft::EntryKind::host) ==
              static_cast<std::uint16_t>(schema::EntryKind::HOST));

void put(const raft::AppendReply& message, schema::RaftEnvelope::Builder out) {
    const auto& [term, accepted, recovering, match, hint, round, applied, asleep] = message;
    out.setTerm(term.value());
    auto into = out.initAppendReply();
    into.setAccepted(accepted);
    into.setRecovering(recovering);
    into.setMatch(match.value());
    into.setHintTerm(hint.term.value());
    into.setHintIndex(hint.index.value());
    into.setRound(round);
    into.setApplied(applied.value());
    into.setAsleep(asleep);
}

void put(const raft::SnapshotOffer& message, schema::RaftEnvelope::Builder out) {
    const auto& [term, last, membership, round] = message;
    out.setTerm(term.value());
    auto into = out.initSnapshotOffer();
    into.setLastTerm(last.term.value());
    into.setLastIndex(last.index.value());
    into.setMembership(data(raft::encode(membership).view()));
    into.setRound(round);
}

void put(const raft::TimeoutNow& message, schema::RaftEnvelope::Builder out) {
    const auto& [term] = message;
    out.setTerm(term.value());
    out.setTimeoutNow();
}

void put(const raft::ReadIndexRequest& message, schema::RaftEnvelope::Builder out) {
    const auto& [term, id] = message;
    out.setTerm(term.value());
    out.setReadIndexRequest(id.value());
}

void put(const raft::ReadIndexReply& message, schema::RaftEnvelope::Builder out) {
    const auto& [term, id, index, leader_last] = message;
    out.setTerm(term.value());
    auto into = out.initReadIndexReply();
    into.setId(id.value());
    into.setIndex(index.value());
    into.setLeaderLast(leader_last.value());
}

// ---- snapshots --------------------------------------------------------------------------------

void put(const group::RaftEnvelope& message, schema::PeerMessage::Builder out) {
    const auto& [group, epoch, from, to, inner] = message;
    auto into = out.initRaft();
    into.setGroup(group.value());
    into.setEpoch(epoch.value());
    into.setFrom(from.value());
    into.setTo(to.value());
    std::visit([&into](const auto& one) { put(one, into); }, inner);
}

void put(const group::SnapshotFetch& message, schema::PeerMessage::Builder out) {
    const auto& [group, from, to, snapshot, offset, max_bytes] = message;
    auto into = out.initSnapshotFetch();
    into.setGroup(group.value());
    into.setFrom(from.value());
    into.setTo(to.value());
    into.setTerm(snapshot.term.value());
    into.setIndex(snapshot.index.value());
    into.setOffset(offset);
    into.setMaxBytes(max_bytes);
}

void put(const group::SnapshotPiece& message, schema::PeerMessage::Builder out) {
    const auto& [group, from, to, snapshot, offset, total, bytes] = message;
    auto into = out.initSnapshotPiece();
    into.setGroup(group.value());
    into.setFrom(from.value());
    into.setTo(to.value());
    into.setTerm(snapshot.term.value());
    into.setIndex(snapshot.index.value());
    into.setOffset(offset);
    into.setTotal(total);
    into.setBytes(data(bytes.view()));
}

// ---- requests ---------------------------------------------------------------------------------

void put(const group::SubmitRequest& body, schema::Request::Builder out) {
    const auto& [group, payload] = body;
    auto into = out.initSubmit();
    into.setGroup(group.value());
    into.setPayload(data(payload.view()));
}
void put(const group::QueryRequest& body, schema::Request::Builder out) {
    const auto& [group, level, at_least, query] = body;
    auto into = out.initQuery();
    into.setGroup(group.value());
    into.setLevel(to_wire(level));
    into.setAtLeast(at_least.value());
    into.setQuery(data(query.view()));
}
void put(const group::LocateRequest& body, schema::Request::Builder out) {
    out.setLocate(body.name);
}
void put(const group::StartMemberRequest& body, schema::Request::Builder out) {
    const auto& [registration, campaign] = body;
    auto into = out.initStartMember();
    into.setRegistration(data(registration.view()));
    into.setCampaign(campaign);
}
void put(const group::DeleteMemberRequest& body, schema::Request::Builder out) {
    const auto& [group, member, only_at] = body;
    auto into = out.initDeleteMember();
    into.setGroup(group.value());
    into.setMember(member.value());
    into.setOnlyAtNext(only_at ? only_at->next().value() : 0);
}
void put(const group::StatusRequest& body, schema::Request::Builder out) {
    const auto& [group, state_hash] = body;
    auto into = out.initStatus();
    into.setGroup(group.value());
    into.setStateHash(state_hash);
}
void put(const group::ChangeMemberRequest& body, schema::Request::Builder out) {
    const auto& [group, member, remove] = body;
    const auto& [id, host, kind, promote_at] = member;
    auto into = out.initChangeMember();
    into.setGroup(group.value());
    into.setMember(id.value());
    into.setHost(host);
    into.setKind(to_wire(kind));
    into.setPromoteAt(promote_at.value());
    into.setRemove(remove);
}
void put(const group::TransferRequest& body, schema::Request::Builder out) {
    const auto& [group, to] = body;
    auto into = out.initTransfer();
    into.setGroup(group.value());
    into.setTo(to.value());
}
void put(const group::DeleteGroupRequest& body, schema::Request::Builder out) {
    out.setDeleteGroup(body.group.value());
}
void put(const group::StopMemberRequest& body, schema::Request::Builder out) {
    out.setStopMember(body.group.value());
}
void put(const group::RestartMemberRequest& body, schema::Request::Builder out) {
    out.setRestartMember(body.group.value());
}
void put(const group::CampaignRequest& body, schema::Request::Builder out) {
    out.setCampaign(body.group.value());
}
void put(const group::TakeSnapshotRequest& body, schema::Request::Builder out) {
    out.setTakeSnapshot(body.group.value());
}
void put(const group::ListSnapshotsRequest& body, schema::Request::Builder out) {
    out.setListSnapshots(body.group.value());
}
void put(const group::PluginOfferRequest& body, schema::Request::Builder out) {
    const auto& [build, size] = body;
    auto into = out.initPluginOffer();
    into.setBuild(build);
    into.setSize(size);
}
void put(const group::PluginFetchRequest& body, schema::Request::Builder out) {
    const auto& [build, offset, max_bytes] = body;
    auto into = out.initPluginFetch();
    into.setBuild(build);
    into.setOffset(offset);
    into.setMaxBytes(max_bytes);
}
void put(const group::PluginListRequest&, schema::Request::Builder out) {
    out.setPluginList();
}
void put(const group::PingRequest&, schema::Request::Builder out) {
    out.setPing();
}

void put(const group::ReserveNameRequest& body, schema::Request::Builder out) {
    const auto& [name, group, round, hold] = body;
    auto into = out.initReserveName();
    into.setName(name);
    into.setGroup(group.value());
    into.setRound(round);
    into.setHoldUs(microseconds(hold));
}

void put(const group::Request& request, schema::PeerMessage::Builder out) {
    const auto& [id, remaining, body] = request;
    auto into = out.initRequest();
    into.setId(id);
    into.setRemainingUs(microseconds(remaining));
    std::visit([&into](const auto& one) { put(one, into); }, body);
}

// ---- responses --------------------------------------------------------------------------------

void put(const group::Done&, schema::Response::Builder out) {
    out.setDone();
}
void put(const group::Outcome& body, schema::Response::Builder out) {
    encode(body, out.initOutcome());
}
void put(const group::QueryAnswer& body, schema::Response::Builder out) {
    const auto& [at, reply, leader] = body;
    auto into = out.initAnswer();
    encode(at, into.initAt());
    into.setReply(data(reply.view()));
    into.setLeader(leader);
}
void put(const group::GroupLocation& body, schema::Response::Builder out) {
    encode(body, out.initLocation());
}
void put(const std::vector<group::MemberStatus>& body, schema::Response::Builder out) {
    encode_all(body, out.initStatuses(count(body.size())));
}
void put(const std::vector<group::SnapshotSummary>& body, schema::Response::Builder out) {
    encode_all(body, out.initSnapshots(count(body.size())));
}
void put(const std::vector<group::PluginSummary>& body, schema::Response::Builder out) {
    encode_all(body, out.initPlugins(count(body.size())));
}
void put(const group::Piece& body, schema::Response::Builder out) {
    const auto& [total, bytes] = body;
    auto into = out.initPiece();
    into.setTotal(total);
    into.setBytes(data(bytes.view()));
}
void put(const EntryId& body, schema::Response::Builder out) {
    encode(body, out.initEntry());
}

void put(const group::Response& response, schema::PeerMessage::Builder out) {
    const auto& [id, failed, error, body] = response;
    auto into = out.initResponse();
    into.setId(id);
    if (failed) return encode(error, into.initFailed());
    std::visit([&into](const auto& one) { put(one, into); }, body);
}

// ---- whether hosts and leaders are there ------------------------------------------------------

void put(const group::Beat& message, schema::PeerMessage::Builder out) {
    const auto& [incarnation, answer] = message;
    auto into = out.initBeat();
    into.setIncarnation(incarnation);
    into.setAnswer(answer);
}

void put(const group::LeaderCheck& message, schema::PeerMessage::Builder out) {
    const auto& [answer, of] = message;
    auto into = out.initLeaderCheck();
    into.setAnswer(answer);
    auto list = into.initOf(count(of.size()));
    for (unsigned i = 0; i < of.size(); ++i) {
        const auto& [group, leader, term] = of[i];
        list[i].setGroup(group.value());
        list[i].setLeader(leader.value());
        list[i].setTerm(term.value());
    }
}

}  // namespace

void encode(const group::PeerMessage& message, schema::PeerMessage::Builder out) {
    std::visit([&out](const auto& one) { put(one, out); }, message);
}

}  // namespace quorate::rpc
