#include "tests/group/host_cluster.hpp"

#include "host/group/command.hpp"

#include <algorithm>

namespace quorate::testing {
namespace {

class ClusterTransport final : public group::Transport {
 public:
    ClusterTransport(TestHost& host, std::size_t shard) : host_(host), shard_(shard) {}
    void send(const group::HostName& to, group::PeerMessage message) override {
        host_.cluster.send(host_, shard_, to, std::move(message));
    }

 private:
    TestHost& host_;
    std::size_t shard_;
};

group::HostOptions fast_options() {
    group::HostOptions options;
    options.cluster = "test";
    options.version = "1.2.3";
    options.group.raft.election_timeout = 500ms;
    options.group.raft.heartbeat_interval = 50ms;
    options.group.snapshot_interval_entries = 0;
    options.plugin_piece_bytes = 1000;
    return options;
}

}  // namespace

// ---- a shard's thread ---------------------------------------------------------------------------

const ShardThread* ShardThread::running_ = nullptr;

Task ShardThread::owned(Task task) {
    return [this, task = std::move(task)] {
        const ShardThread* before = std::exchange(running_, this);
        task();
        running_ = before;
    };
}

void ShardThread::background(Task work) {
    base_.background([work = std::move(work)] {
        const ShardThread* before = std::exchange(running_, nullptr);
        work();
        running_ = before;
    });
}

// ---- a host -------------------------------------------------------------------------------------

TestHost::TestHost(HostCluster& owner, std::string own_name, std::size_t shards)
    : cluster(owner), name(std::move(own_name)), files(std::hash<std::string>{}(name)) {
    snapshots = storage::SnapshotDirectory::open(files, "snapshots").value();
    EXPECT_TRUE(plugins.install(cluster.plugin).has_value());
    for (std::size_t i = 0; i < shards; ++i) {
        threads.push_back(std::make_unique<ShardThread>(cluster.scheduler));
        transports.push_back(std::make_unique<ClusterTransport>(*this, i));
    }
}

TestHost::~TestHost() = default;

void TestHost::start() {
    group::HostOptions options = cluster.options;
    options.name = name;
    std::vector<group::ShardLoop> loops;
    for (std::size_t i = 0; i < threads.size(); ++i) {
        loops.push_back({threads[i].get(), transports[i].get()});
    }
    host = std::make_unique<group::Host>(
        group::Host::Environment{log, *snapshots, plugins, plugins, *this}, options, loops);
    bool serving = false;
    threads[0]->post([this, &serving] { host->start([&serving] { serving = true; }); });
    ASSERT_TRUE(cluster.run_until([&] { return serving; }));
    for (const std::string& other : cluster.names()) {
        if (other != name && cluster.host(other).is_up()) cluster.connect(name, other);
    }
    cluster.scheduler.run_ready();
}

void TestHost::stop() {
    bool stopped = false;
    threads[0]->post([this, &stopped] { host->stop([&stopped] { stopped = true; }); });
    ASSERT_TRUE(cluster.run_until([&] { return stopped; }));
    crash();
}

void TestHost::crash() {
    files.kill();
    host.reset();
    log.crash();
    for (const std::string& other : cluster.names()) cluster.disconnect(name, other);
    cluster.scheduler.run_ready();
    snapshots.reset();
    files.restart();
    snapshots = storage::SnapshotDirectory::open(files, "snapshots").value();
}

std::vector<group::KnownHost> TestHost::hosts() const {
    std::vector<group::KnownHost> known;
    for (const std::string& other : cluster.names()) {
        if (not_met.contains(other)) continue;
        known.push_back({other, other + ":1", other + ":2",
                         other == name || cluster.are_connected(name, other), "1.2.3"});
    }
    return known;
}

// ---- the cluster --------------------------------------------------------------------------------

HostCluster::HostCluster(std::size_t hosts, std::size_t shards, std::uint64_t seed)
    : scheduler(seed), options(fast_options()), random_(seed), shards_(shards) {
    for (std::size_t i = 0; i < hosts; ++i) add_host(shards);
}

HostCluster::~HostCluster() {
    for (auto& host : hosts_) host->host.reset();
    scheduler.run_ready();
}

TestHost& HostCluster::add_host(std::size_t shards) {
    std::string name = "h" + std::to_string(hosts_.size() + 1);
    hosts_.push_back(std::make_unique<TestHost>(*this, name, shards));
    hosts_.back()->start();
    return *hosts_.back();
}

TestHost& HostCluster::host(const std::string& name) {
    for (auto& host : hosts_) {
        if (host->name == name) return *host;
    }
    throw std::runtime_error("no host " + name);
}

std::vector<std::string> HostCluster::names() const {
    std::vector<std::string> all;
    for (const auto& host : hosts_) all.push_back(host->name);
    return all;
}

std::vector<TestHost*> HostCluster::hosts_up() {
    std::vector<TestHost*> up;
    for (auto& host : hosts_) {
        if (host->is_up()) up.push_back(host.get());
    }
    return up;
}

Result<group::GroupLocation> HostCluster::create(TestHost& at, const std::string& name,
                                                 std::vector<std::string> on, Duration within) {
    Told<Result<group::GroupLocation>> told;
    at.service().create_group({name, "test", "", std::move(on)}, in(within),
                              tell(told, in(within)));
    return await(told);
}

Result<group::Done> HostCluster::remove_group(TestHost& at, const std::string& name,
                                              Duration within) {
    Told<Result<group::Done>> told;
    at.service().delete_group(name, in(within), tell(told, in(within)));
    return await(told);
}

Result<EntryId> HostCluster::add(TestHost& at, const std::string& group, const std::string& host,
                                 Duration within) {
    Told<Result<EntryId>> told;
    at.service().add_member(group, host, raft::VoteKind::voter, in(within), tell(told, in(within)));
    return await(told);
}

Result<EntryId> HostCluster::remove(TestHost& at, const std::string& group, const std::string& host,
                                    Duration within) {
    Told<Result<EntryId>> told;
    at.service().remove_member(group, host, in(within), tell(told, in(within)));
    return await(told);
}

Result<std::shared_ptr<group::GroupPort>> HostCluster::open(TestHost& at, const std::string& name,
                                                            Duration within) {
    Told<Result<std::shared_ptr<group::GroupPort>>> told;
    at.service().open_group(name, in(within), tell(told, in(within)));
    return await(told);
}

HostCluster::Told<group::Outcome> HostCluster::start_submit(group::GroupPort& port,
                                                            const std::string& text,
                                                            Duration within) {
    Told<group::Outcome> told;
    Bytes payload = group::make_command({scheduler.wall_ms()}, as_bytes(text));
    port.submit(std::move(payload), in(within), tell(told, in(within)));
    return told;
}

std::string HostCluster::submit(TestHost& at, const std::string& group, const std::string& text,
                                Duration within) {
    auto port = open(at, group, within);
    if (!port) return "not opened: " + name_of_error(port);
    return say(await(start_submit(**port, text, within)));
}

std::string HostCluster::query(TestHost& at, const std::string& group, group::ReadLevel level,
                               const std::string& text, Duration within) {
    auto port = open(at, group, within);
    if (!port) return "not opened: " + name_of_error(port);
    Told<Result<group::QueryAnswer>> told;
    (*port)->query(level, Index{}, Bytes::copy_of(text), in(within), tell(told, in(within)));
    auto answer = await(told);
    return answer ? std::string(answer->reply.text()) : name_of_error(answer);
}

std::string HostCluster::members(TestHost& at, const std::string& group) {
    Told<Result<std::vector<group::MemberAnswer>>> told;
    at.service().group_members(group, false, in(10s), tell(told, in(10s)));
    auto answers = await(told);
    if (!answers) return name_of_error(answers);
    std::string text;
    for (const group::MemberAnswer& answer : *answers) {
        text += (text.empty() ? "" : " ") + answer.host + ":";
        if (answer.error) {
            text += error_info(answer.error->code).name;
        } else {
            text += answer.status->role == raft::Role::leader ? "leader" : "follower";
        }
    }
    return text;
}

TestHost& HostCluster::leader_of(const std::string& group) {
    TestHost* found = nullptr;
    auto leads = [&] {
        Told<Result<std::vector<group::MemberAnswer>>> told;
        Term highest;
        found = nullptr;
        for (TestHost* host : hosts_up()) {
            Told<Result<std::vector<group::MemberAnswer>>> here;
            host->service().group_members(group, false, in(1s), tell(here, in(1s)));
            auto answers = await(here);
            if (!answers) continue;
            for (const group::MemberAnswer& answer : *answers) {
                if (!answer.status || answer.status->role != raft::Role::leader) continue;
                bool settled = answer.status->commit == answer.status->last;
                if (!settled || answer.status->term < highest) continue;
                highest = answer.status->term;
                found = &this->host(answer.host);
            }
        }
        return found != nullptr;
    };
    for (int tries = 0; tries < 100; ++tries) {
        if (leads()) return *found;
        scheduler.run_for(100ms);
    }
    throw std::runtime_error("nobody leads " + group);
}

// ---- the network --------------------------------------------------------------------------------

void HostCluster::send(const TestHost& from, std::size_t shard, const std::string& to,
                       group::PeerMessage message) {
    if (!links_.contains({from.name, to})) return;
    if (lose && lose(from.name, to, message)) return;
    std::uniform_real_distribution<double> draw(0, 1);
    if (loss > 0 && draw(random_) < loss) return;
    int copies = repetition > 0 && draw(random_) < repetition ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
        Duration delay = loss > 0 ? Duration(random_() % 5'000'000) : Duration(1ms);
        scheduler.at(scheduler.now() + delay, [this, sender = from.name, shard, to, message] {
            deliver(sender, shard, to, message);
        });
    }
}

void HostCluster::deliver(const std::string& from, std::size_t shard, const std::string& to,
                          const group::PeerMessage& message) {
    if (cut_.contains({from, to}) || !links_.contains({from, to})) return;
    TestHost& receiver = host(to);
    if (!receiver.is_up()) return;
    std::size_t at = shard % receiver.threads.size();
    receiver.threads[at]->post([&receiver, at, from, message] {
        if (receiver.is_up()) receiver.host->receiver(at).receive(from, message);
    });
}

void HostCluster::cut(const std::string& a, const std::string& b) {
    cut_.emplace(a, b);
    cut_.emplace(b, a);
}

void HostCluster::isolate(const std::string& name) {
    for (const std::string& other : names()) {
        if (other != name) cut(name, other);
    }
}

void HostCluster::connect(const std::string& a, const std::string& b) {
    if (!links_.emplace(a, b).second) return;
    links_.emplace(b, a);
    tell_connected(a, b, true);
    tell_connected(b, a, true);
}

void HostCluster::disconnect(const std::string& a, const std::string& b) {
    if (links_.erase({a, b}) == 0) return;
    links_.erase({b, a});
    tell_connected(a, b, false);
    tell_connected(b, a, false);
}

void HostCluster::tell_connected(const std::string& at, const std::string& other, bool connected) {
    TestHost& told = host(at);
    for (std::size_t i = 0; i < told.threads.size(); ++i) {
        told.threads[i]->post([&told, i, other, connected] {
            if (!told.is_up()) return;
            auto& receiver = told.host->receiver(i);
            connected ? receiver.connected(other) : receiver.disconnected(other);
        });
    }
}

}  // namespace quorate::testing
