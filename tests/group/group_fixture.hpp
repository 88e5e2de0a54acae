#pragma once

#include "host/group/group.hpp"
#include "storage/memory_store.hpp"
#include "storage/snapshot_directory.hpp"
#include "tests/group/test_machine.hpp"
#include "tests/support/sim_files.hpp"
#include "tests/support/test_scheduler.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace quorate::testing {

class TestCluster;

// One host with one member of the group, and the disks that outlive its crashes.
class TestMember : public group::GroupLinks, public group::GroupObserver {
 public:
    TestMember(TestCluster& cluster, std::string host, MemberId id);
    ~TestMember() override;

    // Creates the member on an empty disk, with this membership.
    void create(raft::Membership initial);
    void start();  // from what the disk holds
    void crash();  // loses what is not durable
    void stop(bool hand_over);
    bool is_up() const { return group != nullptr; }

    void send(const group::HostName& to, group::PeerMessage message) override;
    void leader_changed(GroupId, const group::HostName& leader) override { told_leader = leader; }
    void machine_changed(GroupId, const machine::MachineRef& machine) override {
        told_build = machine.build;
    }
    void ended(GroupId) override { has_ended = true; }
    void caches_full() override { ++told_caches_full; }

    group::MemberStatus status() const { return group->status(); }
    // The machine's answer to a local query, at once. Pre: it has one.
    std::string ask(std::string_view query) const;
    std::string trouble_of_query(
        std::string_view query);  // the code's name of a local query's error
    raft::Member as_member(raft::VoteKind kind = raft::VoteKind::voter) const {
        return {id, host, kind, {}};
    }

    TestCluster& cluster;
    const std::string host;
    const MemberId id;
    storage::MemoryStore log;
    sim::SimFiles files;
    std::unique_ptr<storage::SnapshotDirectory> snapshots;
    std::shared_ptr<MachineControls> controls = std::make_shared<MachineControls>();
    TestMachines machines{controls};
    group::Admission admission;
    std::unique_ptr<group::Group> group;
    std::string told_leader;
    std::string told_build;  // the one that took over last
    bool has_ended = false;
    int told_caches_full = 0;
    group::SharedHostMemory memory;  // set before it is created: what its host holds altogether

 private:
    void open_snapshots();
    void make_group(group::Registration registration, std::optional<storage::RecoveredLog> log);
};

// Members of one group on simulated hosts: one scheduler, a network with a millisecond of delay that
// a test can cut, everything in virtual time.
class TestCluster {
 public:
    explicit TestCluster(std::size_t members, group::GroupOptions options = fast_options());
    ~TestCluster();

    static group::GroupOptions fast_options();

    TestMember& member(std::size_t number) { return *members_.at(number); }
    std::size_t size() const { return members_.size(); }
    // A host with nothing on it; create() and start() are the test's.
    TestMember& add_host();
    void start_all();

    TestMember& leader();  // waits for one that can commit
    std::vector<TestMember*> followers();
    TestMember* follower() { return followers().front(); }

    // What a caller is told, once it is.
    template <class T>
    struct Later {
        std::shared_ptr<std::optional<T>> value = std::make_shared<std::optional<T>>();
        bool has_value() const { return value->has_value(); }
        const T& operator*() const { return **value; }
        const T* operator->() const { return &**value; }
    };
    using LaterOutcome = Later<group::Outcome>;
    LaterOutcome submit(TestMember& member, std::string_view text, Duration within = 10s);
    // To whoever leads; waits for the reply, which must come. Returns "<n>:<text>".
    std::string apply(std::string_view text);
    void apply_many(std::size_t count, std::string_view prefix);
    using LaterAnswer = Later<Result<group::QueryAnswer>>;
    LaterAnswer query(TestMember& member, group::ReadLevel level, std::string_view text,
                      Index at_least = {}, Duration within = 10s);
    template <class T>
    static std::function<void(Result<T>)> into(Later<Result<T>> later) {
        return [later](Result<T> result) { *later.value = std::move(result); };
    }

    // Waits for what callers are told.
    template <class T>
    const T& await(const Later<T>& later, Duration limit = 60s) {
        EXPECT_TRUE(scheduler.run_until([&] { return later.has_value(); }, limit))
            << "nothing was answered";
        return *later;
    }
    void await_applied(Index index);  // on every member that is up
    bool run_until(const std::function<bool()>& condition, Duration limit = 60s) {
        return scheduler.run_until(condition, limit);
    }
    // Every member that is up holds the same state, at the same index.
    void expect_agreement();

    void cut(const TestMember& a, const TestMember& b);
    void isolate(const TestMember& member);
    void heal() { cut_.clear(); }
    void deliver(const std::string& from, const std::string& to, group::PeerMessage message);

    TestScheduler scheduler;
    group::GroupOptions options;
    // Says of a message whether it is lost.
    std::function<bool(const std::string& from, const std::string& to, const group::PeerMessage&)>
        lose;
    static constexpr GroupId group_id{77};

 private:
    std::vector<std::unique_ptr<TestMember>> members_;
    std::set<std::pair<std::string, std::string>> cut_;
};

// One word for what an outcome says: "applied 3:x", "not_applied overloaded", "unknown ...".
std::string say(const group::Outcome& outcome);

}  // namespace quorate::testing
