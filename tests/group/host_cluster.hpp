#pragma once

#include "host/group/host.hpp"
#include "storage/memory_store.hpp"
#include "storage/snapshot_directory.hpp"
#include "tests/group/group_fixture.hpp"
#include "tests/group/host_plugins.hpp"
#include "tests/support/sim_files.hpp"
#include "tests/support/test_scheduler.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace quorate::testing {

class HostCluster;

// One shard's thread on the cluster's scheduler. Says so if it is used while another shard's task
// runs: what would be a race in the daemon is a failure here.
class ShardThread final : public group::Scheduler {
 public:
    explicit ShardThread(TestScheduler& base) : base_(base) {}

    void post(Task task) override { base_.post(owned(std::move(task))); }
    Time now() const override { return checked().now(); }
    std::int64_t wall_ms() const override { return base_.wall_ms(); }
    group::TimerId at(Time when, Task task) override {
        return checked().at(when, owned(std::move(task)));
    }
    void cancel(group::TimerId timer) override { checked().cancel(timer); }
    void background(Task work) override;
    std::uint64_t random() override { return checked().random(); }
    bool is_current() const { return running_ == this; }

 private:
    Task owned(Task task);
    TestScheduler& checked() const {
        EXPECT_TRUE(running_ == nullptr || running_ == this) << "used from another shard's thread";
        return base_;
    }

    static const ShardThread* running_;  // null: the test itself
    TestScheduler& base_;
};

// A host, its disks and its plugins, which outlive its restarts, and its end of the network.
class TestHost : public group::HostDirectory {
 public:
    TestHost(HostCluster& cluster, std::string name, std::size_t shards);
    ~TestHost() override;

    void start();  // and waits until it serves
    void stop();   // and waits until it is done
    void crash();  // loses what is not durable
    bool is_up() const { return host != nullptr; }
    group::HostService& service(std::size_t shard = 0) { return host->service(shard); }
    std::vector<group::KnownHost> hosts() const override;
    std::vector<std::string> unmet_seeds() const override { return seeds; }

    std::set<std::string> not_met;   // names that hosts() does not tell of
    std::vector<std::string> seeds;  // what unmet_seeds() tells
    HostCluster& cluster;
    const std::string name;
    storage::MemoryStore log;
    sim::SimFiles files;
    std::unique_ptr<storage::SnapshotDirectory> snapshots;
    TestPlugins plugins;
    std::vector<std::unique_ptr<ShardThread>> threads;
    std::vector<std::unique_ptr<group::Transport>> transports;
    std::unique_ptr<group::Host> host;
};

// Hosts on one scheduler in virtual time, with a network between them: a millisecond of delay, and
// links that a test can cut silently or disconnect.
class HostCluster {
 public:
    explicit HostCluster(std::size_t hosts, std::size_t shards = 1, std::uint64_t seed = 1);
    ~HostCluster();

    TestHost& host(std::size_t number) { return *hosts_.at(number); }
    TestHost& host(const std::string& name);
    std::vector<TestHost*> hosts_up();
    TestHost& add_host(std::size_t shards = 1);
    // Every host is named "h1", "h2", ...
    std::vector<std::string> names() const;

    // What a caller is told. Fails the test if it is told twice, late, or on another thread.
    template <class T>
    struct Told {
        struct State {
            std::optional<T> value;
            int times = 0;
        };
        std::shared_ptr<State> state = std::make_shared<State>();
        bool has_value() const { return state->value.has_value(); }
        const T& operator*() const { return *state->value; }
    };
    template <class T>
    std::function<void(T)> tell(Told<T> told, Time deadline, const ShardThread* on = nullptr);
    template <class T>
    T await(const Told<T>& told);

    Time in(Duration duration) const { return scheduler.now() + duration; }
    // Each of these calls the host's service and waits for the answer.
    Result<group::GroupLocation> create(TestHost& at, const std::string& name,
                                        std::vector<std::string> on, Duration within = 10s);
    Result<group::Done> remove_group(TestHost& at, const std::string& name, Duration within = 10s);
    Result<EntryId> add(TestHost& at, const std::string& group, const std::string& host,
                        Duration within = 10s);
    Result<EntryId> remove(TestHost& at, const std::string& group, const std::string& host,
                           Duration within = 10s);
    Result<std::shared_ptr<group::GroupPort>> open(TestHost& at, const std::string& name,
                                                   Duration within = 10s);
    Told<group::Outcome> start_submit(group::GroupPort& port, const std::string& text,
                                      Duration within = 10s);
    // "applied 3:x", "not_applied no_quorum", "unknown ..."
    std::string submit(TestHost& at, const std::string& group, const std::string& text,
                       Duration within = 10s);
    // The reply, or the error's name.
    std::string query(TestHost& at, const std::string& group, group::ReadLevel level,
                      const std::string& text, Duration within = 10s);
    // "h1:leader h2:follower h3:unreachable"
    std::string members(TestHost& at, const std::string& group);
    // The host whose member leads the group and has committed all it holds; waits for it.
    TestHost& leader_of(const std::string& group);

    bool run_until(const std::function<bool()>& condition, Duration limit = 60s) {
        return scheduler.run_until(condition, limit);
    }

    // ---- the network
    void send(const TestHost& from, std::size_t shard, const std::string& to,
              group::PeerMessage message);
    // Messages between them vanish, and nobody is told.
    void cut(const std::string& a, const std::string& b);
    void isolate(const std::string& host);
    void heal() { cut_.clear(); }
    void disconnect(const std::string& a, const std::string& b);
    void connect(const std::string& a, const std::string& b);
    bool are_connected(const std::string& a, const std::string& b) const {
        return links_.contains({a, b});
    }
    // Probabilities, per message.
    double loss = 0;
    double repetition = 0;
    // Looks at every message; true loses it.
    std::function<bool(const std::string& from, const std::string& to, const group::PeerMessage&)>
        lose;

    TestScheduler scheduler;
    group::HostOptions options;
    const Bytes plugin = plugin_image("test", "1");
    int answers_missing = 0;  // of all that tell() was asked for

 private:
    friend class TestHost;
    void deliver(const std::string& from, std::size_t shard, const std::string& to,
                 const group::PeerMessage& message);
    void tell_connected(const std::string& at, const std::string& host, bool connected);

    std::mt19937_64 random_;
    std::vector<std::unique_ptr<TestHost>> hosts_;
    std::size_t shards_;
    std::set<std::pair<std::string, std::string>> links_;
    std::set<std::pair<std::string, std::string>> cut_;
};

template <class T>
std::string name_of_error(const Result<T>& result) {
    return result ? "none" : std::string(error_info(result.error().code).name);
}

template <class T>
std::function<void(T)> HostCluster::tell(Told<T> told, Time deadline, const ShardThread* on) {
    ++answers_missing;
    return [this, told, deadline, on](T value) {
        EXPECT_EQ(++told.state->times, 1) << "answered again";
        EXPECT_LE(scheduler.now(), deadline) << "answered late";
        EXPECT_TRUE(on == nullptr || on->is_current()) << "answered on another thread";
        --answers_missing;
        told.state->value.emplace(std::move(value));
    };
}

template <class T>
T HostCluster::await(const Told<T>& told) {
    bool answered = run_until([&] { return told.has_value(); }, 10min);
    if (!answered) throw std::runtime_error("nothing was answered");
    return *told;
}

}  // namespace quorate::testing
