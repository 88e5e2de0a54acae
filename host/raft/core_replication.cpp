#include "host/base/check.hpp"
#include "host/raft/core.hpp"

#include <algorithm>

namespace quorate::raft {

// All that one peer is to be sent in this turn: as many messages as its window allows, or, if there
// is something else it should hear (a round, a commit index), one without entries. True: it was sent one.
bool Core::replicate_to(Progress& peer) {
    if (!peer.dirty) return false;
    peer.dirty = false;
    bool greet = std::exchange(peer.greet, false);
    if (peer.state != PeerState::snapshot && peer.next.prev() < log_.base().index) {
        peer.become_snapshot();
        greet = true;
    }
    if (peer.state == PeerState::snapshot) {
        if (greet) offer_snapshot(peer);
        peer.fetched.clear();
        return false;
    }
    bool sent = send_entries(peer);
    peer.fetched.clear();  // the driver keeps them for this turn only
    bool tell = now_ >= leading_.tell_commit_at && has_commit_news(peer);
    if (sent || (!greet && !tell)) return sent;
    send_append(peer, peer.next.prev(), 0);
    return true;
}

// Behind a full window the news come with what follows.
bool Core::has_commit_news(const Progress& peer) const {
    return peer.state == PeerState::replicate && peer.may_send(options_) &&
           peer.told_commit < std::min(commit_, peer.next.prev());
}

bool Core::anyone_has_commit_news() const {
    const auto& peers = leading_.peers;
    return std::any_of(peers.begin(), peers.end(),
                       [this](const Progress& peer) { return has_commit_news(peer); });
}

bool Core::send_entries(Progress& peer) {
    bool sent = false;
    while (peer.next <= log_.last().index && peer.may_send(options_)) {
        if (peer.next >= cached_from_) {
            auto [last, bytes] = message_from(peer.next);
            send_append(peer, last, bytes);
        } else if (peer.state == PeerState::probe) {
            send_append(peer, peer.next.prev(), 0);  // not worth a read that may be refused
        } else if (!peer.fetched.empty() && peer.fetch_from == peer.next) {
            std::uint64_t bytes = 0;
            for (std::uint32_t size : peer.fetched) bytes += size;
            send_append(peer, peer.next + (peer.fetched.size() - 1), bytes);
        } else {
            want_entries(peer);
            return sent;
        }
        sent = true;
    }
    return sent;
}

// How far a message from `next` on reaches, and its bytes. Pre: cached_from_ <= next <= last.
std::pair<Index, std::uint64_t> Core::message_from(Index next) const {
    std::size_t begin = next - cached_from_;
    std::size_t end = std::min(sizes_.size(), begin + std::max(options_.max_append_entries, 1u));
    std::uint64_t bytes = sizes_[begin];
    std::size_t count = 1;
    for (; begin + count < end; ++count) {
        if (bytes + sizes_[begin + count] > options_.max_append_bytes) break;
        bytes += sizes_[begin + count];
    }
    return {next + (count - 1), bytes};
}

// The driver attaches the entries (prev, last].
void Core::send_append(Progress& peer, Index last, std::uint64_t bytes) {
    bool sleep = may_sleep(peer);
    peer.asleep = peer.asleep && sleep;
    send(peer.id, AppendEntries{.term = hard_.term,
                                .prev = log_.id_at(peer.next.prev()),
                                .last = last,
                                .commit = commit_,
                                .leader_last = log_.last().index,
                                .round = leading_.round,
                                .sleep = sleep});
    peer.told_commit = std::min(commit_, last);
    peer.sent(last, bytes);
}

void Core::want_entries(Progress& peer) {
    if (peer.fetching) return;
    peer.fetching = true;
    peer.fetch_from = peer.next;
    Index to =
        std::min(cached_from_.prev(), peer.next + (std::max(options_.max_append_entries, 1u) - 1));
    out_.need_entries.push_back({peer.id, peer.next, to, options_.max_append_bytes, hard_.term});
}

// A read that an earlier leadership asked for, or that the peer no longer needs, is dropped.
void Core::on(EntriesFetched&& input) {
    Progress* known =
        role_ == Role::leader && input.term == hard_.term ? peer(input.peer) : nullptr;
    if (!known || !known->fetching || known->fetch_from != input.from) return;
    known->fetching = false;
    if (input.bytes.empty()) return;  // the next heartbeat asks again
    CHECK(input.from + (input.bytes.size() - 1) <= log_.last().index);
    known->fetched = std::move(input.bytes);
    known->dirty = true;
}

// Offers stand in for heartbeats as long as the peer's place is before the log's beginning.
void Core::offer_snapshot(Progress& peer) {
    CHECK(snapshot_.index > Index{}, "entries are gone and no snapshot covers them");
    send(peer.id, SnapshotOffer{.term = hard_.term,
                                .last = snapshot_,
                                .membership = memberships_.at(snapshot_.index),
                                .round = leading_.round});
}

}  // namespace quorate::raft
