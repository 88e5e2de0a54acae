#include "host/base/check.hpp"
#include "host/raft/core.hpp"
#include "host/raft/mutants.hpp"

#include <algorithm>

// ReadIndex (§6.4). A read waits until a quorum has answered a round of messages that was begun
// after it was asked: then this leader led when it was asked, and its commit index of that time is
// the latest. All reads of a turn share a round. Rounds belong to one leadership: their number
// goes out with its AppendEntries and comes back with the replies of the same term (ra.md P5).
namespace quorate::raft {

void Core::on(Read&& input) {
    if (role_ == Role::leader) {
        leading_.reads.push_back({input.id, self_, 0, {}});
        stir();
    } else if (leader_) {
        wake_follower();
        forwarded_.push_back({ReadId(++next_wire_read_), input.id});
        forward_read(forwarded_.back().wire);
    } else {
        out_.reads_failed.push_back({input.id, ReadRefusal::no_leader});
    }
}

// Only once an entry of this term is committed does the leader know what is committed (§6.4).
void Core::start_read_round() {
    if (leading_.reads.empty() || leading_.reads.back().round != 0) return;
    if (!term_committed() && !mutant(Mutant::read_before_term_commit)) return;
    bool nothing_happened = leading_.resting && mutant(Mutant::asleep_answers_reads);
    if (!nothing_happened) ++leading_.round;
    for (WaitingRead& read : leading_.reads) {
        if (read.round != 0) continue;
        bool joins = nothing_happened || mutant(Mutant::read_joins_old_round);
        read.round = joins ? 1 : leading_.round;
        read.index = commit_;
    }
    for (Progress& peer : leading_.peers) {
        if (is_voter(membership(), peer.id)) peer.dirty = peer.greet = true;
    }
    confirm_reads();
}

void Core::confirm_reads() {
    auto& reads = leading_.reads;
    if (reads.empty() || reads.front().round == 0) return;
    std::uint64_t confirmed = confirmed_round();
    auto waiting = std::find_if(reads.begin(), reads.end(), [&](const WaitingRead& read) {
        return read.round == 0 || read.round > confirmed;
    });
    for (auto read = reads.begin(); read != waiting; ++read)
        answer_read(read->from, read->id, read->index);
    reads.erase(reads.begin(), waiting);
}

void Core::answer_read(MemberId from, ReadId id, Index index) {
    if (from != self_) {
        send(from, ReadIndexReply{hard_.term, id, index, log_.last().index});
    } else if (index > Index{}) {
        out_.reads_ready.push_back({id, index});
    }
}

void Core::fail_reads(ReadRefusal why) {
    for (const WaitingRead& read : leading_.reads) {
        if (read.from == self_) {
            out_.reads_failed.push_back({read.id, why});
        } else {
            answer_read(read.from, read.id, {});
        }
    }
    leading_.reads.clear();
}

// Lost requests are repeated; the answer to an earlier copy is as good, for it too was made after
// the read was asked.
void Core::forward_read(ReadId wire) {
    promise(leader_, ReadIndexRequest{hard_.term, wire});
    forward_again_ = now_ + options_.election_timeout / 2;
}

void Core::fail_forwarded_reads(ReadRefusal why) {
    for (const ForwardedRead& read : forwarded_) out_.reads_failed.push_back({read.id, why});
    forwarded_.clear();
}

void Core::handle(MemberId from, ReadIndexRequest&& m) {
    if (role_ == Role::leader && !find(membership(), from)) return;
    if (m.term > hard_.term) become_follower(m.term, {});
    if (role_ != Role::leader || m.term < hard_.term) {
        promise(from, ReadIndexReply{hard_.term, m.id, {}, {}});
    } else {
        leading_.reads.push_back({m.id, from, 0, {}});
        stir();
    }
}

void Core::handle(MemberId from, ReadIndexReply&& m) {
    if (m.term > hard_.term) {
        if (role_ == Role::leader && !find(membership(), from)) return;
        return become_follower(m.term, {});
    }
    bool answered = m.term == hard_.term && m.index > Index{};
    if (answered && recovering_ && m.id == recovery_.question) {
        recovery_.goal = std::max(m.index, m.leader_last);
        return;
    }
    auto read =
        std::find_if(forwarded_.begin(), forwarded_.end(),
                     [&](const ForwardedRead& forwarded) { return forwarded.wire == m.id; });
    if (read == forwarded_.end()) return;
    if (answered) {
        out_.reads_ready.push_back({read->id, m.index});
    } else {
        out_.reads_failed.push_back({read->id, ReadRefusal::no_leader});
    }
    forwarded_.erase(read);
}

}  // namespace quorate::raft
