#include "host/raft/membership.hpp"
#include "tests/group/group_fixture.hpp"

#include <algorithm>

namespace quorate::testing {
namespace {

using LaterEntry = TestCluster::Later<Result<EntryId>>;
using LaterDone = TestCluster::Later<Result<group::Done>>;

LaterEntry change(TestCluster& cluster, TestMember& at,
                  std::variant<raft::AddMember, raft::RemoveMember, raft::SetVoteKind> what,
                  Duration within = 10s) {
    LaterEntry later;
    at.group->change_membership(std::move(what), cluster.scheduler.now() + within,
                                TestCluster::into(later));
    return later;
}

raft::Membership membership_of(TestMember& member) {
    raft::Membership all;
    for (const group::PeerProgress& peer : member.status().members) {
        all.members.push_back({peer.id, peer.host, peer.kind, {}});
    }
    return all;
}

TestMember& join(TestCluster& cluster, raft::VoteKind kind) {
    TestMember& fresh = cluster.add_host();
    fresh.create(membership_of(cluster.leader()));
    auto added = change(cluster, cluster.leader(), raft::AddMember{fresh.as_member(kind)});
    EXPECT_TRUE(cluster.await(added).has_value());
    return fresh;
}

TEST(Membership, grows_by_a_promotable_that_becomes_a_voter_when_it_has_caught_up) {
    TestCluster cluster(3);
    cluster.apply_many(50, "c");
    TestMember& fresh = join(cluster, raft::VoteKind::promotable);
    ASSERT_TRUE(cluster.run_until([&] { return fresh.status().kind == raft::VoteKind::voter; }));
    cluster.apply("more");
    cluster.expect_agreement();
    EXPECT_EQ(cluster.leader().status().members.size(), 4u);
}

TEST(Membership, grows_by_a_member_that_starts_from_a_snapshot) {
    auto options = TestCluster::fast_options();
    options.snapshot_interval_entries = 20;
    options.retained_entries = 3;
    TestCluster cluster(3, options);
    for (int round = 0; round < 5; ++round) cluster.apply_many(20, "c");
    TestMember& fresh = join(cluster, raft::VoteKind::promotable);
    ASSERT_TRUE(cluster.run_until([&] { return fresh.status().kind == raft::VoteKind::voter; }));
    cluster.expect_agreement();
    EXPECT_GT(fresh.status().snapshot, Index(50));
    // A snapshot says who was a member at its index, so a restart knows it still.
    fresh.crash();
    fresh.start();
    cluster.expect_agreement();
    EXPECT_EQ(fresh.status().members.size(), 4u);
}

TEST(Membership, of_a_snapshot_is_that_of_its_index) {
    TestCluster cluster(3);
    cluster.apply_many(10, "c");
    TestMember& leader = cluster.leader();
    cluster.scheduler.hold_background();
    TestCluster::Later<Result<group::SnapshotSummary>> taken;
    leader.group->take_snapshot(TestCluster::into(taken));
    TestMember& gone = *cluster.follower();
    ASSERT_TRUE(cluster.await(change(cluster, leader, raft::RemoveMember{gone.id})).has_value());
    cluster.scheduler.resume_background();
    ASSERT_TRUE(cluster.await(taken).has_value());
    auto listed = leader.snapshots->list(TestCluster::group_id).value();
    EXPECT_EQ(listed.front().meta.membership.members.size(), 3u);
    EXPECT_EQ(leader.status().members.size(), 2u);
    leader.crash();
    leader.start();
    cluster.leader();
    EXPECT_EQ(leader.status().members.size(), 2u);
}

TEST(Membership, shrinks_and_the_member_that_went_says_so) {
    TestCluster cluster(3);
    cluster.apply("a");
    TestMember& gone = *cluster.follower();
    auto removed = change(cluster, cluster.leader(), raft::RemoveMember{gone.id});
    ASSERT_TRUE(cluster.await(removed).has_value());
    ASSERT_TRUE(cluster.run_until([&] { return gone.has_ended; }));
    gone.stop(false);
    EXPECT_EQ(cluster.apply("b"), "2:b");
    EXPECT_EQ(cluster.leader().status().members.size(), 2u);
}

TEST(Membership, loses_its_leader_and_another_takes_over) {
    TestCluster cluster(3);
    cluster.apply("a");
    TestMember& old = cluster.leader();
    auto removed = change(cluster, old, raft::RemoveMember{old.id});
    ASSERT_TRUE(cluster.await(removed).has_value());
    ASSERT_TRUE(cluster.run_until([&] { return old.has_ended; }));
    old.stop(false);
    EXPECT_EQ(cluster.apply("b"), "2:b");
}

TEST(Membership, changes_at_the_leader_alone_and_says_why_not) {
    TestCluster cluster(3);
    cluster.apply("a");
    TestMember& leader = cluster.leader();
    TestMember& follower = *cluster.followers()[0];
    TestMember& other = *cluster.followers()[1];
    auto code = [&](const LaterEntry& later) { return cluster.await(later).error().code; };
    EXPECT_EQ(code(change(cluster, follower, raft::RemoveMember{leader.id})), Errc::not_leader);
    EXPECT_EQ(code(change(cluster, leader, raft::RemoveMember{MemberId(5)})), Errc::not_member);
    EXPECT_EQ(code(change(cluster, leader, raft::AddMember{follower.as_member()})),
              Errc::already_member);
    cluster.isolate(leader);
    auto first = change(cluster, leader, raft::RemoveMember{follower.id}, 300ms);
    EXPECT_EQ(code(change(cluster, leader, raft::RemoveMember{other.id})),
              Errc::change_not_permitted);
    EXPECT_EQ(code(first), Errc::deadline_exceeded);
}

// ---- leadership -----------------------------------------------------------------------------------

TEST(Leadership, is_transferred_to_the_member_that_was_named) {
    TestCluster cluster(3);
    cluster.apply("a");
    TestMember& to = *cluster.followers()[1];
    LaterDone done;
    cluster.leader().group->transfer_leadership(to.id, cluster.scheduler.now() + 5s,
                                                TestCluster::into(done));
    ASSERT_TRUE(cluster.await(done).has_value());
    EXPECT_EQ(cluster.leader().host, to.host);
    EXPECT_EQ(cluster.apply("b"), "2:b");
}

TEST(Leadership, is_not_transferred_to_nobody_or_from_a_follower) {
    TestCluster cluster(3);
    cluster.apply("a");
    LaterDone nobody;
    cluster.leader().group->transfer_leadership(MemberId(5), cluster.scheduler.now() + 5s,
                                                TestCluster::into(nobody));
    EXPECT_EQ(cluster.await(nobody).error().code, Errc::not_member);
    LaterDone follower;
    cluster.follower()->group->transfer_leadership({}, cluster.scheduler.now() + 5s,
                                                   TestCluster::into(follower));
    EXPECT_EQ(cluster.await(follower).error().code, Errc::not_leader);
}

TEST(Leadership, is_taken_by_a_member_that_is_told_to_campaign) {
    TestCluster cluster(3);
    cluster.scheduler.run_ready();
    EXPECT_TRUE(cluster.member(2).group->campaign().has_value());
    ASSERT_TRUE(cluster.run_until([&] { return cluster.member(2).group->is_leader(); }, 100ms));
}

TEST(Stop, hands_leadership_over_and_answers_what_is_under_way) {
    TestCluster cluster(3);
    cluster.apply("a");
    TestMember& old = cluster.leader();
    std::vector<TestCluster::LaterOutcome> all;
    for (int i = 0; i < 20; ++i) all.push_back(cluster.submit(old, "c"));
    cluster.scheduler.run_ready();
    Time before = cluster.scheduler.now();
    old.stop(true);
    EXPECT_LT(cluster.scheduler.now() - before, 1s);
    for (const auto& each : all) EXPECT_TRUE(say(*each).starts_with("applied")) << say(*each);
    cluster.leader();
    EXPECT_LT(cluster.scheduler.now() - before, 1s);
    EXPECT_EQ(cluster.apply("b"), "22:b");
    old.start();
    cluster.expect_agreement();
}

TEST(Stop, tells_those_who_come_late_who_leads_now) {
    TestCluster cluster(3);
    cluster.apply("a");
    TestMember& old = cluster.leader();
    bool done = false;
    old.group->stop(true, [&done] { done = true; });
    ASSERT_TRUE(cluster.run_until(
        [&] { return !old.group->leader().empty() && old.group->leader() != old.host; }));
    cluster.scheduler.run_for(50ms);
    EXPECT_FALSE(done);
    auto late = cluster.submit(old, "b");
    cluster.scheduler.run_ready();
    const auto* refused = std::get_if<group::NotApplied>(&*late);
    ASSERT_NE(refused, nullptr) << say(*late);
    EXPECT_EQ(refused->leader, old.group->leader());
    ASSERT_TRUE(cluster.run_until([&] { return done; }, 1s));
    old.group.reset();
    old.log.crash();
}

TEST(Stop, gives_up_handing_over_after_one_election_timeout) {
    TestCluster cluster(3);
    cluster.apply("a");
    TestMember& old = cluster.leader();
    cluster.isolate(old);
    Time before = cluster.scheduler.now();
    old.stop(true);
    EXPECT_LE(cluster.scheduler.now() - before, 1s + 1ms);
}

TEST(Stop, waits_for_what_runs_in_the_background) {
    TestCluster cluster(1);
    cluster.apply("a");
    TestMember& only = cluster.leader();
    cluster.scheduler.hold_background();
    TestCluster::Later<Result<group::SnapshotSummary>> taken;
    only.group->take_snapshot(TestCluster::into(taken));
    bool done = false;
    only.group->stop(false, [&] { done = true; });
    cluster.scheduler.run_for(5s);
    EXPECT_FALSE(done);
    cluster.scheduler.resume_background();
    cluster.scheduler.run_ready();
    EXPECT_TRUE(done);
    EXPECT_EQ(taken->error().code, Errc::cancelled);
    EXPECT_EQ(only.controls->views_open, 0);
}

TEST(Stop, is_done_at_once_for_a_member_that_has_not_begun) {
    TestCluster cluster(1);
    cluster.member(0).stop(true);
}

TEST(EndOfLife, ends_every_member_the_leader_last) {
    TestCluster cluster(3);
    cluster.apply_many(5, "c");
    TestMember& leader = cluster.leader();
    LaterDone done;
    leader.group->end_of_life(cluster.scheduler.now() + 10s, TestCluster::into(done));
    ASSERT_TRUE(cluster.await(done).has_value());
    auto late = cluster.submit(leader, "late");
    EXPECT_TRUE(say(cluster.await(late)).starts_with("not_applied")) << say(*late);
    EXPECT_FALSE(leader.has_ended);
    ASSERT_TRUE(cluster.run_until([&] { return leader.has_ended; }));
    for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(cluster.member(i).has_ended);
    EXPECT_EQ(leader.trouble_of_query("all"), "no_such_group");
}

TEST(EndOfLife, does_not_wait_for_ever_for_a_member_that_is_away) {
    TestCluster cluster(3);
    cluster.apply_many(5, "c");
    TestMember& away = *cluster.follower();
    away.crash();
    TestMember& leader = cluster.leader();
    LaterDone done;
    leader.group->end_of_life(cluster.scheduler.now() + 10s, TestCluster::into(done));
    ASSERT_TRUE(cluster.run_until([&] { return leader.has_ended; }, 10s));
}

}  // namespace
}  // namespace quorate::testing
