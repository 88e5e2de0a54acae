#include "host/group/host.hpp"

#include "host/base/check.hpp"
#include "host/base/log.hpp"
#include "host/group/errands.hpp"
#include "host/group/host_shard.hpp"
#include "host/group/plugin_exchange.hpp"
#include "host/group/residents.hpp"

#include <unordered_set>
#include <utility>

namespace quorate::group {
namespace {

struct Recovered {
    Registration registration;
    storage::RecoveredLog log;
};

// What the log store found; `known` gets every group in it, those that cannot be read included.
std::vector<Recovered> read_registrations(storage::LogStore& store,
                                          std::unordered_set<GroupId>& known) {
    std::vector<Recovered> members;
    for (storage::RecoveredLog& log : store.take_recovered()) {
        known.insert(log.group);
        auto registration = decode_registration(log.registration.view());
        if (registration && registration->group == log.group) {
            members.push_back({std::move(*registration), std::move(log)});
            continue;
        }
        std::string why = registration ? "it names another group" : to_string(registration.error());
        log::error("registration_unreadable",
                   "a group's member is not started; what is on disk stays",
                   {{"id", log.group.value()}, {"error", why}});
    }
    return members;
}

// Snapshots of groups that the log store does not know: erased ones, cut short by a crash.
Result<void> sweep_snapshots(storage::SnapshotStore& snapshots,
                             const std::unordered_set<GroupId>& known) {
    TRY(std::vector<GroupId> found, snapshots.groups());
    for (GroupId group : found) {
        if (known.contains(group)) continue;
        TRY_VOID(snapshots.erase(group));
        log::info("snapshots_swept", "snapshots of a group that is gone were removed",
                  {{"id", group.value()}});
    }
    return {};
}

Operation<Done> start_host(HostContext& context) {
    HostShard& home = *context.shards.front();
    std::unordered_set<GroupId> known;
    auto members = read_registrations(context.environment.log, known);
    storage::SnapshotStore& snapshots = context.environment.snapshots;
    std::function<Result<void>()> sweep = [&snapshots, known = std::move(known)] {
        return sweep_snapshots(snapshots, known);
    };
    Result<void> swept = co_await home.in_background(std::move(sweep));
    if (!swept) {
        log::warning("snapshots_not_swept", "snapshots of groups that are gone may be left",
                     {{"error", to_string(swept.error())}});
    }
    for (Recovered& member : members) {
        context.residents->adopt(std::move(member.registration), std::move(member.log));
    }
    for (std::size_t i = context.shards.size(); i-- > 0;) {
        Later<Done> serving;
        home.at(i, [reply = home.back_from<Done>(i, serving.callback())](HostShard& shard) {
            shard.begin_serving();
            reply(Done{});
        });
        co_await serving;
    }
    for (const HostName& host : home.reachable_hosts()) {
        if (host != home.name()) context.plugins->connected(host);
    }
    log::info("host_serving", "the host takes part",
              {{"host", home.name()}, {"members", static_cast<std::uint64_t>(members.size())}});
    co_return Done{};
}

void say(const HostName& host, HostNews news) {
    switch (news) {
        case HostNews::silent:
            return log::warning(
                "host_silent",
                "another host does not answer; groups whose leaders it has elect others",
                {{"peer", host}});
        case HostNews::answers:
            return log::info("host_answers", "a host that was silent answers", {{"peer", host}});
        case HostNews::restarted:
            return log::info("host_restarted", "another host runs as a new process",
                             {{"peer", host}});
    }
}

}  // namespace

Host::Host(Environment environment, HostOptions options, std::vector<ShardLoop> shards)
    : context_(std::make_unique<HostContext>(environment, std::move(options))) {
    CHECK(!shards.empty() && shards.size() <= Requests::shards_max, "1 to 256 shards");
    for (std::size_t i = 0; i < shards.size(); ++i) {
        context_->shards.push_back(std::make_unique<HostShard>(*context_, i, shards[i]));
    }
    context_->residents = std::make_unique<Residents>(*context_);
    context_->plugins = std::make_unique<PluginExchange>(*context_);
    context_->errands = std::make_unique<Errands>(*context_);
    HostShard& home = *context_->shards.front();
    const raft::Options& raft = context_->options.group.raft;
    HostWatch::Times times{raft.heartbeat_interval, raft.election_timeout,
                           raft.heartbeat_interval / 2};
    context_->watch =
        std::make_unique<HostWatch>(home.scheduler(), home.transport(), home.scheduler().random(),
                                    times, [&home](const HostName& host, HostNews news) {
                                        say(host, news);
                                        home.spread(host, news);
                                    });
}

Host::~Host() = default;

void Host::start(std::function<void()> done) {
    HostShard& home = *context_->shards.front();
    home.operations().run<Done>(start_host(*context_), [done = std::move(done)](Done) { done(); });
}

void Host::stop(std::function<void()> done) {
    HostShard& home = *context_->shards.front();
    auto left = std::make_shared<std::size_t>(context_->shards.size());
    std::function<void(Done)> stopped = [left, done = std::move(done)](Done) {
        if (--*left == 0) done();
    };
    for (std::size_t i = 0; i < context_->shards.size(); ++i) {
        home.at(i, [reply = home.back_from<Done>(i, stopped)](HostShard& shard) {
            shard.stop([reply] { reply(Done{}); });
        });
    }
}

std::size_t Host::shard_count() const {
    return context_->shards.size();
}

HostService& Host::service(std::size_t shard) {
    return *context_->shards.at(shard);
}

PeerReceiver& Host::receiver(std::size_t shard) {
    return *context_->shards.at(shard);
}

const HostMemory& Host::memory() const {
    return *context_->memory;
}

std::uint64_t Host::ignored_messages() const {
    std::uint64_t ignored = 0;
    for (const auto& shard : context_->shards) ignored += shard->members().ignored();
    return ignored;
}

}  // namespace quorate::group
