#include "rpc/decode_messages.hpp"

#include "host/raft/membership.hpp"

namespace quorate::rpc {
namespace {

// ---- consensus: every check here is one that the core takes for granted -----------------------------

raft::VoteRequest vote_request(Term of, schema::VoteRequest::Reader in) {
    EntryId last = entry_id(in.getLastTerm(), in.getLastIndex());
    if (last.term > of) throw Refused("a vote request whose log is ahead of its term");
    return {.term = of, .last = last, .pre_vote = in.getPreVote(), .transfer = in.getTransfer()};
}

raft::EntryKind entry_kind(schema::EntryKind kind) {
    switch (kind) {
        case schema::EntryKind::COMMAND:
            return raft::EntryKind::command;
        case schema::EntryKind::NOOP:
            return raft::EntryKind::noop;
        case schema::EntryKind::MEMBERSHIP:
            return raft::EntryKind::membership;
        case schema::EntryKind::HOST:
            return raft::EntryKind::host;
        case schema::EntryKind::UNSET:
            break;
    }
    throw Refused("an entry of an unknown kind");
}

raft::Entry entry(EntryId before, Term newest, schema::Entry::Reader in, const Source& source) {
    raft::Entry out{.id = {term(in.getTerm()), before.index.next()},
                    .kind = entry_kind(in.getKind()),
                    .payload = source.bytes(in.getPayload())};
    if (out.id.term < before.term || out.id.term > newest || out.id.term == Term{}) {
        throw Refused("entries whose terms fall, or exceed their leader's");
    }
    if (out.kind == raft::EntryKind::noop && !out.payload.empty()) {
        throw Refused("a leader's first entry that is not empty");
    }
    if (out.kind == raft::EntryKind::membership && !raft::decode_membership(out.payload.view())) {
        throw Refused("a membership entry that is no membership");
    }
    return out;
}

raft::AppendEntries append_entries(Term of, schema::AppendEntries::Reader in,
                                   const Source& source) {
    raft::AppendEntries out{.term = of,
                            .prev = entry_id(in.getPrevTerm(), in.getPrevIndex()),
                            .commit = index(in.getCommit()),
                            .leader_last = index(in.getLeaderLast()),
                            .round = in.getRound(),
                            .sleep = in.getSleep()};
    if (out.prev.term > of) throw Refused("entries that follow one of a later term");
    auto entries = in.getEntries();
    out.entries.reserve(entries.size());
    EntryId before = out.prev;
    for (auto one : entries) {
        out.entries.push_back(entry(before, of, one, source));
        before = out.entries.back().id;
    }
    out.last = before.index;
    if (out.leader_last < out.last || out.leader_last < out.commit) {
        throw Refused("a leader whose log ends before what it sends or has committed");
    }
    return out;
}

raft::AppendReply append_reply(Term of, schema::AppendReply::Reader in) {
    return {.term = of,
            .accepted = in.getAccepted(),
            .recovering = in.getRecovering(),
            .match = index(in.getMatch()),
            .hint = {term(in.getHintTerm()), index(in.getHintIndex())},
            .round = in.getRound(),
            .applied = index(in.getApplied()),
            .asleep = in.getAsleep()};
}

raft::SnapshotOffer snapshot_offer(Term of, schema::SnapshotOffer::Reader in) {
    auto membership = raft::decode_membership(view(in.getMembership()));
    if (!membership) throw Refused("a snapshot's membership that is none");
    EntryId last = entry_id(in.getLastTerm(), in.getLastIndex());
    if (last == EntryId{} || last.term > of)
        throw Refused("a snapshot of nothing, or of a later term");
    return {.term = of, .last = last, .membership = *std::move(membership), .round = in.getRound()};
}

raft::Message raft_message(schema::RaftEnvelope::Reader in, const Source& source) {
    Term of = term(in.getTerm());
    switch (in.which()) {
        case schema::RaftEnvelope::VOTE_REQUEST:
            return vote_request(of, in.getVoteRequest());
        case schema::RaftEnvelope::VOTE_REPLY: {
            auto reply = in.getVoteReply();
            return raft::VoteReply{of, reply.getPreVote(), reply.getGranted()};
        }
        case schema::RaftEnvelope::APPEND_ENTRIES:
            return append_entries(of, in.getAppendEntries(), source);
        case schema::RaftEnvelope::APPEND_REPLY:
            return append_reply(of, in.getAppendReply());
        case schema::RaftEnvelope::SNAPSHOT_OFFER:
            return snapshot_offer(of, in.getSnapshotOffer());
        case schema::RaftEnvelope::TIMEOUT_NOW:
            return raft::TimeoutNow{of};
        case schema::RaftEnvelope::READ_INDEX_REQUEST:
            return raft::ReadIndexRequest{of, named<ReadId>(in.getReadIndexRequest(), "read")};
        case schema::RaftEnvelope::READ_INDEX_REPLY: {
            auto reply = in.getReadIndexReply();
            return raft::ReadIndexReply{of, named<ReadId>(reply.getId(), "read"),
                                        index(reply.getIndex()), index(reply.getLeaderLast())};
        }
    }
    throw Refused("an unknown kind of consensus message");
}

group::RaftEnvelope raft_envelope(schema::RaftEnvelope::Reader in, const Source& source) {
    return {named<GroupId>(in.getGroup(), "group"), named<Epoch>(in.getEpoch(), "epoch"),
            named<MemberId>(in.getFrom(), "member"), named<MemberId>(in.getTo(), "member"),
            raft_message(in, source)};
}

// ---- snapshots --------------------------------------------------------------------------------

group::SnapshotFetch snapshot_fetch(schema::SnapshotFetch::Reader in) {
    return {.group = named<GroupId>(in.getGroup(), "group"),
            .from = named<MemberId>(in.getFrom(), "member"),
            .to = named<MemberId>(in.getTo(), "member"),
            .snapshot = entry_id(in.getTerm(), in.getIndex()),
            .offset = in.getOffset(),
            .max_bytes = in.getMaxBytes()};
}

group::SnapshotPiece snapshot_piece(schema::SnapshotPiece::Reader in, const Source& source) {
    group::SnapshotPiece out{.group = named<GroupId>(in.getGroup(), "group"),
                             .from = named<MemberId>(in.getFrom(), "member"),
                             .to = named<MemberId>(in.getTo(), "member"),
                             .snapshot = entry_id(in.getTerm(), in.getIndex()),
                             .offset = in.getOffset(),
                             .total = in.getTotal(),
                             .bytes = source.bytes(in.getBytes())};
    bool within = out.bytes.size() <= out.total && out.offset <= out.total - out.bytes.size();
    bool gone = out.total == 0 && out.bytes.empty();  // whatever was asked for
    if (!within && !gone) throw Refused("a piece that lies beyond its snapshot's end");
    return out;
}

group::LeaderCheck leader_check(schema::LeaderCheck::Reader in) {
    group::LeaderCheck out{.answer = in.getAnswer()};
    out.of.reserve(in.getOf().size());
    for (auto one : in.getOf()) {
        out.of.push_back({named<GroupId>(one.getGroup(), "group"),
                          named<MemberId>(one.getLeader(), "member"), term(one.getTerm())});
    }
    return out;
}

}  // namespace

group::PeerMessage decode(schema::PeerMessage::Reader in, const Source& source) {
    switch (in.which()) {
        case schema::PeerMessage::RAFT:
            return raft_envelope(in.getRaft(), source);
        case schema::PeerMessage::SNAPSHOT_FETCH:
            return snapshot_fetch(in.getSnapshotFetch());
        case schema::PeerMessage::SNAPSHOT_PIECE:
            return snapshot_piece(in.getSnapshotPiece(), source);
        case schema::PeerMessage::REQUEST:
            return decode(in.getRequest(), source);
        case schema::PeerMessage::RESPONSE:
            return decode(in.getResponse(), source);
        case schema::PeerMessage::BEAT:
            return group::Beat{in.getBeat().getIncarnation(), in.getBeat().getAnswer()};
        case schema::PeerMessage::LEADER_CHECK:
            return leader_check(in.getLeaderCheck());
    }
    throw Refused("an unknown kind of message");
}

}  // namespace quorate::rpc
