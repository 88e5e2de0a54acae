#include "host/base/check.hpp"
#include "host/raft/core.hpp"
#include "host/raft/mutants.hpp"
#include "host/raft/quorum.hpp"

#include <algorithm>

namespace quorate::raft {

void Core::on(Campaign&&) {
    if (role_ != Role::leader && may_campaign()) campaign(false);
}

void Core::campaign(bool transfer) {
    if (options_.pre_vote && !transfer && !is_only_voter()) {
        become_pre_candidate();
    } else {
        become_candidate(transfer);
    }
}

// §9.6: asks whether an election could be won before it disturbs anybody's term.
void Core::become_pre_candidate() {
    role_ = Role::pre_candidate;
    set_leader({});
    granted_ = {self_};
    refused_.clear();
    arm_election_timer();
    solicit({.term = hard_.term.next(), .last = log_.last(), .pre_vote = true});
}

// §3.4. The requests, and the vote for itself, count once term and vote are durable.
void Core::become_candidate(bool transfer) {
    role_ = Role::candidate;
    set_term(hard_.term.next());
    hard_.vote = self_;
    persist_hard();
    granted_.clear();
    refused_.clear();
    arm_election_timer();
    solicit({.term = hard_.term, .last = log_.last(), .transfer = transfer});
}

void Core::solicit(const VoteRequest& request) {
    for (const Member& member : membership().members) {
        if (member.kind == VoteKind::voter && member.id != self_) promise(member.id, request);
    }
}

// Every member answers, whatever it knows of its own vote kind: who asks knows a membership in
// which it is a voter, and its vote may be needed to keep the group available (§4.2.2). One that is
// recovering does not know what it has promised and stays silent.
void Core::handle(MemberId from, VoteRequest&& m) {
    if (recovering_) return;
    if (asked_by_its_leader(from, m.term)) lose_leader();
    // §4.2.3: whoever hears a leader does not help to depose it, unless the leader asked for it.
    if (!m.transfer && hears_a_leader()) {
        Progress* known = role_ == Role::leader ? peer(from) : nullptr;
        if (known) {
            known->dirty = known->greet = true;
            known->asleep = false;
        }
        return;
    }
    if (role_ == Role::leader && !find(membership(), from)) return;
    if (m.pre_vote) return answer_pre_vote(from, m);
    if (m.term > hard_.term) become_follower(m.term, {});
    answer_vote(from, m);
}

bool Core::hears_a_leader() const {
    if (role_ == Role::leader) return options_.check_quorum;
    if (asleep_) return true;  // its host answers, and did not say that it ceased to lead
    return leader_ && leader_contact_ && now_ < *leader_contact_ + options_.election_timeout;
}

// A pre-vote promises nothing: it neither takes nor needs the real one. Of two that ask each other, the
// one with the longer log goes on, or that with the lower id: both would split the votes of the term.
void Core::answer_pre_vote(MemberId from, const VoteRequest& m) {
    bool may_vote = m.term > hard_.term ||
                    (m.term == hard_.term && !leader_ && (!hard_.vote || hard_.vote == from));
    bool granted = may_vote && is_up_to_date(m.last);
    promise(from,
            VoteReply{.term = granted ? m.term : hard_.term, .pre_vote = true, .granted = granted});
    bool better = m.last > log_.last() || from < self_;
    if (granted && better && role_ == Role::pre_candidate) become_follower(hard_.term, {});
}

// Figure 3.1, RequestVote, receiver implementation.
void Core::answer_vote(MemberId from, const VoteRequest& m) {
    bool free = !hard_.vote || hard_.vote == from || mutant(Mutant::double_vote);
    bool up_to_date = is_up_to_date(m.last) || mutant(Mutant::vote_ignores_log);
    bool granted = m.term == hard_.term && role_ == Role::follower && free && up_to_date &&
                   (!leader_ || leader_ == from);
    if (granted) {
        if (hard_.vote != from) {
            hard_.vote = from;
            persist_hard();
        }
        arm_election_timer();
    }
    promise(from, VoteReply{.term = hard_.term, .granted = granted});
}

void Core::handle(MemberId from, VoteReply&& m) {
    bool future_grant =
        m.pre_vote && m.granted;  // carries the term asked for, which is not ours yet
    if (m.term > hard_.term && !future_grant) {
        if (role_ == Role::leader && !find(membership(), from)) return;
        return become_follower(m.term, {});
    }
    if (role_ == Role::pre_candidate && m.pre_vote) {
        if (!m.granted || m.term == hard_.term.next()) count_vote(from, m.granted);
    } else if (role_ == Role::candidate && !m.pre_vote) {
        if (m.term == hard_.term || mutant(Mutant::stale_vote_counted)) count_vote(from, m.granted);
    }
}

void Core::count_vote(MemberId from, bool granted) {
    std::vector<MemberId>& side = granted ? granted_ : refused_;
    if (std::find(side.begin(), side.end(), from) == side.end()) side.push_back(from);
    auto votes = [this](const std::vector<MemberId>& ids) {
        return static_cast<std::size_t>(std::count_if(
            ids.begin(), ids.end(), [this](MemberId id) { return is_voter(membership(), id); }));
    };
    std::size_t needed = majority(voter_count(membership()));
    if (mutant(Mutant::minority_quorum)) needed -= needed > 1 ? 1 : 0;
    if (votes(granted_) >= needed) {
        role_ == Role::pre_candidate ? become_candidate(false) : become_leader();
    } else if (votes(refused_) > voter_count(membership()) - needed) {
        become_follower(hard_.term, {});
    }
}

// §3.10: the leader waited until this log was complete, so the election cannot be lost for that.
void Core::handle(MemberId from, TimeoutNow&& m) {
    if (m.term != hard_.term || from != leader_ || role_ != Role::follower || !may_campaign())
        return;
    campaign(true);
}

}  // namespace quorate::raft
