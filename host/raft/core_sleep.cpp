#include "host/raft/core.hpp"
#include "host/raft/mutants.hpp"

#include <algorithm>

// Hibernation of idle groups (docs/protocol.md §12). A leader with nothing to say tells its followers to
// sleep, each acknowledges, and then neither side has a timer. What wakes them is work, or word of a
// host: the drivers know of each other's processes with one exchange per pair of hosts, and tell a core
// which members' hosts do not answer.
//
// None of it is needed for safety: terms, votes, commits and read rounds are as they always were. A
// sleeper that is wrong about its leader is late, never wrong about the log.
namespace quorate::raft {

bool Core::is_unreachable(MemberId id) const {
    return std::find(unreachable_.begin(), unreachable_.end(), id) != unreachable_.end();
}

void Core::on(Unreachable&& input) {
    bool answered = !is_unreachable(leader_);
    unreachable_ = std::move(input.members);
    if (role_ == Role::leader) {
        for (Progress& peer : leading_.peers) note_reachable(peer);
    } else if (leader_ && answered && is_unreachable(leader_)) {
        if (asleep_ && mutant(Mutant::asleep_ignores_lost_host)) return;
        lose_leader();
    }
}

void Core::on(LeaderLost&& input) {
    if (asleep_ && leader_ == input.leader && hard_.term == input.term) lose_leader();
}

// ---- followers --------------------------------------------------------------------------------

// Only one that lacks nothing and waits for nothing: whatever else there is needs the leader awake.
void Core::fall_asleep() {
    asleep_ = options_.hibernate_rounds > 0 && log_.last().index == commit_ &&
              durable_ >= commit_ && is_durable(hard_ticket_) && !recovering_ &&
              forwarded_.empty() && !is_unreachable(leader_);
}

// Up to now its leader's host answered for the leader.
void Core::wake_follower() {
    if (!std::exchange(asleep_, false)) return;
    leader_contact_ = now_;
    arm_election_timer();
}

// Its leader is gone. Nobody waits for a group that slept, and there may be thousands of its like:
// they take a whole timeout's time. The others try to be quick, and only not to collide.
void Core::lose_leader() {
    Duration spread = asleep_ ? options_.election_timeout : options_.heartbeat_interval;
    auto below = static_cast<std::uint64_t>(std::max<Duration::rep>(spread.count(), 1));
    Time soon = now_ + Duration(static_cast<Duration::rep>(random_.below(below)));
    election_deadline_ = asleep_ ? soon : std::min(election_deadline_, soon);
    asleep_ = false;
    leader_contact_.reset();
}

// A leader of this term that asks for a vote in a later one has ceased to lead.
bool Core::asked_by_its_leader(MemberId from, Term term) const {
    return asleep_ && from == leader_ && term > hard_.term;
}

// ---- the leader -------------------------------------------------------------------------------

// Where hosts vouch for each other's processes, heartbeats only have to show that the member itself
// lives: before its followers' timers end, and not for each group as often as the hosts do.
Duration Core::heartbeat_interval() const {
    constexpr int heartbeats = 4;  // in an election timeout
    if (options_.hibernate_rounds == 0) return options_.heartbeat_interval;
    return std::max(options_.heartbeat_interval, options_.election_timeout / heartbeats);
}

// Everything is committed and held by everybody who can be asked, as far as this leader is concerned.
bool Core::is_quiet() const {
    return commit_ == log_.last().index && leading_.reads.empty() && !transfer_ &&
           std::none_of(leading_.peers.begin(), leading_.peers.end(),
                        [](const Progress& peer) { return peer.leaving.has_value(); });
}

bool Core::bids_sleep() const {
    return options_.hibernate_rounds > 0 && leading_.idle_rounds >= options_.hibernate_rounds &&
           is_quiet();
}

void Core::count_idle_round() {
    if (!is_quiet()) return stir();
    if (++leading_.idle_rounds == options_.hibernate_rounds) leading_.sleep_from = leading_.round;
}

bool Core::may_sleep(const Progress& peer) const {
    return bids_sleep() && peer.state == PeerState::replicate && !peer.recovering &&
           peer.match == log_.last().index;
}

// Needs no heartbeat. Nor does one whose host is away: it is told as soon as that is back.
bool Core::sleeps_on(const Progress& peer) {
    return bids_sleep() && (peer.asleep || (!peer.reachable && a_quorum_sleeps()));
}

bool Core::is_heard(const Progress& peer) {
    return peer.active || (peer.asleep && peer.reachable);
}

// An answer to an earlier quiet time says nothing of this one.
void Core::note_asleep(Progress& peer, const AppendReply& m) const {
    peer.asleep = m.asleep && m.accepted && m.match == log_.last().index && bids_sleep() &&
                  m.round >= leading_.sleep_from;
}

void Core::note_reachable(Progress& peer) const {
    bool answers = !is_unreachable(peer.id);
    if (answers == std::exchange(peer.reachable, answers)) return;
    peer.asleep = false;
    if (!answers) return;
    if (peer.state == PeerState::probe) peer.probe_again();
    peer.dirty = peer.greet = true;
}

// Everybody is accounted for: asleep, or away with its host. And a quorum is asleep, for a leader
// without one has to find that out and step down (§6.2).
bool Core::all_rest() {
    if (!bids_sleep()) return false;
    for (const Progress& peer : leading_.peers) {
        if (!peer.asleep && peer.reachable) return false;
    }
    return a_quorum_sleeps();
}

// On waking, the timers begin anew: what was not sent while everybody slept is not late. A leader that
// has to find out whether it still has a quorum asks everybody.
void Core::settle_rest() {
    bool rests = all_rest();
    if (leading_.resting && !rests) {
        if (!a_quorum_sleeps()) stir();
        leading_.heartbeat_at = now_ + heartbeat_interval();
        leading_.quorum_check_at = now_ + options_.election_timeout;
        for (Progress& peer : leading_.peers) {
            peer.was_active = is_heard(peer);
            peer.active = false;
        }
    }
    leading_.resting = rests;
}

}  // namespace quorate::raft
