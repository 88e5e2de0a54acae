#pragma once

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
    Core(const Options& options, Initial initial, std::uint64_t seed, Time now);

    void step(Input input);
    // Ends the turn: everything to do since the last take(). At most one Store; per peer, appends
    // are formed here, as full as the windows allow.
    Output take();

    Role role() const;
    Term term() const;
    MemberId self() const;
    MemberId leader() const;  // 0: unknown
    Index commit() const;
    EntryId last() const;
    EntryId snapshot() const;
    Index first() const;  // the first entry held
    bool recovering() const;
    // A read may be answered: an entry of this term is committed (§6.4). Leaders only.
    bool term_committed() const;
    const Membership& membership() const;
    // The membership in force at `index`. Pre: snapshot().index <= index <= last().index.
    const Membership& membership_at(Index index) const;
    // Pre: first().prev() <= index <= last().index.
    Term term_at(Index index) const;

    // When Tick is next needed; the driver may tick later or more often.
    Time next_deadline() const;

    struct PeerStatus {
        MemberId id;
        Index match;
        Index next;
        enum class State : std::uint8_t { probe, replicate, snapshot } state = State::probe;
        bool recent_active = false;  // heard from within the last election timeout
    };
    std::vector<PeerStatus> peers() const;  // empty unless leader
};

}  // namespace quorate::raft
