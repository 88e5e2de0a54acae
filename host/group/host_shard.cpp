#include "host/group/host_shard.hpp"

#include "host/base/check.hpp"
#include "host/group/errands.hpp"
#include "host/group/names.hpp"
#include "host/group/plugin_exchange.hpp"
#include "host/group/residents.hpp"

#include <algorithm>
#include <utility>

namespace quorate::group {

HostContext::HostContext(Host::Environment surroundings, HostOptions settings)
    : environment(surroundings),
      options(std::move(settings)),
      memory(std::make_shared<HostMemory>(options.memory)) {}

HostContext::~HostContext() {
    // Operations hold what the rest of the context owns.
    for (auto& shard : shards) shard->clear();
}

HostShard::HostShard(HostContext& host, std::size_t index, ShardLoop loop)
    : host_(host),
      index_(index),
      // A broken invariant up here is no single group's: it ends the process.
      scheduler_(*loop.scheduler, [](const std::exception&) { throw; }),
      transport_(*loop.transport),
      members_({scheduler_, transport_, host.environment.log, host.environment.snapshots,
                host.environment.machines, *this, host.options.name, host.memory},
               host.options.group),
      requests_(scheduler_, transport_, index),
      seen_(host.options.seen_requests),
      calls_(scheduler_),
      waiting_(scheduler_),
      courier_(*this) {}

HostShard::~HostShard() = default;

std::vector<KnownHost> HostShard::known_hosts() const {
    std::vector<KnownHost> hosts = host_.environment.directory.hosts();
    bool self = std::any_of(hosts.begin(), hosts.end(),
                            [this](const KnownHost& host) { return host.name == name(); });
    if (!self) hosts.push_back({name(), {}, {}, true, options().version});
    std::sort(hosts.begin(), hosts.end(),
              [](const KnownHost& a, const KnownHost& b) { return a.name < b.name; });
    return hosts;
}

// ---- messages -----------------------------------------------------------------------------------

void HostShard::receive(const HostName& from, PeerMessage message) {
    if (state_ == State::starting) return;
    if (auto* request = std::get_if<Request>(&message)) {
        return receive_request(from, std::move(*request));
    }
    if (auto* response = std::get_if<Response>(&message)) {
        return receive_response(from, std::move(*response));
    }
    if (auto* beat = std::get_if<Beat>(&message)) {
        return at(0,
                  [from, beat = *beat](HostShard& home) { home.host_.watch->receive(from, beat); });
    }
    if (auto* check = std::get_if<LeaderCheck>(&message)) {
        return receive_check(from, std::move(*check));
    }
    GroupId group;
    if (auto* raft = std::get_if<RaftEnvelope>(&message)) group = raft->group;
    if (auto* fetch = std::get_if<SnapshotFetch>(&message)) group = fetch->group;
    if (auto* piece = std::get_if<SnapshotPiece>(&message)) group = piece->group;
    std::size_t owner = host_.owner_of(group);
    if (owner == index_) return members_.receive(from, std::move(message));
    at(owner, [from, message = std::move(message)](HostShard& there) mutable {
        there.members_.receive(from, std::move(message));
    });
}

// Each shard answers for the groups that it owns.
void HostShard::receive_check(const HostName& from, LeaderCheck check) {
    std::vector<LeaderCheck> parts(host_.shards.size(), {check.answer, {}});
    for (const Leadership& one : check.of) parts[host_.owner_of(one.group)].of.push_back(one);
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (parts[i].of.empty()) continue;
        at(i, [from, part = std::move(parts[i])](HostShard& owner) mutable {
            owner.members_.receive(from, std::move(part));
        });
    }
}

void HostShard::receive_request(const HostName& from, Request request) {
    if (!seen_.first_time(from, request.id)) return;
    Duration remaining = std::clamp<Duration>(request.remaining, 0ns, options().request_time_max);
    auto reply = [this, from, id = request.id](Result<ResponseBody> result) {
        if (result) {
            transport_.send(from,
                            Response{id, false, Error{Errc::internal, {}, {}}, std::move(*result)});
        } else {
            transport_.send(from, Response{id, true, result.error(), Done{}});
        }
    };
    serve(from, std::move(request.body), now() + remaining, std::move(reply));
}

void HostShard::receive_response(const HostName& from, Response response) {
    std::size_t asker = Requests::shard_of(response.id);
    if (asker == index_) return requests_.receive(from, std::move(response));
    if (asker >= host_.shards.size()) return;
    at(asker, [from, response = std::move(response)](HostShard& there) mutable {
        there.requests_.receive(from, std::move(response));
    });
}

void HostShard::connected(const HostName& host) {
    requests_.connected(host);
    if (index_ == 0) host_.watch->connected(host);
    if (index_ == 0 && serving()) host_.plugins->connected(host);
}

void HostShard::disconnected(const HostName& host) {
    requests_.disconnected(host);
    if (index_ == 0) host_.watch->disconnected(host);
}

void HostShard::host_shared(const HostName& host) {
    at(0, [host](HostShard& home) { home.host_.watch->watch(host); });
}

void HostShard::spread(const HostName& host, HostNews news) {
    for (std::size_t i = 0; i < host_.shards.size(); ++i) {
        at(i, [host, news](HostShard& shard) { shard.members_.host_changed(host, news); });
    }
}

void HostShard::machine_changed(GroupId group, const machine::MachineRef& machine) {
    at(0, [group, machine](HostShard& home) {
        home.host_.residents->machine_changed(group, machine);
    });
}

void HostShard::member_ended(GroupId group) {
    if (!serving()) return;
    at(0, [group](HostShard& home) {
        home.operations().run<Result<Done>>(home.host_.residents->remove({group, {}, {}}),
                                            [](Result<Done>) {});
    });
}

// ---- what operations use ------------------------------------------------------------------------

void HostShard::at(std::size_t shard, std::function<void(HostShard&)> task) {
    if (shard == index_) return task(*this);
    HostShard& there = *host_.shards[shard];
    there.scheduler_.post([&there, task = std::move(task)] { task(there); });
}

Operation<Answer> HostShard::request(HostName to, RequestBody body, Time deadline) {
    Later<Answer> answer;
    if (to != name()) {
        requests_.send(to, std::move(body), deadline, answer.callback());
        co_return co_await answer;
    }
    Later<Result<ResponseBody>> own;
    std::string what(name_of(body));
    serve(name(), std::move(body), deadline,
          calls_.open<ResponseBody>(what, deadline, own.callback()));
    Result<ResponseBody> result = co_await own;
    bool late = !result && result.error().code == Errc::deadline_exceeded;
    co_return Answer{late ? Fate::lost : Fate::answered, std::move(result)};
}

namespace {

struct Gather {
    std::vector<HostAnswer> answers;
    std::size_t left = 0;
    std::function<bool(const Answer&)> enough;
    Duration grace{};
    std::function<void(Done)> done;
};

Operation<Done> gather_one(HostShard& shard, HostName host, RequestBody body, Time deadline,
                           std::shared_ptr<Gather> into) {
    Answer answer = co_await shard.request(host, std::move(body), deadline);
    bool enough = into->enough && into->enough(answer);
    into->answers.push_back({host, std::move(answer)});
    if (--into->left == 0 || (enough && into->grace <= 0ns)) {
        into->done(Done{});
    } else if (enough) {
        shard.scheduler().at(shard.now() + into->grace, [done = into->done] { done(Done{}); });
    }
    co_return Done{};
}

}  // namespace

Operation<std::vector<HostAnswer>> HostShard::ask_all(std::vector<HostName> hosts, RequestBody body,
                                                      Time deadline,
                                                      std::function<bool(const Answer&)> enough,
                                                      Duration grace) {
    auto gather = std::make_shared<Gather>();
    gather->left = hosts.size();
    gather->enough = std::move(enough);
    gather->grace = grace;
    Later<Done> done;
    gather->done = done.callback();
    for (std::size_t i = 0; i < hosts.size(); ++i) {
        operations_.run<Done>(gather_one(*this, hosts[i], body, deadline, gather), [](Done) {});
    }
    if (!hosts.empty()) co_await done;
    // Answers that come after this find an empty list, which nobody reads.
    auto answers = std::move(gather->answers);
    std::sort(answers.begin(), answers.end(),
              [](const HostAnswer& a, const HostAnswer& b) { return a.host < b.host; });
    co_return answers;
}

Operation<Done> HostShard::together(std::vector<Operation<Done>> operations) {
    auto left = std::make_shared<std::size_t>(operations.size());
    Later<Done> done;
    std::function<void(Done)> last = [left, reply = done.callback()](Done) {
        if (--*left == 0) reply(Done{});
    };
    for (std::size_t i = 0; i < operations.size(); ++i) {
        operations_.run<Done>(std::move(operations[i]), last);
    }
    if (!operations.empty()) co_await done;
    co_return Done{};
}

std::vector<HostName> HostShard::reachable_hosts() const {
    const auto& connected = requests_.connected_hosts();
    std::vector<HostName> hosts(connected.begin(), connected.end());
    if (!connected.contains(name())) hosts.push_back(name());
    std::sort(hosts.begin(), hosts.end());
    return hosts;
}

bool HostShard::is_reachable(const HostName& host) const {
    return host == name() || requests_.is_connected(host);
}

Time HostShard::attempt_until(Time deadline) const {
    return std::min(deadline, now() + options().attempt_timeout);
}

Operation<bool> HostShard::pause(Backoff& backoff, Time deadline, GroupId group) {
    Time when = std::min(deadline, now() + backoff.next(scheduler_.random()));
    Woken woken = co_await waiting_.until(when, group);
    co_return woken != Woken::stopping&& now() < deadline;
}

// ---- stopping -----------------------------------------------------------------------------------

Error HostShard::not_serving() const {
    return fail(
        Errc::member_stopped,
        "host " + quoted(name()) + (state_ == State::starting ? " is starting" : " is stopping"));
}

void HostShard::stop(std::function<void()> done) {
    state_ = State::stopping;
    if (index_ == 0) host_.watch->stop();
    courier_.stop();
    waiting_.stop();
    calls_.abandon(not_serving());
    members_.stop([this, done = std::move(done)] {
        // Whatever is still under way to other hosts may have been carried out there.
        requests_.stop(not_serving());
        calls_.abandon(not_serving());
        scheduler_.post([this, done] {
            operations_.clear();
            done();
        });
    });
}

}  // namespace quorate::group
