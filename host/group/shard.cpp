#include "host/group/shard.hpp"

#include "host/base/check.hpp"
#include "host/base/log.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace quorate::group {

namespace {

// How often sleeping followers' leaders are asked after, a part of them each time.
constexpr Duration check_interval = 1s;
constexpr std::size_t check_parts = 4;

}  // namespace

Shard::Shard(Environment environment, GroupOptions options)
    : environment_(std::move(environment)),
      options_(std::move(options)),
      admission_(environment_.scheduler,
                 {options_.commands_under_way, options_.raft.election_timeout}) {}

Shard::~Shard() {
    environment_.scheduler.cancel(check_timer_);
}

void Shard::create(Registration registration, Reply<Done> done) {
    Bytes encoded = encode(registration);
    GroupId group = registration.group;
    std::function<void(Result<void>)> durable = [this, registration = std::move(registration),
                                                 done = std::move(done)](Result<void> created) {
        if (!created) return done(created.error());
        if (stopping_) return done(fail(Errc::member_stopped, "the host is stopping"));
        start(registration, std::nullopt, [done] { done(Done{}); });
    };
    environment_.log.create(group, std::move(encoded), environment_.scheduler.shard(),
                            environment_.scheduler.guard(std::move(durable)));
}

Group& Shard::start(Registration registration, std::optional<storage::RecoveredLog> recovered,
                    std::function<void()> begun) {
    GroupId id = registration.group;
    CHECK(!groups_.contains(id) && !leaving_.contains(id), "one member of a group per host");
    Group::Environment environment{environment_.scheduler.shard(),
                                   *this,
                                   environment_.log,
                                   environment_.snapshots,
                                   environment_.machines,
                                   *this,
                                   environment_.host,
                                   admission_,
                                   environment_.memory};
    auto group = std::make_unique<Group>(environment, options_, std::move(registration),
                                         std::move(recovered));
    Group& started = *group;
    groups_.emplace(id, std::move(group));
    started.start(std::move(begun));
    if (check_timer_ == 0) check_leaders();
    return started;
}

Group* Shard::find(GroupId group) const {
    auto found = groups_.find(group);
    return found == groups_.end() ? nullptr : found->second.get();
}

Group* Shard::find_running(GroupId group) const {
    Group* member = find(group);
    return member != nullptr && !member->is_stopped() ? member : nullptr;
}

std::vector<Group*> Shard::all() const {
    std::vector<Group*> all;
    all.reserve(groups_.size());
    for (const auto& [id, group] : groups_) all.push_back(group.get());
    std::sort(all.begin(), all.end(), [](const Group* a, const Group* b) {
        return a->registration().name < b->registration().name;
    });
    return all;
}

void Shard::halt(GroupId group, std::function<void()> done) {
    Group* member = find(group);
    CHECK(member != nullptr, "only a member that is here is stopped");
    if (member->is_stopped()) return done();
    member->stop(true, environment_.scheduler.guard(std::move(done)));
}

void Shard::restart(GroupId group, Reply<Done> done) {
    Group* member = find(group);
    CHECK(member != nullptr, "only a member that is here is started again");
    if (!member->is_stopped()) return done(fail(Errc::already_started, "the member runs"));
    std::function<void(Result<storage::RecoveredLog>)> recovered =
        [this, registration = member->registration(),
         done = std::move(done)](Result<storage::RecoveredLog> log) {
            restart_from(registration, std::move(log), done);
        };
    environment_.log.recover(group, environment_.scheduler.shard(),
                             environment_.scheduler.guard(std::move(recovered)));
}

// Meanwhile it may have been erased, or somebody else may have started it.
void Shard::restart_from(const Registration& member, Result<storage::RecoveredLog> log,
                         const Reply<Done>& done) {
    if (!log) return done(log.error());
    Group* there = find(member.group);
    if (stopping_ || there == nullptr || there->registration().member != member.member) {
        return done(fail(Errc::member_stopped, "the member is being removed, or its host stops"));
    }
    if (!there->is_stopped()) return done(fail(Errc::already_started, "the member runs"));
    groups_.erase(member.group);
    start(member, std::move(*log), [done] { done(Done{}); });
}

void Shard::erase(GroupId group, Reply<Done> done) {
    stop_member(group, false, [this, group, done = std::move(done)] {
        std::function<void(Result<void>)> erased = [this, group, done](Result<void> result) {
            if (!result) return done(result.error());
            erase_files(group, done);
        };
        environment_.log.erase(group, environment_.scheduler.shard(),
                               environment_.scheduler.guard(std::move(erased)));
    });
}

// Snapshots go after the log: a directory without a registration is swept at the next start, a
// registration without its snapshot could not start.
void Shard::erase_files(GroupId group, Reply<Done> done) {
    std::function<void(Result<void>)> answer = [done = std::move(done)](Result<void> erased) {
        if (!erased) return done(erased.error());
        done(Done{});
    };
    Scheduler& loop = environment_.scheduler.shard();
    loop.background([&loop, &snapshots = environment_.snapshots, group,
                     answer = environment_.scheduler.guard(std::move(answer))] {
        Result<void> erased = snapshots.erase(group);
        loop.post([erased = std::move(erased), answer] { answer(erased); });
    });
}

void Shard::stop_member(GroupId group, bool hand_over, std::function<void()> done) {
    auto leaving = groups_.extract(group);
    CHECK(!leaving.empty(), "only a member that is here is stopped");
    Group& member = *leaving.mapped();
    // With hand_over it still needs its peers' messages to hand over.
    (hand_over ? groups_ : leaving_).insert(std::move(leaving));
    std::function<void()> stopped = [this, group, done = std::move(done)] {
        groups_.erase(group);
        leaving_.erase(group);
        done();
    };
    member.stop(hand_over, environment_.scheduler.guard(std::move(stopped)));
}

void Shard::stop(std::function<void()> done) {
    stopping_ = true;
    environment_.scheduler.cancel(check_timer_);
    std::vector<GroupId> ids;
    for (const auto& [id, group] : groups_) ids.push_back(id);
    std::sort(ids.begin(), ids.end());
    if (ids.empty()) return done();
    auto left = std::make_shared<std::size_t>(ids.size());
    for (GroupId id : ids) {
        stop_member(id, true, [left, done] {
            if (--*left == 0) done();
        });
    }
}

void Shard::plugins_changed() {
    for (Group* group : all()) group->plugins_changed();
}

// ---- other hosts ----------------------------------------------------------------------------------

void Shard::watch(const HostName& host) {
    if (host == environment_.host || !watched_.insert(host).second) return;
    environment_.scheduler.post([this, host] { environment_.observer.host_shared(host); });
}

void Shard::host_changed(const HostName& host, HostNews news) {
    if (news == HostNews::silent) {
        silent_.insert(host);
    } else {
        silent_.erase(host);
    }
    for (Group* group : all()) group->host_changed(host, news);
}

// That a leader's host answers does not say that the leader still is one: its member may be fenced, or
// erased, and what it said of that lost. So sleepers have it asked now and then, many with one message.
void Shard::check_leaders() {
    Time next = environment_.scheduler.now() + check_interval;
    check_timer_ = environment_.scheduler.at(next, [this] { check_leaders(); });
    std::map<HostName, LeaderCheck> checks;
    std::size_t buckets = groups_.bucket_count();
    for (std::size_t i = 0; i <= buckets / check_parts; ++i) {
        next_checked_ = (next_checked_ + 1) % buckets;
        for (auto at = groups_.begin(next_checked_); at != groups_.end(next_checked_); ++at) {
            auto reliance = at->second->reliance();
            if (reliance) checks[reliance->host].of.push_back(reliance->on);
        }
    }
    for (auto& [host, check] : checks) environment_.transport.send(host, std::move(check));
}

void Shard::answer_check(const HostName& from, const LeaderCheck& check) {
    LeaderCheck lost{.answer = true};
    for (const Leadership& asked : check.of) {
        Group* group = find(asked.group);
        if (check.answer) {
            if (group != nullptr) group->leader_lost(asked);
        } else if (group == nullptr || !group->leads(asked)) {
            lost.of.push_back(asked);
        }
    }
    if (!lost.of.empty()) environment_.transport.send(from, std::move(lost));
}

void Shard::receive(const HostName& from, PeerMessage message) {
    auto member_of = [this](GroupId id) {
        Group* group = find(id);
        if (group == nullptr) ++ignored_;
        return group;
    };
    if (auto* raft = std::get_if<RaftEnvelope>(&message)) {
        if (Group* group = member_of(raft->group)) group->receive(std::move(*raft), from);
    } else if (auto* fetch = std::get_if<SnapshotFetch>(&message)) {
        if (Group* group = member_of(fetch->group)) group->receive(std::move(*fetch), from);
    } else if (auto* piece = std::get_if<SnapshotPiece>(&message)) {
        if (Group* group = member_of(piece->group)) group->receive(std::move(*piece));
    } else if (auto* check = std::get_if<LeaderCheck>(&message)) {
        answer_check(from, *check);
    }
}

void Shard::send(const HostName& to, PeerMessage message) {
    environment_.transport.send(to, std::move(message));
}

void Shard::leader_changed(GroupId group, const HostName& leader) {
    if (leader.empty()) return;
    environment_.scheduler.post([this, group] { environment_.observer.leader_known(group); });
}

void Shard::machine_changed(GroupId group, const machine::MachineRef& machine) {
    environment_.scheduler.post(
        [this, group, machine] { environment_.observer.machine_changed(group, machine); });
}

// Once a turn, however many say so. Members of other shards are cut when one of them says so.
void Shard::caches_full() {
    if (std::exchange(shrinking_, true)) return;
    environment_.scheduler.post([this] {
        shrinking_ = false;
        std::uint64_t share = environment_.memory->cache_share();
        for (auto& [id, group] : groups_) group->shrink_cache(share);
    });
}

void Shard::ended(GroupId group) {
    environment_.scheduler.post([this, group] { environment_.observer.member_ended(group); });
}

}  // namespace quorate::group
