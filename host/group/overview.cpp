#include "host/group/admin.hpp"
#include "host/group/group_port.hpp"
#include "host/group/locate.hpp"
#include "host/group/names.hpp"
#include "host/group/plugin_exchange.hpp"

#include <algorithm>
#include <utility>

namespace quorate::group {
namespace {

template <class T>
const T* value_of(const Answer& answer) {
    return answer.result ? std::get_if<T>(&*answer.result) : nullptr;
}

Error error_of(const HostAnswer& answer) {
    std::string where = "host " + quoted(answer.host);
    if (!answer.answer.result) {
        Error error = answer.answer.result.error();
        // One that never reached the host names it already.
        return answer.answer.fate == Fate::answered ? within(where, std::move(error)) : error;
    }
    return fail(Errc::protocol, where + " answered with another kind of answer");
}

std::vector<HostName> hosts_of(HostShard& shard) {
    std::vector<HostName> hosts;
    for (const KnownHost& host : shard.known_hosts()) hosts.push_back(host.name);
    return hosts;
}

// All that answered, one after another; the first error if none did.
template <class T>
Result<std::vector<T>> merge(std::vector<HostAnswer> answers) {
    std::vector<T> all;
    std::optional<Error> first;
    bool any = answers.empty();
    for (const HostAnswer& answer : answers) {
        if (auto* some = value_of<std::vector<T>>(answer.answer)) {
            all.insert(all.end(), some->begin(), some->end());
            any = true;
        } else if (!first) {
            first = error_of(answer);
        }
    }
    if (any) return all;
    return *first;
}

// Leaves room to gather what came before the caller's deadline.
Time gather_until(HostShard& shard, Time deadline) {
    return deadline - (deadline - shard.now()) / 10;
}

}  // namespace

Result<void> check_host(HostShard& shard, const HostName& host) {
    auto hosts = hosts_of(shard);
    if (std::find(hosts.begin(), hosts.end(), host) != hosts.end()) return {};
    std::string known;
    for (const HostName& name : hosts) known += (known.empty() ? "" : ", ") + name;
    return fail(Errc::no_such_host, "host " + quoted(host) + " is not known to host " +
                                        quoted(shard.name()) + ", which knows " + known);
}

Operation<Result<std::shared_ptr<GroupPort>>> open_group(HostShard& shard, std::string name,
                                                         Time deadline) {
    if (auto checked = check_name(name); !checked) co_return checked.error();
    if (Registry::Entry here = shard.registry().find(name)) {
        auto key = std::make_shared<const GroupKey>(GroupKey{here->group, name});
        std::shared_ptr<GroupPort> port =
            std::make_shared<HostGroupPort>(shard, std::move(key), here->machine);
        co_return port;
    }
    CO_TRY(GroupLocation where, co_await locate_group(shard, name, deadline));
    std::vector<HostName> hosts = where.hosts;
    if (!where.leader.empty()) hosts.insert(hosts.begin(), where.leader);
    Error last =
        fail(Errc::unreachable, "group " + quoted(name) + ": no member's host can be reached");
    for (std::size_t i = 0; i < hosts.size(); ++i) {
        StatusRequest request{where.group, false};
        auto status = co_await shard.ask<std::vector<MemberStatus>>(hosts[i], request,
                                                                    shard.attempt_until(deadline));
        if (status && status->size() == 1) {
            auto key = std::make_shared<const GroupKey>(GroupKey{where.group, name});
            std::shared_ptr<GroupPort> port =
                std::make_shared<HostGroupPort>(shard, std::move(key), status->front().machine);
            co_return port;
        }
        if (!status) last = status.error();
    }
    co_return last;
}

Operation<Result<std::vector<MemberAnswer>>> list_members(HostShard& shard, Time deadline) {
    StatusRequest request{{}, false};
    auto answers = co_await shard.ask_all(hosts_of(shard), request, gather_until(shard, deadline));
    std::vector<MemberAnswer> all;
    for (const HostAnswer& answer : answers) {
        auto* statuses = value_of<std::vector<MemberStatus>>(answer.answer);
        if (statuses == nullptr) {
            all.push_back({answer.host, std::nullopt, error_of(answer)});
            continue;
        }
        for (const MemberStatus& status : *statuses) {
            all.push_back({answer.host, status, std::nullopt});
        }
    }
    for (const std::string& seed : shard.host().environment.directory.unmet_seeds()) {
        all.push_back({seed, std::nullopt,
                       fail(Errc::unreachable,
                            "the host at this address was never met: what it "
                            "carries is not listed")});
    }
    co_return all;
}

Operation<Result<std::vector<MemberAnswer>>> group_members(HostShard& shard, std::string name,
                                                           bool state_hash, Time deadline) {
    if (auto checked = check_name(name); !checked) co_return checked.error();
    CO_TRY(GroupLocation where, co_await locate_group(shard, name, shard.attempt_until(deadline)));
    StatusRequest request{where.group, state_hash};
    auto answers = co_await shard.ask_all(where.hosts, request, gather_until(shard, deadline));
    std::vector<MemberAnswer> all;
    for (const HostAnswer& answer : answers) {
        auto* statuses = value_of<std::vector<MemberStatus>>(answer.answer);
        if (statuses != nullptr && statuses->size() == 1) {
            all.push_back({answer.host, statuses->front(), std::nullopt});
        } else {
            all.push_back({answer.host, std::nullopt, error_of(answer)});
        }
    }
    co_return all;
}

Operation<Result<std::vector<SnapshotSummary>>> take_snapshot(HostShard& shard, std::string name,
                                                              HostName host, Time deadline) {
    if (auto checked = check_name(name); !checked) co_return checked.error();
    CO_TRY(GroupLocation where, co_await locate_group(shard, name, shard.attempt_until(deadline)));
    std::vector<HostName> hosts = where.hosts;
    if (!host.empty()) {
        if (std::find(hosts.begin(), hosts.end(), host) == hosts.end()) {
            co_return fail(Errc::not_member,
                           "group " + quoted(name) + " has no member on host " + quoted(host));
        }
        hosts.assign(1, host);
    }
    TakeSnapshotRequest request{where.group};
    auto answers = co_await shard.ask_all(std::move(hosts), request, gather_until(shard, deadline));
    co_return merge<SnapshotSummary>(std::move(answers));
}

Operation<Result<std::vector<SnapshotSummary>>> list_snapshots(HostShard& shard, std::string name,
                                                               Time deadline) {
    if (auto checked = check_name(name); !checked) co_return checked.error();
    CO_TRY(GroupLocation where, co_await locate_group(shard, name, shard.attempt_until(deadline)));
    ListSnapshotsRequest request{where.group};
    auto answers = co_await shard.ask_all(where.hosts, request, gather_until(shard, deadline));
    co_return merge<SnapshotSummary>(std::move(answers));
}

Operation<Result<std::vector<PluginSummary>>> install_plugin(HostShard& shard, Bytes image,
                                                             Time deadline) {
    if (image.size() > shard.options().max_plugin_bytes) {
        co_return fail(Errc::message_too_large,
                       "the plugin's image has " + std::to_string(image.size()) +
                           " bytes, more than " + std::to_string(shard.options().max_plugin_bytes));
    }
    std::uint64_t size = image.size();
    Later<Result<PluginSummary>> here;
    shard.at(0, [image = std::move(image), reply = shard.back_from<Result<PluginSummary>>(
                                               0, here.callback())](HostShard& home) {
        home.operations().run<Result<PluginSummary>>(home.host().plugins->install(image), reply);
    });
    CO_TRY(PluginSummary installed, co_await here);
    std::vector<HostName> others = shard.reachable_hosts();
    std::erase(others, shard.name());
    PluginOfferRequest offer{installed.build, size};
    auto answers = co_await shard.ask_all(std::move(others), offer, gather_until(shard, deadline));
    std::vector<PluginSummary> all{installed};
    for (const HostAnswer& answer : answers) {
        auto* some = value_of<std::vector<PluginSummary>>(answer.answer);
        if (some != nullptr) all.insert(all.end(), some->begin(), some->end());
    }
    co_return all;
}

Operation<Result<std::vector<PluginSummary>>> list_plugins(HostShard& shard, Time deadline) {
    PluginListRequest request;
    auto answers =
        co_await shard.ask_all(shard.reachable_hosts(), request, gather_until(shard, deadline));
    co_return merge<PluginSummary>(std::move(answers));
}

namespace {

Operation<Result<HostSummary>> summarize(HostShard& shard, KnownHost host, Time deadline) {
    HostSummary summary{host, host.name == shard.name(), {}, 0, 0, host.version};
    if (host.name == shard.name()) summary.version = shard.options().version;
    Result<Duration> ping = co_await ping_host(shard, host.name, deadline);
    if (!ping) co_return summary;
    summary.reachable = true;
    summary.round_trip = *ping;
    StatusRequest request{{}, false};
    auto statuses = co_await shard.ask<std::vector<MemberStatus>>(host.name, request, deadline);
    if (!statuses) co_return summary;
    summary.groups = statuses->size();
    summary.leaders = static_cast<std::uint64_t>(std::count_if(
        statuses->begin(), statuses->end(),
        [](const MemberStatus& status) { return status.role == raft::Role::leader; }));
    co_return summary;
}

Operation<Done> summarize_into(HostShard& shard, KnownHost host, Time deadline,
                               std::shared_ptr<HostSummary> into) {
    Result<HostSummary> summary = co_await summarize(shard, std::move(host), deadline);
    if (summary) *into = std::move(*summary);
    co_return Done{};
}

}  // namespace

Operation<Result<std::vector<HostSummary>>> list_hosts(HostShard& shard, Time deadline) {
    Time until = gather_until(shard, deadline);
    std::vector<Operation<Done>> questions;
    std::vector<std::shared_ptr<HostSummary>> summaries;
    for (const KnownHost& host : shard.known_hosts()) {
        summaries.push_back(std::make_shared<HostSummary>());
        questions.push_back(summarize_into(shard, host, until, summaries.back()));
    }
    co_await shard.together(std::move(questions));
    std::vector<HostSummary> all;
    for (auto& summary : summaries) all.push_back(std::move(*summary));
    co_return all;
}

Operation<Result<Duration>> ping_host(HostShard& shard, HostName host, Time deadline) {
    if (auto checked = check_host(shard, host); !checked) co_return checked.error();
    Time sent = shard.now();
    PingRequest request;
    CO_TRY(Done answered, co_await shard.ask<Done>(host, request, deadline));
    static_cast<void>(answered);
    co_return shard.now() - sent;
}

}  // namespace quorate::group
