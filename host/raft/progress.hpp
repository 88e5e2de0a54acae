#pragma once

#include "host/base/ring.hpp"
#include "host/raft/types.hpp"

#include <optional>
#include <vector>

namespace quorate::raft {

// How a leader sends to a peer. probe: it does not know where the logs part, and sends one message
// at a time. replicate: it sends ahead of acknowledgements, within the windows. snapshot: the
// peer needs entries that are gone, and is offered the snapshot instead of heartbeats.
enum class PeerState : std::uint8_t { probe, replicate, snapshot };

// What a leader knows of one peer, for one term.
//
// Invariant: match < next. What was sent and not acknowledged stands in the window, ascending.
class Progress {
 public:
    Progress() = default;
    Progress(MemberId member, Index from) : id(member) { become_probe(from); }

    // The peer has matched up to `index`, and no message before it needs to be waited for.
    void acknowledged(Index index);
    // Entries up to `last` are on their way; none if last is before next. Pre: may_send().
    void sent(Index last, std::uint64_t bytes);
    // A refusal of this prev tells something new.
    bool may_be_refused(Index prev) const;
    bool may_send(const Options& options) const;

    void become_probe(Index from);
    // The probe may have been lost: the next one starts where it did.
    void probe_again();
    void become_replicate();
    void become_snapshot();

    MemberId id;
    PeerState state = PeerState::probe;
    Index match;                 // durable there and equal to our log up to here
    Index next;                  // the next entry to send
    Index applied;               // by its machine, as far as it has told
    bool recovering = false;     // it lost part of what it promised: counts in no quorum
    bool active = true;          // heard from since the last quorum check
    bool was_active = true;      // and before that
    bool dirty = true;           // something may be sent at the end of the turn
    bool greet = true;           // send even if there is nothing new to say
    std::uint64_t answered = 0;  // the latest round it answered
    Index told_commit;           // the commit index it can take from what was sent
    bool asleep = false;         // it said so, and was sent nothing since but to sleep on
    bool reachable = true;       // its host answers

    // Entries that left the cache. At most one fetch is outstanding.
    bool fetching = false;
    Index fetch_from;
    std::vector<std::uint32_t> fetched;  // sizes, this turn only

    // A removed member is sent to until it has learnt of its removal, or a while has passed.
    struct Leaving {
        Index entry;
        Time until;
    };
    std::optional<Leaving> leaving;

 private:
    struct Inflight {
        Index last;
        std::uint64_t bytes = 0;
    };
    void forget_window();

    Index probe_from_;
    bool probing_ = false;
    Ring<Inflight> window_;
    std::uint64_t window_bytes_ = 0;
};

}  // namespace quorate::raft
