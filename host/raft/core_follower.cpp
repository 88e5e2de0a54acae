#include "host/base/check.hpp"
#include "host/raft/core.hpp"
#include "host/raft/mutants.hpp"

#include <algorithm>
#include <iterator>

namespace quorate::raft {
namespace {

bool memberships_decode(const std::vector<Entry>& entries) {
    return std::all_of(entries.begin(), entries.end(), [](const Entry& entry) {
        return entry.kind != EntryKind::membership || decode_membership(entry.payload.view());
    });
}

}  // namespace

// Follower side of AppendEntries (§3.5 and Figure 3.1, "Receiver implementation").
// Post: our log holds m.prev and all of m.entries, or the leader is told where to look.
void Core::handle(MemberId from, AppendEntries&& m) {
    if (!obey(from, m.term, m.round)) return refuse_append(from, m);
    if (!memberships_decode(m.entries)) return;
    seek_recovery();
    if (!has_prev(m.prev)) return refuse_append(from, m);
    // Only what this very message matched is known to be the leader's (ra.md P1).
    Index matched = mutant(Mutant::follower_commit_beyond_match) ? Index(~0ull) : m.last;
    Index leader_commit = m.commit;
    bool sleep = m.sleep && m.round == following_.round && m.last == m.leader_last;
    following_.matched = std::max(following_.matched, m.last);
    accept(std::move(m));
    Index known = std::min({leader_commit, matched, log_.last().index});
    if (known > commit_) advance_commit(known);
    report_removal(leader_commit);
    bool news = durable_ >= following_.matched && following_.matched > following_.acknowledged;
    if (news || std::exchange(following_.refused, false)) following_.due = true;
    if (sleep) fall_asleep();
}

bool Core::obey(MemberId from, Term term, std::uint64_t round) {
    if (term < hard_.term) return false;
    if (term > hard_.term || role_ != Role::follower) {
        CHECK(role_ != Role::leader || term > hard_.term, "two leaders in one term");
        become_follower(term, from);
    }
    CHECK(!leader_ || leader_ == from, "two leaders in one term");
    set_leader(from);
    if (round >= following_.round) asleep_ = false;  // else overtaken by the word to sleep
    leader_contact_ = now_;
    arm_election_timer();
    if (round > following_.round) {
        following_.round = round;
        following_.due = true;
    }
    return true;
}

// What is committed is in every later leader's log, so a prev that lies there needs no look at the
// entry, which may be compacted.
bool Core::has_prev(EntryId prev) const {
    if (mutant(Mutant::missing_prev_check)) return prev.index <= log_.last().index;
    if (prev.index > commit_) return log_.contains(prev);
    CHECK(!log_.holds(prev.index) || log_.contains(prev),
          "the leader disagrees below the commit index");
    return true;
}

// To an earlier term's message it says the term and nothing else: its sender may lead this one by now,
// and what was asked in the other must not pass for an answer in this.
void Core::refuse_append(MemberId from, const AppendEntries& m) {
    AppendReply reply{.term = hard_.term, .recovering = recovering_};
    if (mutant(Mutant::earlier_round_answered)) reply.round = m.round;
    if (m.term == hard_.term) {
        reply.match = m.prev.index;
        reply.round = m.round;
        reply.applied = applied_;
        reply.hint = log_.latest_not_after(m.prev.index.prev(), m.prev.term);
        if (reply.hint.index < commit_) reply.hint = log_.id_at(commit_);
        following_.answered = following_.round;
        following_.due = false;
        following_.refused = true;
    }
    promise(from, reply);
}

// Skips what is held: a late or repeated message must not shorten the log.
void Core::accept(AppendEntries&& m) {
    auto entry = m.entries.begin();
    while (entry != m.entries.end() && entry->id.index <= log_.last().index) {
        if (log_.holds(entry->id.index) && !log_.contains(entry->id)) {
            truncate_from(entry->id.index);
            break;
        }
        ++entry;
    }
    if (mutant(Mutant::duplicate_truncates) && m.last < log_.last().index && m.last >= commit_)
        truncate_from(m.last.next());
    if (entry == m.entries.end()) return;
    m.entries.erase(m.entries.begin(), entry);
    append(std::move(m.entries));
}

// One reply a turn says all: what is durable here and equal to the leader's log. What is
// committed is the leader's too, even if this leader did not send it.
void Core::acknowledge() {
    finish_recovery();
    if (!following_.due || !leader_ || !is_durable(hard_ticket_)) return;
    Index held = std::max(following_.matched, commit_);
    if (!mutant(Mutant::ack_before_durable)) held = std::min(held, durable_);
    send(leader_, AppendReply{.term = hard_.term,
                              .accepted = true,
                              .recovering = recovering_,
                              .match = held,
                              .round = following_.round,
                              .applied = applied_,
                              .asleep = asleep_});
    following_.acknowledged = held;
    following_.due = false;
}

}  // namespace quorate::raft
