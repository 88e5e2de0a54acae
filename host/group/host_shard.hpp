#pragma once

#include "host/group/calls.hpp"
#include "host/group/courier.hpp"
#include "host/group/host.hpp"
#include "host/group/host_watch.hpp"
#include "host/group/operation.hpp"
#include "host/group/registry.hpp"
#include "host/group/requests.hpp"
#include "host/group/shard.hpp"
#include "host/group/waiting.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace quorate::group {

class Errands;
class HostShard;
class PluginExchange;
class Residents;

// What the shards of one host share. Set up before any loop runs; what it points at has a thread of
// its own.
struct HostContext {
    HostContext(Host::Environment environment, HostOptions options);
    ~HostContext();
    HostContext(const HostContext&) = delete;
    HostContext& operator=(const HostContext&) = delete;

    std::size_t owner_of(GroupId group) const { return group.value() % shards.size(); }

    Host::Environment environment;
    HostOptions options;
    SharedHostMemory memory;
    std::vector<std::unique_ptr<HostShard>> shards;
    std::unique_ptr<Residents> residents;     // thread: shard 0
    std::unique_ptr<PluginExchange> plugins;  // thread: shard 0
    std::unique_ptr<Errands> errands;         // thread: shard 0
    std::unique_ptr<HostWatch> watch;         // thread: shard 0
};

struct HostAnswer {
    HostName host;
    Answer answer;
};

// One shard's part of the host, and its door. Thread: the shard, unless said otherwise.
class HostShard final : public HostService, public PeerReceiver, ShardObserver {
 public:
    HostShard(HostContext& host, std::size_t index, ShardLoop loop);
    ~HostShard() override;

    // ---- HostService ----
    const HostName& name() const override { return host_.options.name; }
    const std::string& cluster() const override { return host_.options.cluster; }
    std::vector<KnownHost> known_hosts() const override;
    bool is_short_of_room() const override { return host_.memory->replies_full(); }
    void open_group(const std::string& name, Time deadline,
                    Reply<std::shared_ptr<GroupPort>> done) override;
    void create_group(CreateGroup request, Time deadline, Reply<GroupLocation> done) override;
    void delete_group(const std::string& name, Time deadline, Reply<Done> done) override;
    void list_members(Time deadline, Reply<std::vector<MemberAnswer>> done) override;
    void group_members(const std::string& name, bool state_hash, Time deadline,
                       Reply<std::vector<MemberAnswer>> done) override;
    void add_member(const std::string& group, const HostName& host, raft::VoteKind kind,
                    Time deadline, Reply<EntryId> done) override;
    void remove_member(const std::string& group, const HostName& host, Time deadline,
                       Reply<EntryId> done) override;
    void transfer_leadership(const std::string& group, const HostName& to, Time deadline,
                             Reply<Done> done) override;
    void stop_member(const std::string& group, const HostName& host, Time deadline,
                     Reply<Done> done) override;
    void start_member(const std::string& group, const HostName& host, Time deadline,
                      Reply<Done> done) override;
    void trigger_election(const std::string& group, const HostName& host, Time deadline,
                          Reply<Done> done) override;
    void take_snapshot(const std::string& group, const HostName& host, Time deadline,
                       Reply<std::vector<SnapshotSummary>> done) override;
    void list_snapshots(const std::string& group, Time deadline,
                        Reply<std::vector<SnapshotSummary>> done) override;
    void install_plugin(Bytes image, Time deadline,
                        Reply<std::vector<PluginSummary>> done) override;
    void list_plugins(Time deadline, Reply<std::vector<PluginSummary>> done) override;
    void list_hosts(Time deadline, Reply<std::vector<HostSummary>> done) override;
    void ping_host(const HostName& host, Time deadline, Reply<Duration> done) override;

    // ---- PeerReceiver ----
    void receive(const HostName& from, PeerMessage message) override;
    void connected(const HostName& host) override;
    void disconnected(const HostName& host) override;

    // ---- for the operations of this host ----
    HostContext& host() { return host_; }
    const HostOptions& options() const { return host_.options; }
    std::size_t index() const { return index_; }
    Scheduler& scheduler() { return scheduler_; }
    Transport& transport() { return transport_; }
    Time now() const { return scheduler_.now(); }
    Shard& members() { return members_; }
    Courier& courier() { return courier_; }
    Requests& requests() { return requests_; }
    Operations& operations() { return operations_; }
    Calls& calls() { return calls_; }
    Waiting& waiting() { return waiting_; }
    const Registry& registry() const { return *registry_; }
    bool serving() const { return state_ == State::serving; }

    // Tells every shard what became of another host. Thread: shard 0.
    void spread(const HostName& host, HostNews news);
    // Runs the task on that shard's thread: at once if it is this one.
    void at(std::size_t shard, std::function<void(HostShard&)> task);
    void at_owner(GroupId group, std::function<void(HostShard&)> task) {
        at(host_.owner_of(group), std::move(task));
    }
    // A reply to be called on `shard`'s thread that runs `reply` on this one.
    template <class T>
    std::function<void(T)> back_from(std::size_t shard, std::function<void(T)> reply) {
        if (shard == index_) return reply;
        // What the caller's function holds is used and destroyed on the caller's thread only.
        auto box = std::make_shared<std::function<void(T)>>(std::move(reply));
        return [&scheduler = scheduler_, box](T value) {
            auto carried = std::make_shared<T>(std::move(value));
            scheduler.post([box, carried] {
                auto mine = std::exchange(*box, nullptr);
                if (mine) mine(std::move(*carried));
            });
        };
    }

    // Asks a host, this one included, and says what became of it.
    Operation<Answer> request(HostName to, RequestBody body, Time deadline);
    // The same for one kind of answer; a lost or refused request is an error that names the host.
    template <class T>
    Operation<Result<T>> ask(HostName to, RequestBody body, Time deadline);
    // Asks them all at once. Ends when all have answered, or `grace` after `enough` says so of one
    // answer.
    Operation<std::vector<HostAnswer>> ask_all(std::vector<HostName> hosts, RequestBody body,
                                               Time deadline,
                                               std::function<bool(const Answer&)> enough = {},
                                               Duration grace = {});
    // Runs them all at once, and ends with the last.
    Operation<Done> together(std::vector<Operation<Done>> operations);
    // This host and those connected to it, sorted.
    std::vector<HostName> reachable_hosts() const;
    bool is_reachable(const HostName& host) const;
    // The nearer of the deadline and one attempt's time.
    Time attempt_until(Time deadline) const;
    // Waits before the next attempt; whether there is time for one.
    Operation<bool> pause(Backoff& backoff, Time deadline, GroupId group = {});
    // Runs a blocking call on a background thread.
    template <class T>
    Operation<T> in_background(std::function<T()> work);

    // Carries out what another host, or this one, asks for.
    void serve(const HostName& from, RequestBody body, Time deadline, Reply<ResponseBody> reply);

    // ---- for Host ----
    void set_registry(std::shared_ptr<const Registry> registry) { registry_ = std::move(registry); }
    void begin_serving() { state_ = State::serving; }
    void stop(std::function<void()> done);
    // Ends the operations in flight. Pre: stop() is done, and no operation is running now.
    void clear() { operations_.clear(); }

 private:
    enum class State : std::uint8_t { starting, serving, stopping };

    void leader_known(GroupId group) override { waiting_.wake(group); }
    void machine_changed(GroupId group, const machine::MachineRef& machine) override;
    void member_ended(GroupId group) override;
    void host_shared(const HostName& host) override;
    void receive_check(const HostName& from, LeaderCheck check);

    void receive_request(const HostName& from, Request request);
    void receive_response(const HostName& from, Response response);
    Error not_serving() const;
    // A call of this shard's caller: run `operation`, answer `done` once. Refused unless serving.
    template <class T>
    void carry_out(std::string what, Time deadline, Reply<T> done,
                   std::function<Operation<Result<T>>()> operation);

    HostContext& host_;
    std::size_t index_;
    MemberScheduler scheduler_;  // guarded: nothing of this host runs once it is gone
    Transport& transport_;
    State state_ = State::starting;
    std::shared_ptr<const Registry> registry_ = std::make_shared<Registry>();
    Shard members_;
    Requests requests_;
    SeenRequests seen_;
    Calls calls_;
    Waiting waiting_;
    Courier courier_;
    Operations operations_;  // last: what it owns uses all of the above
};

template <class T>
Operation<Result<T>> HostShard::ask(HostName to, RequestBody body, Time deadline) {
    std::string_view what = name_of(body);
    Answer answer = co_await request(to, std::move(body), deadline);
    if (!answer.result) co_return within("host '" + to + "'", answer.result.error());
    if (T* wanted = std::get_if<T>(&*answer.result)) co_return std::move(*wanted);
    co_return fail(Errc::protocol, "host '" + to + "' answered '" + std::string(what) +
                                       "' with another kind of answer");
}

template <class T>
Operation<T> HostShard::in_background(std::function<T()> work) {
    Later<T> later;
    scheduler_.background([&loop = scheduler_.shard(), work = std::move(work),
                           reply = scheduler_.guard(later.callback())]() mutable {
        auto result = std::make_shared<T>(work());
        loop.post([reply = std::move(reply), result] { reply(std::move(*result)); });
    });
    T result = co_await later;
    co_return result;
}

}  // namespace quorate::group
