#include "tests/group/host_cluster.hpp"

#include <algorithm>

// Groups whose machines stand still: repaired by a build that is installed, and deleted all the same.
namespace quorate::testing {
namespace {

using group::MemberState;
using Members = std::vector<group::MemberAnswer>;

class HostFault : public ::testing::Test {
 protected:
    explicit HostFault(std::size_t shards = 1) : cluster(3, shards) {
        EXPECT_TRUE(cluster.create(cluster.host(0), "demo", {"h1", "h2", "h3"}).has_value());
        EXPECT_EQ(cluster.submit(cluster.host(0), "demo", "a"), "applied 1:a");
    }

    Members members() {
        HostCluster::Told<Result<Members>> told;
        cluster.host(0).service().group_members("demo", false, cluster.in(5s),
                                                cluster.tell(told, cluster.in(5s)));
        return cluster.await(told).value();
    }
    bool all_in(MemberState state) {
        return std::ranges::all_of(members(), [state](const group::MemberAnswer& answer) {
            return answer.status && answer.status->state == state;
        });
    }
    // Every member's machine faults at the next command, in all builds but the repaired one.
    void poison() {
        group::MemberStatus leader = status_of(cluster.leader_of("demo"));
        for (TestHost* host : cluster.hosts_up()) {
            host->plugins.controls->faults.insert(leader.last.next());
            host->plugins.controls->repaired = {build_of(repaired)};
        }
        EXPECT_EQ(cluster.submit(cluster.host(0), "demo", "poison"), "unknown plugin_fault");
        await_state(MemberState::faulted);
    }
    void await_state(MemberState state) {
        for (int tries = 0; tries < 100 && !all_in(state); ++tries) cluster.scheduler.run_for(50ms);
        ASSERT_TRUE(all_in(state));
    }
    group::MemberStatus status_of(const TestHost& host) {
        for (const group::MemberAnswer& answer : members()) {
            if (answer.host == host.name && answer.status) return *answer.status;
        }
        throw std::runtime_error("no member on " + host.name);
    }
    std::vector<std::string> install(const Bytes& image) {
        HostCluster::Told<Result<std::vector<group::PluginSummary>>> told;
        cluster.host(0).service().install_plugin(image, cluster.in(10s),
                                                 cluster.tell(told, cluster.in(10s)));
        std::vector<std::string> hosts;
        for (const group::PluginSummary& plugin : cluster.await(told).value()) {
            hosts.push_back(plugin.host);
        }
        return hosts;
    }
    void expect_repaired() {
        await_state(MemberState::running);
        EXPECT_EQ(cluster.submit(cluster.host(1), "demo", "b"), "applied 3:b");
        cluster.scheduler.run_for(1s);
        Members all = members();
        for (const group::MemberAnswer& answer : all) {
            EXPECT_EQ(answer.status->machine.build, build_of(repaired)) << answer.host;
            EXPECT_EQ(answer.status->outcome_hash, all.front().status->outcome_hash);
            EXPECT_EQ(answer.status->applied, all.front().status->applied);
        }
    }

    HostCluster cluster;
    const Bytes repaired = plugin_image("test", "1", 7);  // the same version, other bytes
};

TEST_F(HostFault, is_repaired_by_installing_another_build_of_the_plugin) {
    poison();
    EXPECT_EQ(install(plugin_image("other", "1")).size(), 3u);
    cluster.scheduler.run_for(1s);
    EXPECT_TRUE(all_in(MemberState::faulted)) << "another plugin changes nothing";
    EXPECT_EQ(install(repaired).size(), 3u);
    expect_repaired();
    EXPECT_EQ(cluster.query(cluster.host(2), "demo", group::ReadLevel::local, "all"), "a,poison,b");
    // Who comes now is told of the build that runs.
    auto port = cluster.open(cluster.host(1), "demo").value();
    EXPECT_EQ(port->machine().build, build_of(repaired));
}

TEST_F(HostFault, is_repaired_by_a_build_that_was_here_before_once_it_is_installed_again) {
    EXPECT_EQ(install(repaired).size(), 3u);
    poison();
    cluster.scheduler.run_for(5s);
    EXPECT_TRUE(all_in(MemberState::faulted)) << "nobody has asked for another build yet";
    EXPECT_EQ(install(repaired).size(), 3u);
    expect_repaired();
}

class HostFaultOnManyShards : public HostFault {
 protected:
    HostFaultOnManyShards() : HostFault(3) {}
};

TEST_F(HostFaultOnManyShards, is_repaired_as_well) {
    poison();
    install(repaired);
    expect_repaired();
    for (std::size_t shard = 0; shard < 3; ++shard) {
        HostCluster::Told<Result<std::shared_ptr<group::GroupPort>>> told;
        cluster.host(1).service(shard).open_group("demo", cluster.in(5s),
                                                  cluster.tell(told, cluster.in(5s)));
        EXPECT_EQ(cluster.await(told).value()->machine().build, build_of(repaired));
    }
}

TEST_F(HostFault, that_was_repaired_stays_so_when_the_hosts_start_again) {
    poison();
    install(repaired);
    expect_repaired();
    for (const std::string& name : cluster.names()) cluster.host(name).crash();
    for (const std::string& name : cluster.names()) cluster.host(name).start();
    cluster.leader_of("demo");
    await_state(MemberState::running);
    EXPECT_EQ(cluster.submit(cluster.host(0), "demo", "c"), "applied 4:c");
    for (const group::MemberAnswer& answer : members()) {
        EXPECT_EQ(answer.status->machine.build, build_of(repaired)) << answer.host;
    }
}

TEST_F(HostFault, of_a_host_that_missed_the_repaired_build_ends_when_it_is_installed_once_more) {
    poison();
    cluster.host("h3").stop();
    EXPECT_EQ(install(repaired).size(), 2u);
    EXPECT_EQ(cluster.submit(cluster.host(0), "demo", "b"), "applied 3:b");
    cluster.host("h3").start();
    cluster.scheduler.run_for(5s);
    EXPECT_EQ(status_of(cluster.host("h3")).state, MemberState::faulted);
    EXPECT_EQ(install(repaired).size(), 3u);
    await_state(MemberState::running);
    EXPECT_EQ(cluster.query(cluster.host("h3"), "demo", group::ReadLevel::local, "all"),
              "a,poison,b");
}

TEST_F(HostFault, does_not_keep_a_group_from_being_deleted) {
    poison();
    auto deleted = cluster.remove_group(cluster.host(1), "demo");
    ASSERT_TRUE(deleted.has_value()) << to_string(deleted.error());
    EXPECT_EQ(cluster.members(cluster.host(0), "demo"), "no_such_group");
    auto again = cluster.create(cluster.host(2), "demo", {"h1", "h2", "h3"});
    ASSERT_TRUE(again.has_value()) << to_string(again.error());
}

TEST_F(HostFault, of_a_missing_plugin_does_not_keep_a_group_from_being_deleted) {
    for (const std::string& name : cluster.names()) {
        cluster.host(name).stop();
        cluster.host(name).plugins.forget(build_of(cluster.plugin));
    }
    for (const std::string& name : cluster.names()) cluster.host(name).start();
    cluster.leader_of("demo");
    ASSERT_TRUE(all_in(MemberState::waiting_for_plugin));
    auto deleted = cluster.remove_group(cluster.host(1), "demo");
    ASSERT_TRUE(deleted.has_value()) << to_string(deleted.error());
    EXPECT_EQ(cluster.members(cluster.host(0), "demo"), "no_such_group");
}

// Whether the message would let its receiver learn that an entry after `last` is committed, or ask it to
// remove its member.
bool tells_of_the_end(const group::PeerMessage& message, Index last) {
    if (auto* envelope = std::get_if<group::RaftEnvelope>(&message)) {
        auto* append = std::get_if<raft::AppendEntries>(&envelope->message);
        return append != nullptr && append->commit > last;
    }
    auto* request = std::get_if<group::Request>(&message);
    return request != nullptr && std::holds_alternative<group::DeleteMemberRequest>(request->body);
}

TEST_F(HostFault, or_none_a_group_is_not_said_to_be_deleted_while_most_of_its_members_are_there) {
    TestHost& leader = cluster.leader_of("demo");
    Index last = status_of(leader).last;
    bool deaf = true;
    cluster.lose = [&](const std::string&, const std::string& to, const group::PeerMessage& m) {
        return deaf && to != leader.name && tells_of_the_end(m, last);
    };
    auto deleted = cluster.remove_group(leader, "demo", 8s);
    EXPECT_EQ(name_of_error(deleted), "deadline_exceeded");
    EXPECT_NE(deleted.error().what.find("2 of its 3 members are not known to be gone"),
              std::string::npos)
        << deleted.error().what;
    deaf = false;
    cluster.scheduler.run_for(30s);
    EXPECT_EQ(cluster.members(leader, "demo"), "no_such_group");
    EXPECT_TRUE(cluster.create(leader, "demo", {"h1", "h2", "h3"}).has_value());
}

TEST_F(HostFault, or_none_a_member_whose_host_stops_is_asked_again_when_its_group_was_deleted) {
    TestHost& leader = cluster.leader_of("demo");
    std::string deaf = leader.name == "h3" ? "h2" : "h3";
    Index last = status_of(leader).last;
    int asked = 0;
    cluster.lose = [&](const std::string&, const std::string& to, const group::PeerMessage& m) {
        if (to != deaf || !tells_of_the_end(m, last)) return false;
        if (auto* request = std::get_if<group::Request>(&m)) {
            ++asked;
            group::Response stops{request->id, true, fail(Errc::member_stopped, "stops"), {}};
            cluster.scheduler.post(
                [&leader, deaf, stops] { leader.host->receiver().receive(deaf, stops); });
        }
        return true;
    };
    EXPECT_TRUE(cluster.remove_group(leader, "demo", 8s).has_value());
    int in_the_call = asked;
    ASSERT_TRUE(cluster.run_until([&] { return asked > in_the_call; })) << "by the errand";
    cluster.lose = nullptr;
    cluster.scheduler.run_for(30s);
    EXPECT_EQ(cluster.members(leader, "demo"), "no_such_group");
}

}  // namespace
}  // namespace quorate::testing
