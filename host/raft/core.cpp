#include "host/raft/core.hpp"

#include "host/base/check.hpp"
#include "host/raft/mutants.hpp"

#include <algorithm>

namespace quorate::raft {
namespace {

TermLog log_of(Initial& initial) {
    return TermLog(initial.base, std::move(initial.runs), initial.last);
}

// Mixes what differs from start to start into the seed, for drivers whose seed does not.
std::uint64_t mixed(std::uint64_t seed, const Initial& initial, Time now) {
    Random random(seed ^ initial.self.value());
    std::uint64_t mix = random.next() ^ static_cast<std::uint64_t>(now.time_since_epoch().count());
    return Random(mix ^ (initial.hard.term.value() << 32) ^ initial.last.value()).next();
}

}  // namespace

Core::Core(const Options& options, Initial initial, std::uint64_t seed, Time now)
    : options_(options),
      epoch_(initial.epoch),
      self_(initial.self),
      random_(mixed(seed, initial, now)),
      now_(now),
      hard_(initial.hard),
      log_(log_of(initial)),
      memberships_(initial.snapshot.index, initial.membership),
      snapshot_(initial.snapshot),
      durable_(log_.last().index),
      cached_from_(log_.last().index.next()),
      commit_(snapshot_.index),
      recovering_(initial.recovering),
      next_wire_read_(random_.next()) {
    CHECK(bool(self_), "a member has an id");
    if (log_.contains(snapshot_)) {
        for (const Entry& entry : initial.memberships) {
            auto membership = decode_membership(entry.payload.view());
            CHECK(membership.has_value(), "storage checks what it returns");
            if (entry.id.index > snapshot_.index)
                memberships_.append(entry.id.index, std::move(*membership));
        }
    } else {
        // The crash came after a received snapshot was durable and before the log was reset to it.
        CHECK(log_.base().index <= snapshot_.index, "entries between snapshot and log are missing");
        reset_log(snapshot_, std::move(initial.membership));
    }
    // The term may be behind if the hard state was lost, or a received snapshot was faster: no vote
    // of that term ever left then.
    if (log_.last().term > hard_.term) {
        CHECK(recovering_ || log_.last() == snapshot_, "the log is ahead of the term");
        set_term(log_.last().term);
    }
    recovery_.hold = now_ + 3 * options_.election_timeout;
    arm_election_timer();
    if (options_.pre_vote && hard_.term != Term{}) ask_early();
    if (may_campaign() && is_only_voter()) election_deadline_ = now_;
    reported_role_ = {role_, hard_.term, leader_};
    past_ = {hard_, role_, commit_, snapshot_, {}};
}

void Core::step(Input input) {
    std::visit([this](auto&& kind) { on(std::move(kind)); }, std::move(input));
    check_invariants();
}

Output Core::take() {
    if (role_ == Role::leader) lead();
    if (role_ != Role::leader) acknowledge();
    seal_store();
    report_role();
    check_invariants();
    return std::exchange(out_, {});
}

// Epoch and addressee come before terms: what was not sent to this incarnation of this generation
// leaves no trace (ra.md P8).
void Core::on(Receive&& input) {
    if (input.epoch != epoch_ || input.to != self_ || input.from == self_ || !input.from) return;
    std::visit([&](auto&& m) { handle(input.from, std::move(m)); }, std::move(input.message));
}

void Core::on(Tick&& input) {
    now_ = std::max(now_, input.now);
    if (transfer_ && now_ >= transfer_->deadline) end_transfer(TransferOutcome::timed_out);
    if (role_ == Role::leader) {
        tick_leader();
    } else {
        tick_follower();
    }
}

// ---- what rests on a store ------------------------------------------------------------------

Store& Core::store() {
    if (!out_.store) {
        issued_ = Ticket(issued_.value() + 1);
        out_.store.emplace();
        out_.store->ticket = issued_;
    }
    return *out_.store;
}

void Core::persist_hard() {
    Store& unit = store();
    unit.hard = hard_;
    hard_ticket_ = unit.ticket;
}

void Core::send(MemberId to, Message message) {
    out_.sends.push_back({to, std::move(message)});
}

void Core::promise(MemberId to, Message message) {
    if (is_durable(hard_ticket_) || mutant(Mutant::vote_before_durable)) {
        send(to, std::move(message));
    } else {
        held_.push_back({hard_ticket_, {to, std::move(message)}});
    }
}

void Core::seal_store() {
    if (out_.store) outstanding_.push_back({out_.store->ticket, log_.last().index});
}

void Core::on(Stored&& input) {
    CHECK(input.ticket <= issued_, "a store that was never emitted is durable");
    if (input.ticket <= stored_) return;
    stored_ = input.ticket;
    while (!outstanding_.empty() && outstanding_.front().ticket <= stored_) {
        durable_ = std::max(durable_, outstanding_.front().last);
        outstanding_.pop_front();
    }
    auto ready = std::stable_partition(
        held_.begin(), held_.end(), [this](const Held& held) { return !is_durable(held.ticket); });
    for (auto held = ready; held != held_.end(); ++held)
        out_.sends.push_back(std::move(held->send));
    held_.erase(ready, held_.end());

    if (role_ == Role::candidate && is_durable(hard_ticket_)) count_vote(self_, true);
    if (role_ == Role::leader) maybe_commit();
    Index held = std::min(following_.matched, durable_);
    if (role_ == Role::follower && leader_ && held > following_.acknowledged) following_.due = true;
}

void Core::on(Applied&& input) {
    applied_ = std::max(applied_, input.index);
}

// ---- roles ------------------------------------------------------------------------------------

// What was held back for an older term promises nothing any more.
void Core::set_term(Term term) {
    CHECK(term > hard_.term);
    hard_ = {term, {}};
    persist_hard();
    held_.clear();
    following_ = {};
    recovery_.question = {};
    recovery_.goal = {};
    set_leader({});
}

void Core::become_follower(Term term, MemberId leader) {
    bool was_follower = role_ == Role::follower;
    if (role_ == Role::leader) leave_leadership();
    if (term > hard_.term) set_term(term);
    role_ = Role::follower;
    granted_.clear();
    refused_.clear();
    set_leader(leader);
    if (!was_follower) arm_election_timer();
}

void Core::leave_leadership() {
    fail_reads(ReadRefusal::leadership_lost);
    leading_ = {};
    following_ = {};
    leader_contact_.reset();
    leader_ = {};
}

void Core::set_leader(MemberId leader) {
    if (leader == leader_) return;
    wake_follower();
    leader_ = leader;
    fail_forwarded_reads(ReadRefusal::leadership_lost);
    if (transfer_ && leader_ && role_ != Role::leader)
        end_transfer(leader_ == transfer_->to ? TransferOutcome::done : TransferOutcome::timed_out);
}

// §3.4: drawn from [t, 2t), so that split votes are rare and soon resolved.
void Core::arm_election_timer() {
    auto spread =
        static_cast<std::uint64_t>(std::max<Duration::rep>(options_.election_timeout.count(), 1));
    election_deadline_ = now_ + options_.election_timeout +
                         Duration(static_cast<Duration::rep>(random_.below(spread)));
}

// A member with a past may be one of many that start anew, whom nobody leads. If somebody does lead, the
// question does no harm: who hears a leader does not answer (§9.6), and the leader does.
void Core::ask_early() {
    auto quarter = static_cast<std::uint64_t>(
        std::max<Duration::rep>(options_.election_timeout.count() / 4, 1));
    election_deadline_ =
        now_ + Duration(static_cast<Duration::rep>(quarter + random_.below(quarter)));
}

// A voter that the latest membership demotes or removes may hold the only copy of that entry; until
// it knows the entry committed it campaigns, without a vote of its own (§4.2.2).
bool Core::may_campaign() const {
    return !recovering_ && memberships_.is_voter_since(commit_, self_);
}

bool Core::is_only_voter() const {
    return voter_count(membership()) == 1 && is_voter(membership(), self_);
}

void Core::tick_follower() {
    if (!forwarded_.empty() && now_ >= forward_again_) {
        for (const ForwardedRead& read : forwarded_) forward_read(read.wire);
    }
    seek_recovery();
    if (asleep_ || now_ < election_deadline_) return;
    if (may_campaign()) return campaign(false);
    set_leader({});
    arm_election_timer();
}

void Core::report_role() {
    RoleChange now{role_, hard_.term, leader_};
    if (now == reported_role_) return;
    reported_role_ = now;
    out_.role = now;
}

Time Core::next_deadline() const {
    Time next = Time::max();
    if (role_ == Role::leader) {
        if (!leading_.resting) {
            next = std::min(leading_.heartbeat_at, leading_.quorum_check_at);
            if (leading_.tell_commit_at > now_) next = std::min(next, leading_.tell_commit_at);
        }
    } else if (!asleep_ && (may_campaign() || leader_)) {
        next = election_deadline_;
    }
    if (!forwarded_.empty()) next = std::min(next, forward_again_);
    if (recovering_ && leader_ && recovery_.goal == Index{})
        next = std::min(next, std::max(recovery_.hold, recovery_.ask_again));
    if (transfer_) next = std::min(next, transfer_->deadline);
    return next;
}

}  // namespace quorate::raft
