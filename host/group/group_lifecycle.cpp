#include "host/base/check.hpp"
#include "host/base/log.hpp"
#include "host/group/group_impl.hpp"
#include "host/group/repair.hpp"

#include <algorithm>
#include <utility>

// How a member begins, hands over, ends, and is fenced.
namespace quorate::group {
namespace {

constexpr Duration max_hand_over_delay = 60s;
// A deleted group's leader waits this many election timeouts for its followers to learn of the end.
constexpr int farewell_timeouts = 5;
// How many election timeouts a command may still settle in after its leader lost leadership.
constexpr int linger_timeouts = 3;

}  // namespace

Group::Impl::Impl(Environment environment, GroupOptions options, Registration registration,
                  std::optional<storage::RecoveredLog> recovered)
    : env_(std::move(environment)),
      options_(options),
      registration_(std::move(registration)),
      recovered_(std::move(recovered)),
      memory_(env_.memory ? env_.memory : std::make_shared<HostMemory>(HostMemory::Limits{})),
      replies_(memory_),
      scheduler_(env_.scheduler, [this](const std::exception& e) { fence(e); }),
      deadlines_(scheduler_),
      background_(scheduler_),
      cache_(Index(1)),
      applier_(
          {scheduler_, background_, env_.log, cache_,
           MachineSource{env_.machines, env_.snapshots, first_build(env_.machines, registration_),
                         registration_.group, registration_.name},
           registration_.standstill, *this, replies_},
          {options_.apply_batch}),
      submissions_(scheduler_, deadlines_, linger_timeouts * options_.raft.election_timeout),
      place_(env_.admission, [this] { wake(); }),
      queries_(*this, scheduler_, deadlines_, replies_, options_.raft),
      changes_(*this, deadlines_),
      taker_({*this, background_, env_.snapshots, env_.log, applier_, options_, registration_,
              env_.host}),
      fetcher_({*this, background_, scheduler_, deadlines_, env_.snapshots, env_.links, taker_,
                options_, registration_}),
      sender_({background_, scheduler_, deadlines_, env_.snapshots, env_.links, options_,
               registration_}) {
    ++memory_->members;
    remember_hosts(registration_.initial);
}

Group::Impl::~Impl() {
    if (tick_timer_ != 0) scheduler_.cancel(tick_timer_);
    if (attached_) env_.log.detach(registration_.group);
    memory_->unstored -= unstored_bytes_;
    memory_->cached -= cached_bytes_;
    --memory_->members;
}

// ---- start --------------------------------------------------------------------------------------

void Group::Impl::start(std::function<void()> begun) {
    CHECK(phase_ == Phase::created, "a member is started once");
    phase_ = Phase::starting;
    begun_ = std::move(begun);
    background_.run<FoundState>(
        [source = applier_.source()]() -> Result<FoundState> { return find_state(source); },
        [this](Result<FoundState> state) {
            if (phase_ != Phase::starting) return;
            if (state.has_value()) return found(std::move(*state));
            FoundState nothing;
            nothing.machine_error = state.error();
            nothing.unreadable.push_back(state.error());
            found(std::move(nothing));
        });
}

void Group::Impl::found(FoundState state) {
    for (const Error& error : state.unreadable) {
        log::error("snapshot_unreadable", to_string(error), {{"group", registration_.name}});
    }
    std::optional<storage::SnapshotMeta> meta;
    if (state.snapshot) meta = state.snapshot->meta;
    Recovery recovery = plan_recovery(registration_, std::move(recovered_), meta);
    if (!recovery.damage.empty()) {
        log::warning("member_recovering",
                     recovery.damage +
                         "; it neither votes nor acknowledges before it has from its peers what "
                         "it may have promised, up to entry " +
                         std::to_string(recovery.initial.recover_past.value()),
                     {{"group", registration_.name}});
        trouble_ = recovery.damage;
    }
    if (recovery.forgets) return remember_damage(std::move(recovery), std::move(state));
    begin(std::move(recovery), std::move(state));
}

void Group::Impl::remember_damage(Recovery recovery, FoundState state) {
    registration_.recover_past = recovery.initial.recover_past;
    struct Kept {
        Recovery recovery;
        FoundState state;
    };
    auto kept = std::make_shared<Kept>(Kept{std::move(recovery), std::move(state)});
    auto done = [this, kept](const Result<void>& updated) {
        if (phase_ != Phase::starting) return;
        // Nothing was promised yet and nothing is: the member stays as it is until a restart.
        if (!updated.has_value()) return silence(updated.error());
        begin(std::move(kept->recovery), std::move(kept->state));
    };
    env_.log.update_registration(registration_.group, encode(registration_), env_.scheduler,
                                 scheduler_.guard(std::function<void(Result<void>)>(done)));
}

void Group::Impl::begin(Recovery recovery, FoundState state) {
    raft::Initial& initial = recovery.initial;
    remember_hosts(initial.membership);
    for (const raft::Entry& entry : initial.memberships) {
        if (auto membership = raft::decode_membership(entry.payload.view())) {
            remember_hosts(*membership);
        }
    }
    Index last = initial.last;
    raft::HardState hard = initial.hard;
    was_recovering_ = initial.recovering;
    cache_ = EntryCache(last.next());
    durable_ = last;
    told_time_ = scheduler_.now();
    core_ = std::make_unique<raft::Core>(options_.raft, std::move(initial), scheduler_.random(),
                                         told_time_);
    env_.log.attach(registration_.group, env_.scheduler, *this);
    attached_ = true;
    if (recovery.reset) {
        raft::Store reset;
        reset.reset = recovery.reset;
        reset.hard = hard;
        env_.log.write(registration_.group, std::move(reset));
    }
    phase_ = Phase::running;
    applier_.begin(std::move(state));
    step(raft::CacheTrimmed{last.next()});
    tell_reachability();
    state_moved();
    arm_tick();
    std::exchange(begun_, [] {})();
}

// ---- a leader that cannot apply -------------------------------------------------------------------

// It holds up every command of the group, so another member should lead: one whose machine has
// applied all that is committed. While none is known to have, this one stays, for an election would
// help nobody, and looks again with every heartbeat, whose answers say how far the others are.
void Group::Impl::hand_over_soon(Duration wait) {
    if (hand_over_pending_ || !leads()) return;
    hand_over_pending_ = true;
    deadlines_.add(scheduler_.now() + wait, [this] { hand_over(); });
}

void Group::Impl::hand_over() {
    hand_over_pending_ = false;
    if (!leads() || machine().has_value() || machine_is_coming()) return;
    MemberId heir = able_member();
    say_cannot_apply(host_of(heir));
    if (!heir) return hand_over_soon(options_.raft.heartbeat_interval);
    changes_.transfer(heir, scheduler_.now() + 2 * options_.raft.election_timeout,
                      [this](const Result<Done>&) { hand_over_soon(hand_over_delay_); });
    hand_over_delay_ = std::clamp<Duration>(2 * hand_over_delay_, options_.raft.election_timeout,
                                            max_hand_over_delay);
}

// The voter with the most complete log of those that have applied all that is committed, an entry of
// this term included. 0: none is known.
MemberId Group::Impl::able_member() const {
    Index commit = core_->commit();
    if (core_->term_at(commit) != core_->term()) return {};
    std::optional<raft::Core::PeerStatus> best;
    for (const raft::Core::PeerStatus& peer : core_->peers()) {
        const raft::Member* member = raft::find(core_->membership(), peer.id);
        bool able = member != nullptr && member->kind == raft::VoteKind::voter &&
                    peer.recent_active && !peer.recovering && peer.applied >= commit;
        if (able && (!best || peer.match > best->match)) best = peer;
    }
    return best ? best->id : MemberId{};
}

// Once, until something changes.
void Group::Impl::say_cannot_apply(const HostName& heir) {
    if (told_heir_ == heir) return;
    told_heir_ = heir;
    log::warning("leader_cannot_apply",
                 heir.empty()
                     ? "the leader cannot apply, and no other member is known to: it stays "
                       "and refuses commands"
                     : "the leader cannot apply and hands leadership to a member that can",
                 {{"group", registration_.name}, {"to", heir.empty() ? "-" : heir}});
}

void Group::Impl::settle_recovery() {
    if (!was_recovering_ || core_->recovering()) return;
    was_recovering_ = false;
    trouble_.clear();
    log::info("member_repaired", "the member holds again all that it may have promised",
              {{"group", registration_.name}});
    env_.log.repaired(registration_.group);
    if (registration_.recover_past == Index{}) return;
    registration_.recover_past = {};
    env_.log.update_registration(registration_.group, encode(registration_), env_.scheduler,
                                 [](const Result<void>&) {});
}

// ---- the end --------------------------------------------------------------------------------------

void Group::Impl::end_of_life(EntryId entry) {
    submissions_.ended(entry.index, fail(Errc::no_such_group, "the group was deleted"));
    queries_.fail_all(fail(Errc::no_such_group, "the group was deleted"));
    Time give_up = scheduler_.now() + farewell_timeouts * options_.raft.election_timeout;
    if (leads()) return await_followers(entry.index, give_up);
    leave("the group was deleted");
}

// The leader goes last: a follower that never learns of the commit would stay for ever. One more heartbeat
// tells whom the word did not reach.
void Group::Impl::await_followers(Index entry, Time give_up) {
    auto peers = core_->peers();
    bool all = std::ranges::all_of(
        peers, [entry](const auto& peer) { return peer.match >= entry && peer.told >= entry; });
    Time now = scheduler_.now();
    if (!leads() || now >= give_up || peers.empty()) return leave("the group was deleted");
    Time next = now + options_.raft.heartbeat_interval;
    if (all) next = give_up = now + core_->heartbeat_interval();
    deadlines_.add(next, [this, entry, give_up] { await_followers(entry, give_up); });
}

void Group::Impl::leave(const char* why) {
    if (std::exchange(left_, true)) return;
    log::info("member_ended", why, {{"group", registration_.name}});
    trouble_ = why;
    scheduler_.post([this] { env_.observer.ended(registration_.group); });
}

void Group::Impl::stop(bool hand_over, std::function<void()> done) {
    if (stop_done_) {  // asked twice: both hear of the one end
        stop_done_ = [first = std::move(stop_done_), done = std::move(done)] {
            first();
            done();
        };
        return;
    }
    stop_done_ = std::move(done);
    bool others = core_ && std::ranges::any_of(core_->membership().members, [this](const auto& m) {
                      return m.kind == raft::VoteKind::voter && m.id != registration_.member;
                  });
    if (!hand_over || phase_ != Phase::running || !leads() || !others) return finish_stop();
    phase_ = Phase::stopping;
    Time limit = scheduler_.now() + options_.raft.election_timeout;
    deadlines_.add(limit, [this] { finish_stop(); });
    changes_.transfer({}, limit + 1s, [this](const Result<Done>& transferred) {
        if (!transferred.has_value()) return finish_stop();
        handed_over_ = true;
        check_hand_over();
    });
}

// What was on its way when leadership went may still settle here, under the new leader.
void Group::Impl::check_hand_over() {
    if (phase_ != Phase::stopping || !handed_over_ || submissions_.count() != 0) return;
    if (std::exchange(saying_farewell_, true)) return;
    deadlines_.add(scheduler_.now() + options_.farewell, [this] { finish_stop(); });
}

void Group::Impl::finish_stop() {
    if (phase_ != Phase::fenced) {
        silence(fail(Errc::member_stopped, "the member was stopped"));
    }
    // The caller may destroy the member in it: nothing of the member runs after it.
    background_.when_idle([this] {
        stopped_ = true;
        if (stop_done_) env_.scheduler.post(std::exchange(stop_done_, nullptr));
    });
}

void Group::Impl::fence(const std::exception& broken) {
    if (phase_ == Phase::fenced || phase_ == Phase::stopped) return;
    log::error("member_fenced", broken.what(),
               {{"group", registration_.name}, {"member", registration_.member.value()}});
    bool stopping = phase_ == Phase::stopping;
    phase_ = Phase::fenced;
    trouble_ = broken.what();
    silence(fail(Errc::member_fenced, std::string("the member is fenced: ") + broken.what()));
    if (!told_leader_.empty()) env_.observer.leader_changed(registration_.group, {});
    if (stopping) finish_stop();
}

// Nothing is sent, stored or applied from here on; whatever waits is answered.
void Group::Impl::silence(const Error& why) {
    HostName leader = leader_host();
    wake_followers();
    if (phase_ != Phase::fenced) phase_ = Phase::stopped;
    if (trouble_.empty()) trouble_ = why.what;
    if (std::exchange(attached_, false)) env_.log.detach(registration_.group);
    scheduler_.cancel(std::exchange(tick_timer_, 0));
    applier_.stop();
    fetcher_.stop();
    sender_.stop();
    taker_.stop(why);
    submissions_.fail_all(why, leader);
    place_.leave();
    queries_.fail_all(why);
    changes_.fail_all(why);
    deadlines_.clear();
    std::exchange(begun_, [] {})();
}

}  // namespace quorate::group
