#pragma once

#include "host/base/ring.hpp"
#include "host/raft/membership.hpp"
#include "host/raft/progress.hpp"
#include "host/raft/random.hpp"
#include "host/raft/term_log.hpp"
#include "host/raft/types.hpp"

namespace quorate::raft {

// One member's consensus: pure and deterministic. Same construction, same inputs, same outputs, on
// any machine. It has no clock (time is an input), no I/O, no threads, and no randomness but its
// seed; it never fails: "no" is a value.
//
// A driver steps any number of inputs, then takes the turn's output. What rests on a store (a
// vote, an acknowledgement, a campaign) stays inside until Stored reports that store durable, so a
// driver cannot send it early; the leader's own AppendEntries do not wait (§10.2.1).
//
// Thread: the group's shard.
class Core {
 public:
    // The seed should differ each time: it draws timeouts and the numbers of forwarded reads.
    Core(const Options& options, Initial initial, std::uint64_t seed, Time now);

    void step(Input input);
    // Ends the turn: everything to do since the last take(). At most one Store; per peer, appends
    // are formed here, as full as the windows allow.
    Output take();

    Role role() const { return role_; }
    Term term() const { return hard_.term; }
    MemberId self() const { return self_; }
    MemberId leader() const { return leader_; }  // 0: unknown
    Index commit() const { return commit_; }
    EntryId last() const { return log_.last(); }
    EntryId snapshot() const { return snapshot_; }
    Index first() const { return log_.first(); }  // the first entry held
    bool recovering() const { return recovering_; }
    // Nothing is expected of anybody: no heartbeats as the leader, no deadline as a follower.
    bool asleep() const { return role_ == Role::leader ? leading_.resting : asleep_; }
    // A read may be answered: an entry of this term is committed (§6.4). Leaders only.
    bool term_committed() const { return role_ == Role::leader && commit_ >= leading_.first; }
    const Membership& membership() const { return memberships_.active(); }
    // The membership in force at `index`. Pre: snapshot().index <= index <= last().index.
    const Membership& membership_at(Index index) const { return memberships_.at(index); }
    // Pre: first().prev() <= index <= last().index.
    Term term_at(Index index) const { return log_.term_at(index); }
    // Everything up to here is durable in the local log.
    Index durable() const { return durable_; }

    // When Tick is next needed; the driver may tick later or more often.
    Time next_deadline() const;

    struct PeerStatus {
        using State = PeerState;
        MemberId id;
        Index match;
        Index next;
        Index applied;  // by its machine, as far as it has told; 0: nothing in this term yet
        Index told;     // the commit index that it was last sent, with what it needs to take it
        State state = State::probe;
        bool recovering = false;
        bool recent_active = false;  // heard from within the last election timeout
    };
    std::vector<PeerStatus> peers() const;  // empty unless leader
    // Between a leader's messages to a follower that there is nothing else to say to.
    Duration heartbeat_interval() const;

 private:
    // ---- inputs (core.cpp; those that only a leader acts on: core_leader.cpp and beside it)
    void on(Tick&& input);
    void on(Receive&& input);
    void on(Propose&& input);
    void on(Stored&& input);
    void on(Applied&& input);
    void on(Read&& input);
    void on(ChangeMembership&& input);
    void on(TransferLeadership&& input);
    void on(CancelTransfer&& input);
    void on(Campaign&& input);
    void on(Unreachable&& input);
    void on(LeaderLost&& input);
    void on(EntriesFetched&& input);
    void on(CacheTrimmed&& input);
    void on(Compacted&& input);
    void on(SnapshotReceived&& input);
    void on(SnapshotFailed&& input);

    // ---- messages
    void handle(MemberId from, VoteRequest&& m);
    void handle(MemberId from, VoteReply&& m);
    void handle(MemberId from, AppendEntries&& m);
    void handle(MemberId from, AppendReply&& m);
    void handle(MemberId from, SnapshotOffer&& m);
    void handle(MemberId from, TimeoutNow&& m);
    void handle(MemberId from, ReadIndexRequest&& m);
    void handle(MemberId from, ReadIndexReply&& m);

    // ---- what rests on a store (core.cpp)
    Store& store();
    void persist_hard();
    bool is_durable(Ticket ticket) const { return ticket <= stored_; }
    void send(MemberId to, Message message);
    // Sends once the present term and vote are durable.
    void promise(MemberId to, Message message);
    void seal_store();

    // ---- the log (core_log.cpp)
    void append(std::vector<Entry>&& entries);
    void truncate_from(Index from);
    void reset_log(EntryId base, Membership membership);
    void note_appended(const Entry& entry);
    void advance_commit(Index index);
    // `heard`: the leader's commit index; until it is reached here, a later entry may add us again.
    void report_removal(Index heard);

    // ---- roles
    void set_term(Term term);
    void become_follower(Term term, MemberId leader);
    void leave_leadership();
    void set_leader(MemberId leader);
    void arm_election_timer();
    void ask_early();
    bool may_campaign() const;
    bool is_only_voter() const;
    void tick_follower();
    void tick_leader();
    void report_role();

    // ---- follower (core_follower.cpp)
    // Settles term, role and timer before a message of a leader is looked at; false: it is an old one.
    bool obey(MemberId from, Term term, std::uint64_t round);
    bool has_prev(EntryId prev) const;
    void refuse_append(MemberId from, const AppendEntries& m);
    void accept(AppendEntries&& m);
    void follow_commit(Index index);
    void acknowledge();

    // ---- recovery of a damaged member (core_recovery.cpp)
    void seek_recovery();
    void finish_recovery();

    // ---- elections (core_candidate.cpp)
    void campaign(bool transfer);
    void become_pre_candidate();
    void become_candidate(bool transfer);
    void solicit(const VoteRequest& request);
    bool hears_a_leader() const;
    bool asked_by_its_leader(MemberId from, Term term) const;
    bool is_up_to_date(EntryId last) const { return last >= log_.last(); }
    void answer_pre_vote(MemberId from, const VoteRequest& m);
    void answer_vote(MemberId from, const VoteRequest& m);
    void count_vote(MemberId from, bool granted);

    // ---- leader (core_leader.cpp)
    void become_leader();
    void lead();
    void append_batch(std::vector<Entry>&& entries, std::uint64_t bytes);
    EntryId append_own(EntryKind kind, Bytes payload);
    Progress* peer(MemberId id);
    template <class Value, class Of>
    Value reached_by_majority(Value own, Of of);
    void maybe_commit();
    std::uint64_t confirmed_round();
    bool hears_a_quorum();
    bool a_quorum_sleeps();
    void on_accepted(Progress& peer, const AppendReply& m);
    void on_refused(Progress& peer, const AppendReply& m);
    void resign();

    // ---- sleep (core_sleep.cpp)
    bool is_unreachable(MemberId id) const;
    void fall_asleep();
    void wake_follower();
    void lose_leader();
    bool is_quiet() const;
    bool bids_sleep() const;
    void count_idle_round();
    bool may_sleep(const Progress& peer) const;
    bool sleeps_on(const Progress& peer);
    static bool is_heard(const Progress& peer);
    void note_asleep(Progress& peer, const AppendReply& m) const;
    void note_reachable(Progress& peer) const;
    bool all_rest();
    void settle_rest();
    void stir() { leading_.idle_rounds = 0; }

    // ---- sending (core_replication.cpp)
    bool replicate_to(Progress& peer);
    bool has_commit_news(const Progress& peer) const;
    bool anyone_has_commit_news() const;
    bool send_entries(Progress& peer);
    void send_append(Progress& peer, Index last, std::uint64_t bytes);
    void want_entries(Progress& peer);
    void offer_snapshot(Progress& peer);
    std::pair<Index, std::uint64_t> message_from(Index next) const;

    // ---- reads (core_reads.cpp)
    void start_read_round();
    void confirm_reads();
    void answer_read(MemberId from, ReadId id, Index index);
    void fail_reads(ReadRefusal why);
    void fail_forwarded_reads(ReadRefusal why);
    void forward_read(ReadId wire);

    // ---- membership and transfer (core_membership.cpp, core_transfer.cpp)
    Changed change(const ChangeMembership& input);
    Index change_in_the_way() const;
    void append_membership(Membership membership);
    void adopt_membership();
    void promote_ready();
    TransferOutcome start_transfer(const TransferLeadership& input);
    MemberId best_successor() const;
    void drive_transfer();
    void end_transfer(TransferOutcome outcome);

    // ---- invariants.cpp
    void check_invariants();
    void check_state() const;
    void check_leader() const;
    void check_delta() const;

    Options options_;
    Epoch epoch_;
    MemberId self_;
    Random random_;
    Time now_;

    // Figure 3.1: persistent state, as it will be once every store so far is durable.
    HardState hard_;
    TermLog log_;
    MembershipLog memberships_;
    EntryId snapshot_;

    // What of it is durable. A store stands here from the turn it was taken in until it is
    // reported; truncation shortens `last`, so that a late report proves nothing about entries that
    // were overwritten since (ra.md P2, P3).
    struct Outstanding {
        Ticket ticket;
        Index last;
    };
    struct Held {
        Ticket ticket;
        Send send;
    };
    Ticket issued_;       // the latest ticket
    Ticket stored_;       // the latest one reported
    Ticket hard_ticket_;  // the store that holds hard_
    Index durable_;
    Ring<Outstanding> outstanding_;
    std::vector<Held> held_;

    // Sizes of the payloads that the driver's cache holds: those of [cached_from_, last].
    Ring<std::uint32_t> sizes_;
    Index cached_from_;

    // Volatile state.
    Role role_ = Role::follower;
    MemberId leader_;
    Index commit_;
    Index applied_;
    Time election_deadline_;
    std::optional<Time> leader_contact_;
    bool asleep_ = false;  // a follower that waits for no deadline
    std::vector<MemberId> unreachable_;

    // What this member, as a follower, told the leader of this term.
    struct Following {
        Index matched;  // equal to the leader's log up to here
        Index acknowledged;
        std::uint64_t round = 0;  // the latest heard of
        std::uint64_t answered = 0;
        bool due = false;
        bool refused =
            false;  // the leader probes: the next accepted message is answered, whatever it says
    };
    Following following_;

    struct Fetching {
        MemberId from;
        EntryId snapshot;
    };
    std::optional<Fetching> fetching_;  // the snapshot that the driver was asked to fetch

    // Part of what this member promised is lost; see core_recovery.cpp.
    bool recovering_ = false;
    struct Recovery {
        Time hold;  // until then, a vote that was lost may still count somewhere
        Time ask_again;
        ReadId question;  // 0: not asked in this term
        Index goal;       // 0: no answer yet
    };
    Recovery recovery_;

    // Reads that this member forwarded, under numbers that are never used twice.
    struct ForwardedRead {
        ReadId wire;
        ReadId id;
    };
    std::vector<ForwardedRead> forwarded_;
    std::uint64_t next_wire_read_ = 0;
    Time forward_again_;

    // Candidates only.
    std::vector<MemberId> granted_;
    std::vector<MemberId> refused_;

    // A transfer outlives its leadership by the time it takes to hear who came next.
    struct Transfer {
        std::uint64_t id = 0;
        MemberId to;
        Time deadline;
        bool told = false;
    };
    std::optional<Transfer> transfer_;

    struct WaitingRead {
        ReadId id;
        MemberId from;            // self: the driver's own
        std::uint64_t round = 0;  // 0: no round was begun for it yet
        Index index;
    };
    struct Uncommitted {
        Index last;
        std::uint64_t bytes = 0;
    };
    // Leaders only, made anew with each term.
    struct Leading {
        std::vector<Progress> peers;  // ascending by id
        Index first;                  // this term's first entry
        std::uint64_t round = 0;
        Time heartbeat_at{};
        Time quorum_check_at{};
        Time tell_commit_at = Time::max();  // max: nobody waits for news of the commit index
        Ring<Uncommitted> uncommitted;
        std::uint64_t uncommitted_bytes = 0;
        std::vector<WaitingRead> reads;
        bool leaves = false;            // the membership without this voter is committed
        std::uint32_t idle_rounds = 0;  // heartbeats in a row with nothing to say
        std::uint64_t sleep_from = 0;   // the first round that told peers to sleep
        bool resting = false;           // as of the last turn's end: no timer runs
    };
    Leading leading_;

    Output out_;
    RoleChange reported_role_;
    bool removal_reported_ = false;

    // What must never go backwards, as of the previous step.
    struct Past {
        HardState hard;
        Role role = Role::follower;
        Index commit;
        EntryId snapshot;
        std::vector<Index> matches;
    };
    Past past_;
};

}  // namespace quorate::raft
