#include "tests/group/group_fixture.hpp"

namespace quorate::testing {
namespace {

using group::ReadLevel;

std::string said(const Result<group::QueryAnswer>& answer) {
    return answer.has_value() ? std::string(answer->reply.text())
                              : std::string(error_info(answer.error().code).name);
}

TEST(Query, local_is_answered_at_once_by_any_member_with_its_place) {
    TestCluster cluster(3);
    cluster.apply("a");
    cluster.expect_agreement();
    for (std::size_t i = 0; i < 3; ++i) {
        auto answer = cluster.query(cluster.member(i), ReadLevel::local, "all");
        ASSERT_TRUE(answer.has_value());
        EXPECT_EQ(said(*answer), "a");
        EXPECT_EQ((*answer)->at.index, cluster.member(i).status().applied);
        EXPECT_EQ((*answer)->leader, cluster.leader().host);
    }
}

TEST(Query, local_at_least_waits_for_that_entry) {
    TestCluster cluster(3);
    cluster.apply("a");
    TestMember& leader = cluster.leader();
    TestMember& behind = *cluster.follower();
    cluster.expect_agreement();
    cluster.cut(leader, behind);
    cluster.apply("b");
    Index at = leader.status().applied;
    auto waiting = cluster.query(behind, ReadLevel::local, "all", at);
    EXPECT_FALSE(waiting.has_value());
    EXPECT_EQ(said(*cluster.query(behind, ReadLevel::local, "all")), "a");
    cluster.heal();
    EXPECT_EQ(said(cluster.await(waiting)), "a,b");
    EXPECT_GE((*waiting)->at.index, at);
}

TEST(Query, local_at_least_of_an_entry_that_never_comes_ends_at_its_deadline) {
    TestCluster cluster(3);
    cluster.apply("a");
    auto waiting = cluster.query(cluster.leader(), ReadLevel::local, "all", Index(1000), 2s);
    EXPECT_EQ(said(cluster.await(waiting)), "deadline_exceeded");
}

TEST(Query, leader_is_answered_by_the_leader_alone) {
    TestCluster cluster(3);
    cluster.apply("a");
    EXPECT_EQ(said(*cluster.query(cluster.leader(), ReadLevel::leader, "all")), "a");
    EXPECT_EQ(said(*cluster.query(*cluster.follower(), ReadLevel::leader, "all")), "not_leader");
}

TEST(Query, linearizable_sees_every_acknowledged_command_on_any_member) {
    TestCluster cluster(3);
    for (int i = 0; i < 10; ++i) {
        cluster.apply("c");
        for (std::size_t m = 0; m < 3; ++m) {
            auto answer = cluster.query(cluster.member(m), ReadLevel::linearizable, "count");
            EXPECT_EQ(said(cluster.await(answer)), std::to_string(i + 1));
        }
    }
}

TEST(Query, linearizable_appends_nothing_to_the_log) {
    TestCluster cluster(3);
    cluster.apply("a");
    Index last = cluster.leader().status().last;
    cluster.await(cluster.query(cluster.leader(), ReadLevel::linearizable, "all"));
    EXPECT_EQ(cluster.leader().status().last, last);
}

TEST(Query, linearizable_without_a_quorum_ends_at_its_deadline) {
    TestCluster cluster(3);
    cluster.apply("a");
    TestMember& leader = cluster.leader();
    cluster.isolate(leader);
    auto answer = cluster.query(leader, ReadLevel::linearizable, "all", {}, 5s);
    EXPECT_EQ(said(cluster.await(answer)), "deadline_exceeded");
}

TEST(Query, linearizable_survives_a_change_of_leader) {
    TestCluster cluster(3);
    cluster.apply("a");
    TestMember& leader = cluster.leader();
    TestMember& follower = *cluster.follower();
    leader.crash();
    auto answer = cluster.query(follower, ReadLevel::linearizable, "all", {}, 30s);
    EXPECT_EQ(said(cluster.await(answer)), "a");
}

TEST(Query, linearizable_of_a_deposed_leader_is_never_stale) {
    TestCluster cluster(3);
    cluster.apply("a");
    TestMember& old = cluster.leader();
    cluster.isolate(old);
    auto answer = cluster.query(old, ReadLevel::linearizable, "all", {}, 60s);
    cluster.run_until([&] { return !old.group->is_leader(); });
    ASSERT_TRUE(cluster.run_until([&] { return cluster.leader().host != old.host; }));
    cluster.apply("b");
    EXPECT_FALSE(answer.has_value());
    cluster.heal();
    EXPECT_EQ(said(cluster.await(answer)), "a,b");
}

TEST(Query, that_the_machine_refuses_harms_nothing) {
    TestCluster cluster(1);
    cluster.apply("a");
    EXPECT_EQ(said(*cluster.query(cluster.leader(), ReadLevel::local, "throw")), "query_failed");
    EXPECT_EQ(said(*cluster.query(cluster.leader(), ReadLevel::local, "all")), "a");
}

TEST(Query, that_waits_when_the_member_stops_is_answered) {
    TestCluster cluster(3);
    auto waiting = cluster.query(cluster.leader(), ReadLevel::local, "all", Index(1000));
    cluster.leader().group->stop(false, [] {});
    EXPECT_EQ(said(cluster.await(waiting)), "member_stopped");
}

}  // namespace
}  // namespace quorate::testing
