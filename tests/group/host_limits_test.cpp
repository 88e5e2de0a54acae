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
