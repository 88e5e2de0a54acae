#include "host/base/check.hpp"
#include "host/base/log.hpp"
#include "host/group/group_impl.hpp"
#include "host/raft/membership.hpp"

#include <algorithm>
#include <utility>

// Inputs, the turn that gathers them, and what a turn's output asks for.
namespace quorate::group {

// ---- inputs -------------------------------------------------------------------------------------

void Group::Impl::receive(RaftEnvelope message, const HostName& from) {
    if (!is_active() || message.group != registration_.group) return;
    if (!from.empty()) hosts_[message.from] = from;
    step(raft::Receive{message.from, message.to, message.epoch, std::move(message.message)});
}

void Group::Impl::receive(const SnapshotFetch& message, const HostName& from) {
    if (!is_active() || message.to != registration_.member) return;
    sender_.serve(message, from);
}

void Group::Impl::receive(SnapshotPiece message) {
    if (!is_active() || message.to != registration_.member) return;
    fetcher_.receive(std::move(message));
}

void Group::Impl::stored(Ticket ticket) {
    guarded([this, ticket] {
        if (!is_active() || !ticket) return;
        while (!storing_.empty() && storing_.front().ticket <= ticket) {
            durable_ = storing_.front().last;
            unstored_bytes_ -= storing_.front().bytes;
            memory_->unstored -= storing_.front().bytes;
            storing_.pop_front();
        }
        step(raft::Stored{ticket});
    });
}

void Group::Impl::tell_time() {
    Time now = scheduler_.now();
    if (now == told_time_) return;
    told_time_ = now;
    core_->step(raft::Tick{now});
}

void Group::Impl::step(raft::Input input) {
    if (!is_active()) return;
    tell_time();
    core_->step(std::move(input));
    wake();
}

void Group::Impl::wake() {
    if (std::exchange(turn_posted_, true)) return;
    scheduler_.post([this] {
        turn_posted_ = false;
        if (is_active()) turn();
    });
}

void Group::Impl::arm_tick() {
    if (core_->next_deadline() == Time::max()) return;
    // Time must pass for a tick to say anything.
    Time next = std::max(core_->next_deadline(), told_time_ + 1ms);
    // An earlier timer finds nothing due and arms the next one: cheaper than a timer per turn.
    if (tick_timer_ != 0 && tick_at_ <= next) return;
    if (tick_timer_ != 0) scheduler_.cancel(std::exchange(tick_timer_, 0));
    tick_at_ = next;
    tick_timer_ = scheduler_.at(next, [this] {
        tick_timer_ = 0;
        if (!is_active()) return;
        if (core_->next_deadline() > scheduler_.now()) return arm_tick();
        tell_time();
        wake();
    });
}

// ---- the turn -------------------------------------------------------------------------------------

void Group::Impl::turn() {
    tell_time();
    if (auto commands = take_commands()) core_->step(std::move(*commands));
    if (auto read = queries_.take_read()) core_->step(*read);
    execute(core_->take());
    if (!is_active()) return;
    place_.update(load());
    fetched_.clear();
    settle_recovery();
    trim_cache();
    arm_tick();
    check_hand_over();
}

// Those of who does not lead are refused, for which there is always room.
std::optional<raft::Propose> Group::Impl::take_commands() {
    if (leads() && !place_.may_propose(load())) return std::nullopt;
    return submissions_.take_batch(changes_.next_id());
}

// Answers go out last: whoever gets one may call back, and finds the turn done.
void Group::Impl::execute(raft::Output output) {
    if (output.membership) {
        remember_hosts(*output.membership);
        tell_reachability();
    }
    if (output.store) write(std::move(*output.store));
    for (raft::Send& message : output.sends) send(std::move(message));
    if (output.install) install(*output.install);
    for (const raft::NeedEntries& need : output.need_entries) fetch_entries(need);
    if (output.snapshot_wanted) {
        remember_hosts(output.snapshot_wanted->membership);
        fetcher_.fetch(*output.snapshot_wanted);
    }
    for (const raft::Proposed& proposed : output.proposed) on(proposed);
    for (const raft::Changed& changed : output.changes) changes_.on(changed);
    if (output.role) on(*output.role);
    if (output.commit) {
        applier_.commit_to(*output.commit);
        if (is_active()) changes_.committed();
    }
    if (!is_active()) return;
    for (const raft::ReadReady& ready : output.reads_ready) queries_.on(ready);
    for (const raft::ReadFailed& failed : output.reads_failed) queries_.on(failed);
    for (const raft::Transferred& transferred : output.transfers) changes_.on(transferred);
    if (output.removed) leave("the member was removed from its group");
}

void Group::Impl::write(raft::Store store) {
    cache_.follow(store);
    Index last = cache_.next().prev();
    Index kept = store.reset           ? store.reset->index
                 : store.truncate_from ? store.truncate_from->prev()
                                       : last;
    for (std::size_t i = 0; i < storing_.size(); ++i)
        storing_[i].last = std::min(storing_[i].last, kept);
    durable_ = std::min(durable_, kept);
    std::uint64_t bytes = 0;
    for (const raft::Entry& entry : store.entries) bytes += entry.payload.size();
    unstored_bytes_ += bytes;
    memory_->unstored += bytes;
    storing_.push_back({store.ticket, last, bytes});
    env_.log.write(registration_.group, std::move(store));
}

void Group::Impl::send(raft::Send message) {
    HostName host = host_of(message.to);
    if (host.empty())
        return;  // heard of only by its id: it will be told where it lives, or ask again
    if (auto* append = std::get_if<raft::AppendEntries>(&message.message)) {
        attach_entries(message.to, *append);
    }
    env_.links.send(host,
                    RaftEnvelope{registration_.group, registration_.epoch, registration_.member,
                                 message.to, std::move(message.message)});
}

void Group::Impl::attach_entries(MemberId to, raft::AppendEntries& append) const {
    if (append.last <= append.prev.index) return;
    append.entries.reserve(append.last - append.prev.index);
    for (Index i = append.prev.index.next(); i <= append.last; i = i.next()) {
        const raft::Entry* entry = cache_.holds(i) ? &cache_.at(i) : find_fetched(to, i);
        CHECK(entry != nullptr, "the core sends entries that are neither cached nor fetched");
        append.entries.push_back(*entry);
    }
}

const raft::Entry* Group::Impl::find_fetched(MemberId to, Index index) const {
    auto found = fetched_.find(to);
    if (found == fetched_.end()) return nullptr;
    for (const std::vector<raft::Entry>& run : found->second) {
        if (run.front().id.index <= index && index <= run.back().id.index) {
            return &run[index - run.front().id.index];
        }
    }
    return nullptr;
}

void Group::Impl::fetch_entries(const raft::NeedEntries& need) {
    CatchUpPace::Read read{.asked = scheduler_.now(),
                           .from = need.from,
                           .last = core_->last().index,
                           .has_work = submissions_.count() > 0};
    Duration pause = pace_.next_pause(need.peer, read);
    if (pause == 0ns) return read_entries(need);
    scheduler_.at(read.asked + pause, [this, need] {
        if (is_active()) read_entries(need);
    });
}

void Group::Impl::read_entries(const raft::NeedEntries& need) {
    auto done = [this, need](Result<std::vector<raft::Entry>> read) {
        if (!is_active()) return;
        raft::EntriesFetched fetched{need.peer, need.from, {}, need.term};
        if (!read.has_value()) {
            log::warning("log_not_read", to_string(read.error()),
                         {{"group", registration_.name}, {"index", need.from.value()}});
        } else if (!read->empty()) {
            for (const raft::Entry& entry : *read) {
                fetched.bytes.push_back(static_cast<std::uint32_t>(entry.payload.size()));
            }
            fetched_[need.peer].push_back(std::move(*read));
        }
        step(std::move(fetched));
    };
    env_.log.read(registration_.group, need.from, need.to, need.max_bytes, env_.scheduler,
                  scheduler_.guard(storage::LogStore::ReadDone(std::move(done))));
}

void Group::Impl::on(const raft::Proposed& proposed) {
    changes_.on(proposed);
    switch (proposed.refusal) {
        case raft::ProposeRefusal::none:
            return submissions_.appended(proposed);
        case raft::ProposeRefusal::not_leader:
            return submissions_.refused(
                proposed.id,
                {fail(Errc::not_leader, "this member does not lead the group"), leader_host()});
        case raft::ProposeRefusal::transferring:
            return submissions_.refused(
                proposed.id, {fail(Errc::not_leader, "leadership is being handed over"), {}});
        case raft::ProposeRefusal::too_many_uncommitted:
            return submissions_.refused(proposed.id,
                                        {fail_overloaded("too much of the log is not committed",
                                                         submissions_.retry_after_ms()),
                                         leader_host()});
    }
}

void Group::Impl::on(const raft::RoleChange& change) {
    bool led = role_.role == raft::Role::leader;
    bool leads_on = change.role == raft::Role::leader && change.term == role_.term;
    role_ = change;
    if (led && !leads_on) {
        submissions_.leadership_lost();
        place_.leave();
        wake();  // what is queued is refused, or asks for a place anew
    }
    if (change.leader) queries_.leader_found();
    if (HostName leader = leader_host(); leader != told_leader_) {
        told_leader_ = leader;
        env_.observer.leader_changed(registration_.group, leader);
    }
    if (leads() && !machine().has_value() && !machine_is_coming()) hand_over_soon({});
}

void Group::Impl::install(EntryId snapshot) {
    submissions_.skipped(snapshot.index);
    applier_.install(snapshot);
    background_.run<Done>(
        [&store = env_.snapshots, group = registration_.group,
         keep = options_.snapshots_kept]() -> Result<Done> {
            TRY_VOID(store.prune(group, keep));
            return Done{};
        },
        [](const Result<Done>&) {});
}

// Entries that are not durable may be asked of the cache alone; those that are not applied yet will
// be asked for next, unless applying has stopped and the log grows all the same.
void Group::Impl::trim_cache() {
    // A sleeper needs none; a payload kept is the whole message kept that it came with.
    bool idle = core_->asleep() && applied().index == cache_.next().prev();
    std::uint64_t keep = idle ? 0 : options_.cache_bytes;
    if (cache_.bytes() > keep) drop_cached(keep);
    count_cache();
    if (memory_->caches_full()) env_.observer.caches_full();
}

void Group::Impl::drop_cached(std::uint64_t keep) {
    bool trimmed = cache_.trim(keep, std::min(durable_, applied().index).next());
    trimmed |= cache_.trim(2 * keep, durable_.next());
    if (trimmed) core_->step(raft::CacheTrimmed{cache_.first()});
}

void Group::Impl::count_cache() {
    memory_->cached += cache_.bytes() - cached_bytes_;  // less is a wrap, and comes out right
    cached_bytes_ = cache_.bytes();
}

// The host's members keep too much between them, idle ones included.
void Group::Impl::shrink_cache(std::uint64_t keep) {
    if (!is_active() || cache_.bytes() <= keep) return;
    drop_cached(keep);
    count_cache();
}

// ---- what applying did ------------------------------------------------------------------------------

void Group::Impl::entry_applied(EntryId entry, const Bytes& reply) {
    submissions_.applied(entry, reply);
}

void Group::Impl::state_moved() {
    if (!is_active()) return;
    if (machine().has_value() && !applier_.replaying()) {
        hand_over_delay_ = {};
        told_heir_.reset();
    }
    if (Index applied = this->applied().index; applied > told_applied_) {
        told_applied_ = applied;
        step(raft::Applied{applied});
    }
    queries_.applied();
    taker_.state_moved();
}

void Group::Impl::applying_stopped() {
    Error why = machine_trouble();
    submissions_.stand_still(applied().index.next(), why);
    place_.update(load());
    queries_.machine_lost();
    hand_over_soon({});
}

// The build that is remembered is one that works. While none does, those that failed are.
void Group::Impl::build_changed() {
    if (registration_.standstill == applier_.standstill()) return;  // failed here before
    registration_.standstill = applier_.standstill();
    if (registration_.standstill.at == Index{} && registration_.machine != applier_.build()) {
        registration_.machine = applier_.build();
        env_.observer.machine_changed(registration_.group, registration_.machine);
    }
    auto done = [name = registration_.name](const Result<void>& updated) {
        if (updated.has_value()) return;
        log::warning("build_not_remembered",
                     "the next start begins with the build that was remembered before: " +
                         to_string(updated.error()),
                     {{"group", name}});
    };
    env_.log.update_registration(registration_.group, encode(registration_), env_.scheduler,
                                 scheduler_.guard(std::function<void(Result<void>)>(done)));
}

// ---- who is where -------------------------------------------------------------------------------------

bool Group::Impl::leads() const {
    return is_active() && core_->role() == raft::Role::leader;
}

HostName Group::Impl::leader_host() const {
    return is_active() && core_->leader() ? host_of(core_->leader()) : HostName();
}

HostName Group::Impl::host_of(MemberId member) const {
    auto found = hosts_.find(member);
    return found == hosts_.end() ? HostName() : found->second;
}

void Group::Impl::remember_hosts(const raft::Membership& membership) {
    for (const raft::Member& member : membership.members) {
        hosts_[member.id] = member.host;
        env_.links.watch(member.host);
    }
}

}  // namespace quorate::group
