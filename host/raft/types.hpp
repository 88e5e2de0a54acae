#pragma once

#include "host/base/bytes.hpp"
#include "host/base/strong.hpp"
#include "host/base/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

// The vocabulary of the consensus core: plain values, in and out. Words are those of Ongaro's
// dissertation; what it does not name is defined in ARCHITECTURE.md.
namespace quorate::raft {

enum class Role : std::uint8_t { follower, pre_candidate, candidate, leader };

// Whether a member counts in elections and commits. A promotable receives the log and is made a
// voter by the leader once it has caught up (ra's `promotable`); a non_voter never is.
enum class VoteKind : std::uint8_t { voter, promotable, non_voter };

struct Member {
    MemberId id;
    std::string host;  // the name of the host it lives on; opaque to the core
    VoteKind kind = VoteKind::voter;
    Index promote_at;  // promotable only: it becomes a voter once it holds this entry
    friend bool operator==(const Member&, const Member&) = default;
};

// Who is in the group. Takes effect when its entry is appended (§4.1).
// Invariant: sorted by id, ids unique and not 0, at least one voter.
struct Membership {
    std::vector<Member> members;
    friend bool operator==(const Membership&, const Membership&) = default;
};

enum class EntryKind : std::uint8_t {
    command = 1,     // for the machine; the payload is the driver's, opaque to the core
    noop = 2,        // a leader's first entry of its term (§6.4); empty payload
    membership = 3,  // payload: encode(Membership)
    host = 4,        // for the driver: replicated host state (end of life, hashes, upgrades)
};

// One entry of the log. The core passes payloads through and never looks into them, but for
// those of membership entries.
struct Entry {
    EntryId id;
    EntryKind kind = EntryKind::command;
    Bytes payload;
    friend bool operator==(const Entry&, const Entry&) = default;
};

// What must be durable before any message that rests on it leaves (Figure 3.1).
struct HardState {
    Term term;
    MemberId vote;  // 0: no vote in this term
    friend bool operator==(const HardState&, const HardState&) = default;
};

// ---- messages -----------------------------------------------------------------------------

struct VoteRequest {
    Term term;  // pre-vote: the term the sender would campaign in
    EntryId last;
    bool pre_vote = false;
    bool transfer = false;  // §3.10: sent on TimeoutNow, overrides leader stickiness
    friend bool operator==(const VoteRequest&, const VoteRequest&) = default;
};

struct VoteReply {
    Term term;  // a granted pre-vote echoes the request's term, all others carry the sender's own
    bool pre_vote = false;
    bool granted = false;
    friend bool operator==(const VoteReply&, const VoteReply&) = default;
};

// AppendEntries, and heartbeat when it holds no entries. The core emits it with `entries` empty
// and `last` set; the driver attaches the entries (prev.index, last] from its cache. A received
// one is complete: the codec has checked that indexes run from prev.index + 1 to last and that terms never
// fall below prev.term nor exceed the message's.
struct AppendEntries {
    Term term;
    EntryId prev;
    Index last;               // == prev.index for a heartbeat
    Index commit;             // the leader's commit index
    Index leader_last;        // the leader's last index: how far behind the receiver is
    std::uint64_t round = 0;  // read and quorum-contact round; the reply echoes it (§6.4)
    bool sleep = false;  // nothing more will come: who holds and has committed all may fall asleep
    std::vector<Entry> entries;
    friend bool operator==(const AppendEntries&, const AppendEntries&) = default;
};

struct AppendReply {
    Term term;
    bool accepted = false;
    bool recovering = false;  // the sender stores but may not be counted in any quorum
    // accepted: durable and equal to the leader's log up to here.
    // refused: the index of the prev that was refused, so that a late refusal is known for one; 0 with
    // round 0: the message was of an earlier term, and only the term is told.
    Index match;
    EntryId hint;  // refused: the leader should try a prev no later than this (§3.5, backtracking)
    std::uint64_t round = 0;
    Index applied;  // by the sender's machine: a leader that cannot apply looks for one that can
    bool asleep = false;  // it did as it was told: it waits for the leader, or for its host's end
    friend bool operator==(const AppendReply&, const AppendReply&) = default;
};

// The leader no longer holds the entries that the peer needs. The peer's driver fetches the
// snapshot beside the core and then steps SnapshotReceived.
struct SnapshotOffer {
    Term term;
    EntryId last;  // the last entry that the snapshot covers
    Membership membership;
    std::uint64_t round = 0;
    friend bool operator==(const SnapshotOffer&, const SnapshotOffer&) = default;
};

struct TimeoutNow {  // leadership transfer (§3.10)
    Term term;
    friend bool operator==(const TimeoutNow&, const TimeoutNow&) = default;
};

// A follower asks the leader for a read index (§6.4), and the answer.
struct ReadIndexRequest {
    Term term;
    ReadId id;
    friend bool operator==(const ReadIndexRequest&, const ReadIndexRequest&) = default;
};
struct ReadIndexReply {
    Term term;
    ReadId id;
    Index index;  // 0: refused, the sender is not the leader
    Index
        leader_last;  // the leader's last index as it answers: tells a recovering member what to hold
    friend bool operator==(const ReadIndexReply&, const ReadIndexReply&) = default;
};

using Message = std::variant<VoteRequest, VoteReply, AppendEntries, AppendReply, SnapshotOffer,
                             TimeoutNow, ReadIndexRequest, ReadIndexReply>;

// ---- inputs -------------------------------------------------------------------------------

// The time. Step it before anything else that happened since the last input: the core's timers
// start from the last time it was told.
struct Tick {
    Time now;
};

// A message that arrived. Epoch and addressee are checked before terms: what is not for this
// incarnation of this generation is dropped without a trace in the state.
struct Receive {
    MemberId from;
    MemberId to;
    Epoch epoch;
    Message message;
};

struct Proposal {
    EntryKind kind = EntryKind::command;  // command or host
    Bytes payload;
};
// Appends all of the batch, or none.
struct Propose {
    std::uint64_t id = 0;  // names the batch in Output::proposed
    std::vector<Proposal> batch;
};

// All stores up to and including `ticket` are durable.
struct Stored {
    Ticket ticket;
};

// The machine has applied up to here (bounds ReadIndex on nothing). The leader is told, so that
// leadership is handed to a member whose machine runs.
struct Applied {
    Index index;
};

struct Read {
    ReadId id;
};

struct AddMember {
    Member member;  // promote_at is set by the core
};
struct RemoveMember {
    MemberId member;
};
struct SetVoteKind {
    MemberId member;
    VoteKind kind = VoteKind::voter;
};
struct ChangeMembership {
    std::uint64_t id = 0;  // names the request in Output::changes
    std::variant<AddMember, RemoveMember, SetVoteKind> change;
};

// Hands leadership to `to` (0: the most up-to-date voter). Ends in Output::transfers.
struct TransferLeadership {
    std::uint64_t id = 0;
    MemberId to;
};
struct CancelTransfer {};

// The members whose hosts do not answer this one, all of them; those not named do. What it says of a
// host is that of its present process: one that ended and began anew is named in between.
struct Unreachable {
    std::vector<MemberId> members;
};
// The host of `leader` answers, and says that this member does not lead the term there.
struct LeaderLost {
    MemberId leader;
    Term term;
};
struct Campaign {};  // ra:trigger_election: campaign now, pre-vote included

// Entries [from, from + count) that NeedEntries asked for are at hand; `bytes` holds the size of each
// one's payload. None: they could not be read; the core asks again later. A message that carries
// them, if they are still wanted, is in this turn's output; the driver need not keep them longer.
struct EntriesFetched {
    MemberId peer;
    Index from;
    std::vector<std::uint32_t> bytes;
    Term term;  // of the NeedEntries that this answers
};

// The driver's cache no longer holds entries below `from`; older ones must be fetched.
struct CacheTrimmed {
    Index from;
};

// A snapshot up to `snapshot` is durable here and the log below `log_start` is being released.
// Pre: log_start.index <= snapshot.index <= applied.
struct Compacted {
    EntryId snapshot;
    Membership membership;  // at snapshot.index
    Index log_start;        // the first entry that is kept
};

// The snapshot that SnapshotWanted named is whole and durable in the snapshot store.
struct SnapshotReceived {
    EntryId snapshot;
    Membership membership;
};
// It could not be had; the leader's next offer starts anew.
struct SnapshotFailed {
    EntryId snapshot;
};

using Input =
    std::variant<Tick, Receive, Propose, Stored, Applied, Read, ChangeMembership,
                 TransferLeadership, CancelTransfer, Campaign, Unreachable, LeaderLost,
                 EntriesFetched, CacheTrimmed, Compacted, SnapshotReceived, SnapshotFailed>;

// ---- outputs ------------------------------------------------------------------------------

// Work for the local log, to be made durable as one unit and in ticket order.
struct Store {
    Ticket ticket;
    std::optional<HardState> hard;
    // A received snapshot replaces the log: drop everything, the next entry is after this one.
    std::optional<EntryId> reset;
    std::optional<Index> truncate_from;  // drop entries at and above, before appending
    std::vector<Entry> entries;
};

struct Send {
    MemberId to;
    Message message;
};

struct ReadReady {
    ReadId id;
    Index index;  // answer once this is applied
};
enum class ReadRefusal : std::uint8_t { no_leader, leadership_lost };
struct ReadFailed {
    ReadId id;
    ReadRefusal why = ReadRefusal::no_leader;
};

enum class ProposeRefusal : std::uint8_t { none, not_leader, transferring, too_many_uncommitted };
struct Proposed {
    std::uint64_t id = 0;
    ProposeRefusal refusal = ProposeRefusal::none;
    EntryId first;  // of the batch, when it was appended
};

enum class ChangeRefusal : std::uint8_t {
    none,
    not_leader,
    already_member,
    not_member,
    // another change is uncommitted, or no entry of this term is committed yet (§4.1, 2015 erratum)
    not_permitted,
    no_voter_left,
};
struct Changed {
    std::uint64_t id = 0;
    ChangeRefusal refusal = ChangeRefusal::none;
    EntryId entry;     // of the change, when it was appended
    Index in_the_way;  // not_permitted: the index that must commit first
};

enum class TransferOutcome : std::uint8_t {
    done,
    not_leader,
    already_leader,
    not_member,
    not_voter,
    timed_out,
    cancelled,
};
struct Transferred {
    std::uint64_t id = 0;
    TransferOutcome outcome = TransferOutcome::done;
};

// The core wants to send these to the peer and the cache does not hold them: read them from the
// log store, at most `max_bytes` but at least one, and step EntriesFetched.
struct NeedEntries {
    MemberId peer;
    Index from;
    Index to;  // inclusive
    std::uint64_t max_bytes = 0;
    Term
        term;  // to be repeated in EntriesFetched: what an earlier leadership read may be overwritten since
};

// Fetch this snapshot from the peer, store it, and step SnapshotReceived or SnapshotFailed.
struct SnapshotWanted {
    MemberId from;
    EntryId snapshot;
    Membership membership;
};

struct RoleChange {
    Role role = Role::follower;
    Term term;
    MemberId leader;  // 0: unknown
    friend bool operator==(const RoleChange&, const RoleChange&) = default;
};

// Everything that one turn asks the driver to do. Order of execution: stores and sends in any
// order (what must wait for a store is not in it), then commit, then the rest.
struct Output {
    std::optional<Store> store;  // all of the turn's stores as one
    std::vector<Send> sends;
    std::optional<RoleChange> role;        // role, term or known leader changed
    std::optional<Membership> membership;  // the active membership changed
    std::optional<EntryId> install;  // load the machine from this snapshot, then go on after it
    std::optional<Index> commit;     // apply up to here
    std::vector<Proposed> proposed;
    std::vector<ReadReady> reads_ready;
    std::vector<ReadFailed> reads_failed;
    std::vector<Changed> changes;
    std::vector<Transferred> transfers;
    std::vector<NeedEntries> need_entries;
    std::optional<SnapshotWanted> snapshot_wanted;
    bool removed = false;  // this member's removal is committed
};

// ---- construction ---------------------------------------------------------------------------

// Limits and times of one core. Ranges are checked by the configuration, not here.
struct Options {
    Duration election_timeout = 1s;  // drawn anew from [t, 2t) each time it is armed (§3.4)
    Duration heartbeat_interval = 100ms;
    // A new commit index waits so long for entries to travel with, before it gets a message of its own:
    // what a busy group need not send twice. 0: it does not wait.
    Duration commit_delay = 5ms;
    std::uint32_t max_append_entries = 4096;             // per message
    std::uint64_t max_append_bytes = 1024 * 1024;        // per message; one entry may exceed it
    std::uint32_t max_inflight_messages = 64;            // per peer
    std::uint64_t max_inflight_bytes = 8 * 1024 * 1024;  // per peer
    std::uint64_t max_uncommitted_bytes = 256 * 1024 * 1024;  // then too_many_uncommitted
    bool pre_vote = true;
    bool check_quorum = true;
    // Heartbeats with nothing to say before the leader puts its group to sleep; 0: never. Only for drivers
    // that step Unreachable and LeaderLost: sleepers have nothing else to wake them.
    std::uint32_t hibernate_rounds = 0;
};

// Consecutive entries of one term; holds to the next run's first index.
struct TermRun {
    Index first;
    Term term;
    friend bool operator==(const TermRun&, const TermRun&) = default;
};
// With one more entry at the end. Pre: it follows the last one.
inline void extend(std::vector<TermRun>& runs, EntryId next) {
    if (runs.empty() || runs.back().term != next.term) runs.push_back({next.index, next.term});
}

// What a core starts from. A member that was never started has no runs, an empty `base` and the
// initial membership: the first members all name each other; one that joins later is given the
// membership of the group as it is, which does not name it yet.
struct Initial {
    GroupId group;
    Epoch epoch;
    MemberId self;
    HardState hard;
    EntryId base;           // the entry before the first one held: {0,0}, or within the snapshot
    EntryId snapshot;       // {0,0}: none
    Membership membership;  // at the snapshot, or the initial one
    std::vector<TermRun> runs;       // the log above base
    Index last;                      // == base.index when the log is empty
    std::vector<Entry> memberships;  // the log's membership entries above the snapshot, ascending
    // The log lost entries, or the hard state lost a vote, that this member may have promised
    // (storage's audit). It stores, but neither votes, acknowledges nor campaigns, until it holds
    // all that a leader held which was confirmed by a quorum of the others after this member's start and
    // after every candidacy that it may have voted for had to end (core_recovery.cpp says why).
    bool recovering = false;
    Index recover_past;  // the highest index it is known to have promised; for those who watch
};

}  // namespace quorate::raft
