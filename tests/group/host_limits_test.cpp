#include "host/base/drain_rate.hpp"
#include "tests/group/host_cluster.hpp"

// What one host holds is bounded over all of its groups.
namespace quorate::testing {
namespace {

using group::Outcome;
using group::ReadLevel;

const Error& refusal(const Outcome& outcome) {
    return std::get<group::NotApplied>(outcome).error;
}

TEST(HostLimits, commands_on_their_way_to_another_host_are_bounded) {
    HostCluster cluster(2);
    cluster.options.max_forwarded_commands = 2;
    cluster.host(1).stop();
    cluster.host(1).start();
    ASSERT_TRUE(cluster.create(cluster.host(0), "far", {"h1"}).has_value());
    auto port = cluster.open(cluster.host(1), "far").value();
    EXPECT_EQ(cluster.submit(cluster.host(1), "far", "a"), "applied 1:a");
    cluster.cut("h1", "h2");
    auto one = cluster.start_submit(*port, "b", 2s);
    auto two = cluster.start_submit(*port, "c", 2s);
    auto three = cluster.start_submit(*port, "d", 2s);
    ASSERT_TRUE(three.has_value()) << "refused at once";
    EXPECT_EQ(say(*three), "not_applied overloaded");
    EXPECT_GE(refusal(*three).retry_after_ms, DrainRate::retry_ms_min);
    EXPECT_LE(refusal(*three).retry_after_ms, DrainRate::retry_ms_max);
    EXPECT_EQ(say(cluster.await(one)), "unknown deadline_exceeded");
    EXPECT_EQ(say(cluster.await(two)), "unknown deadline_exceeded");
    cluster.heal();
    std::string again = cluster.submit(cluster.host(1), "far", "e");
    EXPECT_TRUE(again.starts_with("applied")) << again;
}

TEST(HostLimits, commands_on_their_way_are_bounded_by_their_bytes) {
    HostCluster cluster(2);
    cluster.options.max_forwarded_bytes = 10'000;
    cluster.host(1).stop();
    cluster.host(1).start();
    ASSERT_TRUE(cluster.create(cluster.host(0), "far", {"h1"}).has_value());
    auto port = cluster.open(cluster.host(1), "far").value();
    auto fits = cluster.start_submit(*port, std::string(9'000, 'x'));
    auto more = cluster.start_submit(*port, std::string(2'000, 'x'));
    ASSERT_TRUE(more.has_value());
    EXPECT_EQ(say(*more), "not_applied overloaded");
    EXPECT_TRUE(say(cluster.await(fits)).starts_with("applied"));
}

// Beyond what may be under way groups propose in turn, and nobody is left out.
TEST(HostLimits, many_groups_at_once_propose_in_turn) {
    HostCluster cluster(3);
    cluster.options.group.commands_under_way = 1;
    for (TestHost* host : cluster.hosts_up()) {
        host->stop();
        host->start();
    }
    std::vector<std::shared_ptr<group::GroupPort>> ports;
    for (int i = 0; i < 8; ++i) {
        std::string name = "g" + std::to_string(i);
        ASSERT_TRUE(cluster.create(cluster.host(0), name, cluster.names()).has_value());
        cluster.leader_of(name);
        ports.push_back(cluster.open(cluster.host(0), name).value());
    }
    std::vector<HostCluster::Told<Outcome>> told;
    for (int round = 0; round < 5; ++round) {
        for (auto& port : ports) told.push_back(cluster.start_submit(*port, "x"));
    }
    for (auto& one : told) EXPECT_TRUE(say(cluster.await(one)).starts_with("applied"));
}

// One that can go no further without another host, and one that needs none.
class HostLimitsWithAGroupInTheWay : public ::testing::Test {
 protected:
    HostLimitsWithAGroupInTheWay() : cluster(2) {
        cluster.options.group.commands_under_way = 1;
        cluster.options.group.raft.election_timeout = 500ms;
        cluster.host(0).stop();
        cluster.host(0).start();
        EXPECT_TRUE(cluster.create(cluster.host(0), "both", {"h1", "h2"}).has_value());
        EXPECT_TRUE(cluster.create(cluster.host(0), "one", {"h1"}).has_value());
        both = cluster.open(cluster.host(0), "both").value();
        one = cluster.open(cluster.host(0), "one").value();
        while (&cluster.leader_of("both") != &cluster.host(0)) {
            cluster.host(1).stop();
            cluster.host(1).start();
        }
        cluster.submit(cluster.host(0), "both", "awake");
        cluster.submit(cluster.host(0), "one", "awake");
        cluster.cut("h1", "h2");
        stuck = cluster.start_submit(*both, "stuck");
        cluster.scheduler.run_ready();
    }

    HostCluster cluster;
    std::shared_ptr<group::GroupPort> both, one;
    HostCluster::Told<Outcome> stuck;
};

TEST_F(HostLimitsWithAGroupInTheWay,
       what_waits_for_its_turn_is_surely_not_applied_by_its_deadline) {
    auto late = cluster.start_submit(*one, "late", 100ms);
    EXPECT_EQ(say(cluster.await(late)), "not_applied deadline_exceeded");
    EXPECT_EQ(cluster.query(cluster.host(0), "one", ReadLevel::linearizable, "count"), "1");
}

// Its disk is idle, and nothing of it has to do with the peer that the other group waits for.
TEST_F(HostLimitsWithAGroupInTheWay, one_that_goes_on_slowly_holds_others_up_for_no_longer_either) {
    cluster.heal();
    EXPECT_TRUE(say(cluster.await(stuck)).starts_with("applied"));
    Time latest{};
    cluster.lose = [&](const auto& from, const auto&, const group::PeerMessage& message) {
        const auto* raft = std::get_if<group::RaftEnvelope>(&message);
        if (from != "h1" || raft == nullptr) return false;
        const auto* append = std::get_if<raft::AppendEntries>(&raft->message);
        if (append == nullptr || append->entries.empty()) return false;
        if (cluster.scheduler.now() < latest + 300ms) return true;
        latest = cluster.scheduler.now();
        return false;
    };
    std::vector<HostCluster::Told<Outcome>> slow;
    for (int i = 0; i < 5'000; ++i) {
        slow.push_back(cluster.start_submit(*both, std::string(900, 'x'), 60s));
    }
    cluster.scheduler.run_ready();
    Time begin = cluster.scheduler.now();
    EXPECT_TRUE(cluster.submit(cluster.host(0), "one", "x").starts_with("applied"));
    EXPECT_LE(cluster.scheduler.now(), begin + 510ms);
    EXPECT_FALSE(slow.back().has_value());
    cluster.lose = nullptr;
    for (const auto& told : slow) EXPECT_TRUE(say(cluster.await(told)).starts_with("applied"));
}

TEST_F(HostLimitsWithAGroupInTheWay, it_holds_others_up_for_no_longer_than_an_election_timeout) {
    Time begin = cluster.scheduler.now();
    EXPECT_TRUE(cluster.submit(cluster.host(0), "one", "x").starts_with("applied"));
    EXPECT_LE(cluster.scheduler.now(), begin + 500ms);
    begin = cluster.scheduler.now();
    EXPECT_TRUE(cluster.submit(cluster.host(0), "one", "y").starts_with("applied"));
    EXPECT_LE(cluster.scheduler.now(), begin + 50ms) << "and only once";
}

// Groups that were busy once, and are idle now, would keep theirs for ever.
TEST(HostLimits, caches_of_idle_groups_are_cut_when_a_busy_one_needs_room) {
    for (std::size_t shards : {1u, 2u}) {
        HostCluster cluster(1, shards);
        cluster.options.memory.cache_bytes = 200'000;
        cluster.host(0).stop();
        cluster.host(0).start();
        const group::HostMemory& memory = cluster.host(0).host->memory();
        for (int group = 0; group < 8; ++group) {
            std::string name = "g" + std::to_string(group);
            ASSERT_TRUE(cluster.create(cluster.host(0), name, {"h1"}).has_value());
            for (int i = 0; i < 10; ++i) {
                ASSERT_TRUE(cluster.submit(cluster.host(0), name, std::string(10'000, 'x'))
                                .starts_with("applied"));
            }
            cluster.scheduler.run_ready();
            EXPECT_LE(memory.cached, 210'000u) << "after group " << group;
        }
        EXPECT_EQ(memory.members, 8u);
        EXPECT_EQ(cluster.query(cluster.host(0), "g0", ReadLevel::linearizable, "count"), "10");
        EXPECT_EQ(memory.unstored, 0u);
    }
}

}  // namespace
}  // namespace quorate::testing
