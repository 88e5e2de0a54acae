#include "host/group/command.hpp"
#include "tests/group/group_fixture.hpp"

namespace quorate::testing {
namespace {

using group::MemberState;

TEST(Group, of_one_member_answers_a_command_with_the_machines_reply) {
    TestCluster cluster(1);
    EXPECT_EQ(cluster.apply("a"), "1:a");
    EXPECT_EQ(cluster.apply("b"), "2:b");
    EXPECT_EQ(cluster.member(0).status().state, MemberState::running);
}

TEST(Group, answers_with_nothing_if_the_machine_says_nothing) {
    TestCluster cluster(1);
    EXPECT_EQ(cluster.apply("quiet"), "");
    EXPECT_EQ(cluster.apply("b"), "2:b");
}

TEST(Group, of_three_members_applies_every_command_on_each) {
    TestCluster cluster(3);
    for (int i = 0; i < 20; ++i) cluster.apply("c" + std::to_string(i));
    cluster.expect_agreement();
    EXPECT_EQ(cluster.leader().ask("count"), "20");
    EXPECT_NE(cluster.leader().status().outcome_hash, 0u);
}

TEST(Group, hands_what_is_ready_to_the_machine_in_one_batch) {
    TestCluster cluster(3);
    TestMember& leader = cluster.leader();
    leader.controls->batches.clear();
    cluster.apply_many(100, "c");
    EXPECT_EQ(leader.controls->batches.size(), 1u);
}

TEST(Group, gives_other_groups_a_turn_between_batches) {
    auto options = TestCluster::fast_options();
    options.apply_batch = 10;
    TestCluster cluster(3, options);
    TestMember& leader = cluster.leader();
    leader.controls->batches.clear();
    cluster.apply_many(100, "c");
    EXPECT_EQ(leader.controls->batches.size(), 10u);
    cluster.expect_agreement();
}

TEST(Group, tells_how_far_every_members_disk_is) {
    TestCluster cluster(3);
    cluster.apply_many(10, "c");
    cluster.expect_agreement();
    cluster.scheduler.run_for(1s);
    group::MemberStatus leading = cluster.leader().status();
    ASSERT_EQ(leading.members.size(), 3u);
    for (const group::PeerProgress& member : leading.members) {
        EXPECT_EQ(member.match, leading.last) << member.host;
    }
    for (const group::PeerProgress& member : cluster.follower()->status().members) {
        EXPECT_EQ(member.match, Index{}) << member.host;
    }
}

TEST(Group, tells_its_observer_who_leads) {
    TestCluster cluster(3);
    TestMember& leader = cluster.leader();
    cluster.apply("a");
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(cluster.member(i).told_leader, leader.host);
        EXPECT_EQ(cluster.member(i).group->leader(), leader.host);
    }
}

TEST(Group, counts_effects_and_chains_them_into_the_outcome) {
    TestCluster cluster(3);
    cluster.apply("effect one");
    cluster.expect_agreement();
}

TEST(Group, elects_another_leader_when_the_leader_dies_and_loses_nothing_acknowledged) {
    TestCluster cluster(3);
    for (int i = 0; i < 5; ++i) cluster.apply("before" + std::to_string(i));
    TestMember& old = cluster.leader();
    old.crash();
    EXPECT_EQ(cluster.apply("after"), "6:after");
    old.start();
    cluster.expect_agreement();
}

TEST(Group, restarts_from_its_log) {
    TestCluster cluster(1);
    for (int i = 0; i < 10; ++i) cluster.apply("c" + std::to_string(i));
    std::uint64_t hash = cluster.leader().status().outcome_hash;
    TestMember& only = cluster.member(0);
    only.crash();
    only.start();
    cluster.leader();
    EXPECT_EQ(only.ask("count"), "10");
    EXPECT_EQ(only.status().outcome_hash, hash);
    EXPECT_EQ(cluster.apply("more"), "11:more");
}

TEST(Group, reads_old_entries_back_for_a_follower_that_was_away) {
    auto options = TestCluster::fast_options();
    options.cache_bytes = 2000;
    TestCluster cluster(3, options);
    TestMember& away = *cluster.follower();
    away.crash();
    cluster.apply_many(300, "command");
    away.start();
    cluster.expect_agreement();
}

TEST(Group, applies_from_the_log_store_what_its_cache_no_longer_holds) {
    auto options = TestCluster::fast_options();
    options.cache_bytes = 1000;
    TestCluster cluster(1, options);
    cluster.member(0).controls->installed = true;
    cluster.apply_many(300, "command");
    cluster.member(0).crash();
    cluster.member(0).start();
    cluster.leader();
    EXPECT_EQ(cluster.member(0).ask("count"), "300");
}

TEST(Group, keeps_the_commands_clock_from_going_back) {
    TestCluster cluster(1);
    TestMember& only = cluster.leader();
    for (std::int64_t time : {5000, 3000, 7000, 1}) {
        only.group->submit(group::make_command({time}, as_bytes("x")), cluster.scheduler.now() + 1s,
                           [](const group::Outcome&) {});
    }
    cluster.apply("y");                 // its clock is far later
    EXPECT_EQ(only.ask("count"), "5");  // the machine checks the order itself
}

// ---- outcomes -------------------------------------------------------------------------------------

TEST(Outcome, of_a_command_at_a_follower_names_the_leader) {
    TestCluster cluster(3);
    TestMember& follower = *cluster.follower();
    auto outcome = cluster.submit(follower, "a");
    auto& refused = std::get<group::NotApplied>(*outcome);  // at once
    EXPECT_EQ(refused.error.code, Errc::not_leader);
    EXPECT_EQ(refused.leader, cluster.leader().host);
}

TEST(Outcome, is_unknown_when_the_deadline_passes_after_the_command_was_appended) {
    TestCluster cluster(3);
    TestMember& leader = cluster.leader();
    cluster.isolate(leader);
    auto outcome = cluster.submit(leader, "a", 200ms);
    EXPECT_EQ(say(cluster.await(outcome)), "unknown deadline_exceeded");
}

TEST(Outcome, is_not_applied_when_the_deadline_has_passed_before_the_command_comes) {
    TestCluster cluster(1);
    auto outcome = cluster.submit(cluster.leader(), "a", -1ms);
    EXPECT_EQ(say(cluster.await(outcome)), "not_applied deadline_exceeded");
    EXPECT_EQ(cluster.apply("b"), "1:b");
}

TEST(Outcome, is_applied_when_the_next_leader_commits_what_the_old_one_replicated) {
    TestCluster cluster(3);
    TestMember& leader = cluster.leader();
    auto followers = cluster.followers();
    // The followers take the entry, but the leader never hears of it.
    cluster.lose = [&](const std::string&, const std::string& to, const group::PeerMessage& m) {
        auto* raft = std::get_if<group::RaftEnvelope>(&m);
        return to == leader.host && raft != nullptr &&
               std::holds_alternative<raft::AppendReply>(raft->message);
    };
    auto outcome = cluster.submit(leader, "kept");
    cluster.run_until([&] { return !leader.group->is_leader(); });
    cluster.lose = nullptr;
    EXPECT_EQ(say(cluster.await(outcome)), "applied 1:kept");
    cluster.expect_agreement();
}

TEST(Outcome, is_not_applied_when_another_entry_is_committed_in_its_place) {
    TestCluster cluster(3);
    TestMember& leader = cluster.leader();
    cluster.isolate(leader);
    auto outcome = cluster.submit(leader, "lost");
    // The others move on, and the old leader hears of it before it gives up on the command.
    auto elected = [&] {
        for (TestMember* other : {&cluster.member(0), &cluster.member(1), &cluster.member(2)}) {
            if (other != &leader && other->group->is_leader()) return true;
        }
        return false;
    };
    cluster.run_until(elected);
    cluster.heal();
    EXPECT_EQ(say(cluster.await(outcome)), "not_applied leadership_lost");
    EXPECT_EQ(cluster.apply("next"), "1:next");
    cluster.expect_agreement();
}

TEST(Outcome, is_unknown_when_leadership_was_lost_and_nothing_more_is_heard) {
    TestCluster cluster(3);
    TestMember& leader = cluster.leader();
    cluster.isolate(leader);
    auto outcome = cluster.submit(leader, "perhaps", 60s);
    EXPECT_EQ(say(cluster.await(outcome)), "unknown leadership_lost");
    EXPECT_FALSE(leader.group->is_leader());
}

TEST(Outcome, of_a_command_that_never_reached_the_log_of_a_stopping_leader_is_not_applied) {
    TestCluster cluster(3);
    TestMember& leader = cluster.leader();
    auto outcome = cluster.submit(leader, "a");
    leader.group->stop(false, [] {});
    EXPECT_EQ(say(cluster.await(outcome)), "not_applied member_stopped");
}

TEST(Outcome, of_a_command_under_way_when_the_member_stops_is_unknown) {
    TestCluster cluster(3);
    TestMember& leader = cluster.leader();
    cluster.isolate(leader);
    auto outcome = cluster.submit(leader, "a");
    cluster.scheduler.run_ready();
    leader.group->stop(false, [] {});
    EXPECT_EQ(say(cluster.await(outcome)), "unknown member_stopped");
}

// ---- limits ---------------------------------------------------------------------------------------

TEST(Limits, refuse_a_command_that_is_too_large) {
    auto options = TestCluster::fast_options();
    options.max_command_bytes = 100;
    TestCluster cluster(1, options);
    auto fits = cluster.submit(cluster.leader(), std::string(100, 'x'));
    EXPECT_TRUE(say(cluster.await(fits)).starts_with("applied"));
    auto outcome = cluster.submit(cluster.leader(), std::string(101, 'x'));
    EXPECT_EQ(say(cluster.await(outcome)), "not_applied command_too_large");
}

TEST(Limits, refuse_commands_beyond_the_queue_until_answers_make_room) {
    auto options = TestCluster::fast_options();
    options.max_queued_commands = 3;
    TestCluster cluster(1, options);
    TestMember& leader = cluster.leader();
    std::vector<TestCluster::LaterOutcome> all;
    for (int i = 0; i < 4; ++i) all.push_back(cluster.submit(leader, "c"));
    EXPECT_EQ(say(*all[3]), "not_applied overloaded");
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(say(cluster.await(all[i])).starts_with("applied"));
    EXPECT_EQ(cluster.apply("d"), "4:d");
}

TEST(Limits, count_bytes_too) {
    auto options = TestCluster::fast_options();
    options.max_queued_bytes = 300;
    TestCluster cluster(1, options);
    TestMember& leader = cluster.leader();
    auto first = cluster.submit(leader, std::string(200, 'x'));
    auto second = cluster.submit(leader, std::string(200, 'y'));
    EXPECT_EQ(say(*second), "not_applied overloaded");
    EXPECT_TRUE(say(cluster.await(first)).starts_with("applied"));
}

TEST(Limits, of_the_disk_refuse_commands_and_nothing_else) {
    TestCluster cluster(3);
    TestMember& leader = cluster.leader();
    cluster.apply("a");
    leader.log.set_space(storage::Space::low);
    EXPECT_EQ(say(*cluster.submit(leader, "b")), "not_applied disk_full");
    TestCluster::Later<Result<group::SnapshotSummary>> snapshot;
    leader.group->take_snapshot(cluster.into(snapshot));
    EXPECT_TRUE(cluster.await(snapshot).has_value());
    TestCluster::Later<Result<EntryId>> removed;
    leader.group->change_membership(raft::RemoveMember{cluster.follower()->id},
                                    cluster.scheduler.now() + 10s, cluster.into(removed));
    EXPECT_TRUE(cluster.await(removed).has_value());
    leader.log.set_space(storage::Space::plenty);
    EXPECT_EQ(cluster.apply("b"), "2:b");
}

TEST(Limits, refuse_a_payload_without_a_header) {
    TestCluster cluster(1);
    TestCluster::LaterOutcome outcome;
    cluster.leader().group->submit(Bytes::copy_of("raw"), cluster.scheduler.now() + 1s,
                                   [outcome](group::Outcome said) { *outcome.value = said; });
    EXPECT_EQ(say(cluster.await(outcome)), "not_applied request_invalid");
}

}  // namespace
}  // namespace quorate::testing
