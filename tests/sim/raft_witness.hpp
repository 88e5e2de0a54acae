#pragma once

#include "host/group/messages.hpp"
#include "host/group/registration.hpp"
#include "host/raft/term_log.hpp"
#include "storage/log_store.hpp"
#include "tests/sim/witness.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

namespace quorate::sim {

// Checks what Raft promises at every store and every message of every member (I1 to I7, I9, I14, I16
// of reliability's list). It knows what each member wrote to its log, what of that was reported
// durable, and what the members then told each other: only what is told can do harm.
//
// A member is its id: one incarnation, on one host, through all of that host's lives.
class RaftWitness {
 public:
    explicit RaftWitness(Witness& witness) : witness_(witness) {}

    // Its log, as the log store hears of it (WitnessLog).
    void created(const group::Registration& registration);
    void recovered(MemberId member, const storage::RecoveredLog& found);
    void wrote(MemberId member, const raft::Store& store);
    void stored(MemberId member, Ticket ticket);

    // What it says to others (SimNetwork), and on which host it lives.
    void sent(const std::string& host, const group::RaftEnvelope& envelope);
    std::uint64_t messages() const { return messages_; }  // so far

    // Called with the host of each leader, at its first message.
    void on_leader(std::function<void(const std::string&)> action) {
        on_leader_ = std::move(action);
    }

 private:
    struct Log {
        raft::HardState hard;
        raft::TermLog terms;
    };
    struct Member {
        GroupId group;
        Log memory;                       // as if every store so far were durable
        Log disk;                         // what was reported durable
        std::deque<raft::Store> pending;  // what lies between
        EntryId acknowledged;             // the term it was in, and how far
    };
    struct Leader {
        MemberId id;
        Index inherited;  // its commit index when it was elected
        Index announced;
    };
    struct Known {
        EntryId before;
        std::uint64_t content = 0;
        std::uint64_t chain = 0;  // over this entry and all before it
    };
    struct Committed {
        EntryId id;
        Term by;  // whose leader said so first
    };
    struct Group {
        raft::Membership genesis;
        std::unordered_map<std::uint64_t, Known> entries;  // by term and index
        std::map<Index, Term> latest;                      // seen at each index
        std::map<Index, std::map<Term, raft::Membership>> memberships;
        std::map<Term, Leader> leaders;
        std::map<std::pair<Term, MemberId>, MemberId> votes;        // by term and voter
        std::map<std::pair<Term, MemberId>, std::uint64_t> rounds;  // the latest that it was asked
        std::map<Index, Committed> committed;
    };
    struct Sender {
        const std::string& host;
        const group::RaftEnvelope& envelope;
        Group& group;
        Member& member;
    };

    // logs (raft_witness.cpp)
    void apply(Log& log, const raft::Store& store);
    void check_hard(const Member& member, const raft::HardState& hard);
    void check_dropped(const Group& group, const Member& member, Index from);
    void note_entry(Group& group, EntryId before, const raft::Entry& entry);
    static Index still_sure(const Member& member);
    static Index snapshot_of(const Member& member);

    // messages (raft_witness_messages.cpp)
    void on(const Sender& from, const raft::VoteRequest& m);
    void on(const Sender& from, const raft::VoteReply& m);
    void on(const Sender& from, const raft::AppendEntries& m);
    void on(const Sender& from, const raft::AppendReply& m);
    void on(const Sender& from, const raft::SnapshotOffer& m);
    template <class Other>
    void on(const Sender&, const Other&) {}
    void note_sleep(const raft::Message& message, MemberId from, MemberId to);
    void note_vote(const Sender& from, Term term, MemberId candidate);
    static void note_round(const Sender& from, Term term, std::uint64_t round);
    void check_elected(const Sender& from, Term term);
    void check_membership_entry(const Sender& from, const raft::AppendEntries& m,
                                const raft::Entry& entry);
    void note_commit(const Sender& from, Term term, Index commit);
    void note_committed(Group& group, EntryId entry, Term by);
    void check_commit(const Sender& from, const Leader& leader, EntryId entry);
    void check_complete(const Leader& leader, Term term, EntryId entry);

    // The memberships that a log names, the latest first, each with the index from which it holds.
    struct Step {
        Index index;
        const raft::Membership* membership;
    };
    static Step membership_before(const Group& group, const Member& member, Index end);
    bool has_majority(const raft::Membership& membership,
                      const std::function<bool(MemberId)>& counts) const;

    void breach(const std::string& what) { witness_.report(what); }

    Witness& witness_;
    std::unordered_map<GroupId, Group> groups_;
    std::unordered_map<MemberId, Member> members_;
    std::set<MemberId> asleep_;
    std::uint64_t messages_ = 0;
    std::function<void(const std::string&)> on_leader_;
};

std::string text(EntryId entry);
std::string text(MemberId member);
std::uint64_t content_of(const raft::Entry& entry);
// Names an entry within its group.
inline std::uint64_t key_of(EntryId entry) {
    return entry.term.value() << 32 | entry.index.value();
}

}  // namespace quorate::sim
