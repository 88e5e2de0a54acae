#include "tests/group/group_fixture.hpp"

namespace quorate::testing {
namespace {

using group::MemberState;

Index next_index(TestCluster& cluster) {
    return cluster.leader().status().last.next();
}

TEST(Fault, stops_applying_on_that_member_alone_which_goes_on_voting_and_replicating) {
    TestCluster cluster(3);
    cluster.apply_many(5, "c");
    auto followers = cluster.followers();
    TestMember& sick = *followers[0];
    Index at = next_index(cluster);
    sick.controls->faults.insert(at);
    cluster.apply("poison");
    cluster.apply("after");
    ASSERT_TRUE(cluster.run_until([&] { return sick.status().state == MemberState::faulted; }));
    EXPECT_EQ(sick.status().applied, at.prev());
    EXPECT_NE(sick.status().trouble.find("at entry " + std::to_string(at.value())),
              std::string::npos)
        << sick.status().trouble;
    EXPECT_EQ(sick.trouble_of_query("all"), "plugin_fault");
    // Its acknowledgements still make a quorum.
    cluster.isolate(*followers[1]);
    EXPECT_EQ(cluster.apply("more"), "8:more");
    ASSERT_TRUE(cluster.run_until(
        [&] { return sick.status().commit == cluster.leader().status().commit; }));
}

TEST(Fault, that_passes_costs_one_rebuild_and_nothing_else) {
    TestCluster cluster(3);
    cluster.apply_many(5, "c");
    TestMember& sick = *cluster.follower();
    sick.controls->faults_once.insert(next_index(cluster));
    sick.controls->batches.clear();
    cluster.apply("d");
    cluster.apply("e");
    cluster.expect_agreement();
    EXPECT_EQ(sick.status().state, MemberState::running);
    EXPECT_EQ(sick.controls->created, 2);
    // Rebuilt one entry at a time.
    EXPECT_GE(sick.controls->batches.size(), 6u);
}

TEST(Fault, in_the_midst_of_a_batch_lets_the_entries_before_it_stand) {
    TestCluster cluster(1);
    TestMember& only = cluster.leader();
    Index first = next_index(cluster);
    only.controls->faults.insert(first + 2);
    std::vector<TestCluster::LaterOutcome> all;
    for (int i = 0; i < 4; ++i) all.push_back(cluster.submit(only, "c" + std::to_string(i), 5s));
    ASSERT_TRUE(cluster.run_until([&] { return only.status().state == MemberState::faulted; }));
    EXPECT_EQ(say(*all[0]), "applied 1:c0");
    EXPECT_EQ(say(*all[1]), "applied 2:c1");
    EXPECT_EQ(say(cluster.await(all[2])), "unknown plugin_fault");
    EXPECT_EQ(say(cluster.await(all[3])), "unknown plugin_fault");
    EXPECT_EQ(only.status().applied, first.next());
}

TEST(Fault, leaves_nothing_of_a_half_applied_entry_in_answers_or_snapshots) {
    auto options = TestCluster::fast_options();
    options.snapshot_interval_entries = 5;
    TestCluster cluster(1, options);
    TestMember& only = cluster.leader();
    Index first = next_index(cluster);
    only.controls->faults_once.insert(first + 6);
    auto query = cluster.query(only, group::ReadLevel::local, "all", first + 5);
    std::vector<TestCluster::LaterOutcome> all;
    for (int i = 0; i < 8; ++i) all.push_back(cluster.submit(only, "c", 5s));
    for (const auto& each : all) EXPECT_TRUE(say(cluster.await(each)).starts_with("applied"));
    EXPECT_EQ(only.ask("all"), "c,c,c,c,c,c,c,c");
    ASSERT_TRUE(cluster.await(query).has_value());
    EXPECT_EQ((*query)->reply.text().find("HALF"), std::string_view::npos);
    cluster.scheduler.run_for(1s);
    only.crash();
    only.start();
    cluster.leader();
    EXPECT_EQ(only.ask("all"), "c,c,c,c,c,c,c,c");
}

TEST(Fault, rebuilds_from_the_newest_snapshot) {
    TestCluster cluster(3);
    cluster.apply_many(20, "c");
    cluster.expect_agreement();
    TestMember& sick = *cluster.follower();
    TestCluster::Later<Result<group::SnapshotSummary>> taken;
    sick.group->take_snapshot(TestCluster::into(taken));
    ASSERT_TRUE(cluster.await(taken).has_value());
    sick.controls->faults_once.insert(next_index(cluster));
    std::uint64_t before = sick.status().commands;
    cluster.apply("d");
    cluster.expect_agreement();
    EXPECT_EQ(sick.status().commands, before + 1);
}

TEST(Fault, is_met_again_after_a_restart) {
    TestCluster cluster(3);
    cluster.apply_many(5, "c");
    TestMember& sick = *cluster.follower();
    sick.controls->faults.insert(next_index(cluster));
    cluster.apply("poison");
    ASSERT_TRUE(cluster.run_until([&] { return sick.status().state == MemberState::faulted; }));
    sick.crash();
    sick.start();
    ASSERT_TRUE(cluster.run_until([&] { return sick.status().state == MemberState::faulted; }));
    EXPECT_EQ(sick.trouble_of_query("all"), "plugin_fault");
}

TEST(Fault, is_what_an_entry_without_a_command_header_counts_as) {
    TestCluster cluster(0);
    TestMember& only = cluster.add_host();
    raft::Membership alone{{only.as_member()}};
    only.create(alone);
    only.crash();
    raft::Store store;
    store.hard = raft::HardState{Term(1), {}};
    store.entries.push_back(
        {{Term(1), Index(1)}, raft::EntryKind::command, Bytes::copy_of("junk")});
    only.log.write(TestCluster::group_id, std::move(store));
    only.log.crash();
    only.start();
    ASSERT_TRUE(cluster.run_until([&] { return only.status().state == MemberState::faulted; }));
    EXPECT_EQ(only.trouble_of_query("all"), "corrupt");
    EXPECT_EQ(only.status().applied, Index{});
}

// ---- a build that is not here ---------------------------------------------------------------------

TEST(MissingPlugin, makes_a_member_wait_and_replicate_until_it_is_installed) {
    TestCluster cluster(3);
    cluster.apply_many(5, "c");
    auto followers = cluster.followers();
    TestMember& without = *followers[0];
    without.crash();
    without.controls->installed = false;
    without.start();
    cluster.apply_many(5, "d");
    cluster.isolate(*followers[1]);
    cluster.apply("e");  // a quorum only with it
    EXPECT_EQ(without.status().state, MemberState::waiting_for_plugin);
    EXPECT_EQ(without.trouble_of_query("all"), "plugin_not_found");
    EXPECT_EQ(without.group->machine().error().code, Errc::plugin_not_found);
    EXPECT_EQ(without.status().applied, Index{});
    without.group->plugins_changed();  // of another plugin
    cluster.scheduler.run_ready();
    EXPECT_EQ(without.status().state, MemberState::waiting_for_plugin);
    without.controls->installed = true;
    without.group->plugins_changed();
    cluster.heal();
    cluster.expect_agreement();
}

TEST(MissingPlugin, on_the_leader_moves_leadership) {
    TestCluster cluster(3);
    cluster.apply("a");
    TestMember& without = *cluster.follower();
    without.crash();
    without.controls->installed = false;
    without.start();
    cluster.apply("b");
    cluster.run_until([&] { return without.status().last == cluster.leader().status().last; });
    TestCluster::Later<Result<group::Done>> moved;
    cluster.leader().group->transfer_leadership(without.id, cluster.scheduler.now() + 5s,
                                                TestCluster::into(moved));
    ASSERT_TRUE(cluster.await(moved).has_value());
    ASSERT_TRUE(cluster.run_until([&] { return !without.group->is_leader(); }));
    EXPECT_EQ(cluster.apply("c"), "3:c");
}

TEST(MissingPlugin, does_not_keep_a_snapshot_from_being_received) {
    auto options = TestCluster::fast_options();
    options.snapshot_interval_entries = 20;
    options.retained_entries = 3;
    TestCluster cluster(3, options);
    TestMember& without = *cluster.follower();
    without.crash();
    without.controls->installed = false;
    for (int round = 0; round < 5; ++round) cluster.apply_many(20, "c");
    without.start();
    ASSERT_TRUE(cluster.run_until([&] { return without.status().snapshot > Index(50); }));
    EXPECT_EQ(without.status().state, MemberState::waiting_for_plugin);
    without.controls->installed = true;
    without.group->plugins_changed();
    cluster.expect_agreement();
}

TEST(RejectedSnapshot, faults_the_member_and_not_the_host) {
    auto options = TestCluster::fast_options();
    options.snapshot_interval_entries = 20;
    options.retained_entries = 3;
    TestCluster cluster(3, options);
    TestMember& picky = *cluster.follower();
    picky.crash();
    picky.controls->rejects_snapshots = true;
    for (int round = 0; round < 5; ++round) cluster.apply_many(20, "c");
    picky.start();
    ASSERT_TRUE(cluster.run_until([&] { return picky.status().state == MemberState::faulted; }));
    EXPECT_EQ(picky.trouble_of_query("all"), "snapshot_rejected");
}

// ---- broken invariants ----------------------------------------------------------------------------

TEST(Fence, silences_the_member_and_leaves_the_others_alone) {
    TestCluster cluster(3);
    cluster.apply_many(5, "c");
    TestMember& broken = *cluster.follower();
    broken.controls->invariants.insert(next_index(cluster));
    cluster.apply("trigger");
    ASSERT_TRUE(cluster.run_until([&] { return broken.status().state == MemberState::fenced; }));
    EXPECT_NE(broken.status().trouble.find("broken invariant"), std::string::npos);
    bool spoke = false;
    cluster.lose = [&](const std::string& from, const std::string&, const group::PeerMessage&) {
        spoke |= from == broken.host;
        return false;
    };
    for (int i = 0; i < 5; ++i) cluster.apply("more");
    cluster.scheduler.run_for(10s);
    EXPECT_FALSE(spoke);
    EXPECT_EQ(say(*cluster.submit(broken, "x")), "not_applied member_fenced");
    EXPECT_EQ(broken.trouble_of_query("all"), "member_fenced");
    broken.stop(true);
}

TEST(Fence, of_the_leader_answers_everything_that_waits) {
    TestCluster cluster(3);
    cluster.apply_many(5, "c");
    TestMember& broken = cluster.leader();
    broken.controls->invariants.insert(next_index(cluster));
    auto outcome = cluster.submit(broken, "trigger");
    auto query = cluster.query(broken, group::ReadLevel::local, "all", Index(1000));
    EXPECT_EQ(say(cluster.await(outcome)), "unknown member_fenced");
    EXPECT_EQ(cluster.await(query).error().code, Errc::member_fenced);
    EXPECT_EQ(broken.status().state, MemberState::fenced);
    EXPECT_EQ(cluster.apply("next"), "7:next");
}

}  // namespace
}  // namespace quorate::testing
