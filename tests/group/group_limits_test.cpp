#include "host/base/drain_rate.hpp"
#include "tests/group/group_fixture.hpp"

// What one member holds is bounded whatever comes: beyond it says `overloaded`, and when to come again.
namespace quorate::testing {
namespace {

using group::HostMemory;

const Error& refusal(const TestCluster::LaterOutcome& later) {
    return std::get<group::NotApplied>(*later).error;
}

class GroupLimits : public ::testing::Test {
 protected:
    // Members are created by the cluster's constructor, so the memory of one that begins alone is set
    // before it starts anew.
    static TestMember& alone(TestCluster& cluster, HostMemory::Limits limits) {
        TestMember& member = cluster.leader();
        member.stop(false);
        member.memory = std::make_shared<HostMemory>(limits);
        member.start();
        return cluster.leader();
    }
};

// ---- when to come again -------------------------------------------------------------------------

TEST(DrainRate, tells_when_half_of_what_waits_will_have_gone) {
    DrainRate rate;
    Time now(1h);
    rate.look(now);
    EXPECT_EQ(rate.retry_after_ms(1000), DrainRate::retry_ms_unknown);
    for (int i = 0; i < 10; ++i) {
        rate.drained(100);
        rate.look(now += 50ms);  // 2000 a second
    }
    EXPECT_EQ(rate.retry_after_ms(2000), 500u);
    EXPECT_EQ(rate.retry_after_ms(1), DrainRate::retry_ms_min);
    EXPECT_EQ(rate.retry_after_ms(1u << 30), DrainRate::retry_ms_max);
    rate.look(now += 50ms);  // nothing moves any more
    EXPECT_EQ(rate.retry_after_ms(2000), DrainRate::retry_ms_max);
}

TEST(DrainRate, learns_nothing_from_a_long_silence) {
    DrainRate rate;
    Time now(1h);
    rate.look(now);
    rate.drained(100);
    rate.look(now += 50ms);
    std::uint32_t before = rate.retry_after_ms(1000);
    rate.look(now += 1h);
    EXPECT_EQ(rate.retry_after_ms(1000), before);
}

// ---- commands -----------------------------------------------------------------------------------

TEST_F(GroupLimits, a_full_queue_refuses_as_overloaded_and_says_when_to_come_again) {
    auto options = TestCluster::fast_options();
    options.max_queued_commands = 3;
    TestCluster cluster(3, options);
    TestMember& leader = cluster.leader();
    std::vector<TestCluster::LaterOutcome> taken;
    for (int i = 0; i < 3; ++i) taken.push_back(cluster.submit(leader, "c"));
    auto refused = cluster.submit(leader, "one too many");
    ASSERT_TRUE(refused.has_value());
    EXPECT_EQ(say(*refused), "not_applied overloaded");
    EXPECT_GE(refusal(refused).retry_after_ms, DrainRate::retry_ms_min);
    EXPECT_LE(refusal(refused).retry_after_ms, DrainRate::retry_ms_max);
    for (const auto& one : taken) EXPECT_TRUE(say(cluster.await(one)).starts_with("applied"));
    EXPECT_EQ(cluster.apply("room again"), "4:room again");
}

TEST_F(GroupLimits, a_full_queue_counts_bytes_too) {
    auto options = TestCluster::fast_options();
    options.max_queued_bytes = 10'000;
    TestCluster cluster(3, options);
    TestMember& leader = cluster.leader();
    auto taken = cluster.submit(leader, std::string(9'000, 'x'));
    EXPECT_EQ(say(*cluster.submit(leader, std::string(2'000, 'y'))), "not_applied overloaded");
    EXPECT_TRUE(say(cluster.await(taken)).starts_with("applied"));
    cluster.apply("room again");
}

// Else who sets short deadlines gets any number of commands into a log that does not move.
TEST_F(GroupLimits, a_command_whose_deadline_passed_takes_room_until_it_is_settled) {
    auto options = TestCluster::fast_options();
    options.max_queued_commands = 3;
    TestCluster cluster(3, options);
    TestMember& leader = cluster.leader();
    cluster.lose = [](const auto&, const auto&, const auto&) { return true; };
    std::vector<TestCluster::LaterOutcome> late;
    for (int i = 0; i < 3; ++i) late.push_back(cluster.submit(leader, "c", 50ms));
    cluster.scheduler.run_for(100ms);
    for (const auto& one : late) EXPECT_EQ(say(*one), "unknown deadline_exceeded");
    ASSERT_TRUE(leader.group->is_leader()) << "not yet: a quorum was heard of lately";
    EXPECT_EQ(say(*cluster.submit(leader, "c")), "not_applied overloaded");
    cluster.lose = nullptr;
    ASSERT_TRUE(cluster.run_until([&] { return leader.ask("count") == "3"; }));
    EXPECT_EQ(cluster.apply("room again"), "4:room again");
}

TEST_F(GroupLimits, a_leader_that_lost_the_group_counts_nothing_of_it) {
    auto options = TestCluster::fast_options();
    options.max_queued_commands = 3;
    TestCluster cluster(3, options);
    TestMember& former = cluster.leader();
    cluster.isolate(former);
    for (int i = 0; i < 3; ++i) cluster.submit(former, "c", 50ms);
    ASSERT_TRUE(cluster.run_until([&] { return !former.group->is_leader(); }));
    cluster.heal();
    cluster.apply("d");
    cluster.expect_agreement();
    cluster.leader().group->transfer_leadership(former.id, cluster.scheduler.now() + 10s,
                                                [](const Result<group::Done>&) {});
    ASSERT_TRUE(cluster.run_until([&] { return former.group->is_leader(); }));
    ASSERT_EQ(&cluster.leader(), &former);
    std::vector<TestCluster::LaterOutcome> taken;
    for (int i = 0; i < 3; ++i) taken.push_back(cluster.submit(former, "e"));
    for (const auto& one : taken) EXPECT_TRUE(say(cluster.await(one)).starts_with("applied"));
}

// The others' disks are enough to commit, so that the leader's own could fall behind for ever.
TEST_F(GroupLimits, a_leader_whose_own_disk_stands_still_takes_only_so_much) {
    auto options = TestCluster::fast_options();
    options.max_queued_bytes = 100'000;
    TestCluster cluster(3, options);
    TestMember& leader = cluster.leader();
    leader.log.hold();
    int applied = 0;
    std::string last;
    while (applied < 100 && last != "not_applied overloaded") {
        last = say(cluster.await(cluster.submit(leader, std::string(10'000, 'x'))));
        applied += last.starts_with("applied");
    }
    EXPECT_EQ(last, "not_applied overloaded");
    EXPECT_GE(applied, 9);
    EXPECT_LE(applied, 12);
    leader.log.resume();
    ASSERT_TRUE(cluster.run_until([&] { return leader.log.held() == 0; }));
    cluster.apply("room again");
    cluster.expect_agreement();
}

TEST_F(GroupLimits, what_waits_for_the_disk_is_bounded_over_all_members_of_a_host) {
    TestCluster cluster(1);
    TestMember& leader = alone(cluster, {.unstored_bytes = 1'000});
    leader.memory->unstored = 1'001;  // other members'
    auto refused = cluster.submit(leader, "c");
    EXPECT_EQ(say(*refused), "not_applied overloaded");
    EXPECT_NE(refusal(refused).what.find("disk"), std::string::npos) << refusal(refused).what;
    leader.memory->unstored = 0;
    cluster.apply("room again");
    EXPECT_EQ(leader.memory->unstored, 0u);
}

// ---- queries ------------------------------------------------------------------------------------

TEST_F(GroupLimits, queries_that_wait_are_bounded_by_their_bytes) {
    auto options = TestCluster::fast_options();
    options.max_queued_bytes = 10'000;
    TestCluster cluster(1, options);
    TestMember& leader = cluster.leader();
    Index never(1'000'000);
    auto waits = cluster.query(leader, group::ReadLevel::local, std::string(9'000, 'q'), never, 1s);
    auto refused =
        cluster.query(leader, group::ReadLevel::local, std::string(2'000, 'q'), never, 1s);
    ASSERT_TRUE(refused.has_value());
    EXPECT_EQ(refused->error().code, Errc::overloaded);
    EXPECT_GT(refused->error().retry_after_ms, 0u);
    EXPECT_FALSE(waits.has_value());
    cluster.scheduler.run_for(2s);
    EXPECT_EQ(waits->error().code, Errc::deadline_exceeded);
    EXPECT_EQ((*cluster.query(leader, group::ReadLevel::local, "count"))->reply.text(), "0");
}

// ---- answers that nobody reads --------------------------------------------------------------------

TEST_F(GroupLimits, applying_waits_while_large_replies_are_not_taken) {
    auto options = TestCluster::fast_options();
    options.apply_batch = 4;
    TestCluster cluster(1, options);
    TestMember& leader = alone(cluster, {.reply_bytes = 4u << 20});
    std::vector<TestCluster::LaterOutcome> all;
    for (int i = 0; i < 20; ++i) all.push_back(cluster.submit(leader, std::string(1 << 20, 'x')));
    cluster.scheduler.run_for(5s);
    auto answered = [&] {
        return std::ranges::count_if(all, [](const auto& one) { return one.has_value(); });
    };
    EXPECT_GE(answered(), 4);
    EXPECT_LE(answered(), 12) << "a call of the machine may pass the limit, and not much more";
    EXPECT_LE(leader.memory->replies, 12u << 20);
    // Who reads lets it go on.
    for (std::size_t read = 0; read < all.size(); ++read) {
        EXPECT_TRUE(say(cluster.await(all[read])).starts_with("applied"));
        *all[read].value = group::Applied{};
    }
    cluster.scheduler.run_ready();
    EXPECT_EQ(leader.memory->replies, 0u);
}

TEST_F(GroupLimits, queries_are_refused_while_large_answers_are_not_taken) {
    TestCluster cluster(1);
    TestMember& leader = alone(cluster, {.reply_bytes = (2u << 20) - 1});
    EXPECT_TRUE(say(cluster.await(cluster.submit(leader, std::string(1 << 20, 'x'))))
                    .starts_with("applied"));
    std::vector<TestCluster::LaterAnswer> read;
    std::size_t refused = 0;
    for (int i = 0; i < 5; ++i) {
        auto answer = cluster.query(leader, group::ReadLevel::local, "all");
        ASSERT_TRUE(answer.has_value());
        if (answer->has_value()) {
            read.push_back(answer);
        } else {
            EXPECT_EQ(answer->error().code, Errc::overloaded);
            EXPECT_GT(answer->error().retry_after_ms, 0u);
            ++refused;
        }
    }
    EXPECT_EQ(read.size(), 2u);
    EXPECT_EQ(refused, 3u);
    for (auto& one : read) *one.value = fail(Errc::cancelled, "read");
    EXPECT_TRUE((*cluster.query(leader, group::ReadLevel::local, "all")).has_value());
}

TEST_F(GroupLimits, small_answers_are_not_held_up_by_other_members_large_ones) {
    TestCluster cluster(1);
    TestMember& leader = alone(cluster, {.reply_bytes = 1'000});
    leader.memory->replies = 1u << 30;
    cluster.apply("c");
    EXPECT_EQ((*cluster.query(leader, group::ReadLevel::local, "count"))->reply.text(), "1");
    leader.memory->replies = 0;
}

// ---- recent entries -------------------------------------------------------------------------------

TEST_F(GroupLimits, a_member_that_keeps_too_much_says_so_and_cuts_its_cache) {
    TestCluster cluster(1);
    TestMember& leader = alone(cluster, {.cache_bytes = 50'000});
    for (int i = 0; i < 10; ++i) cluster.apply(std::string(10'000, 'x'));
    EXPECT_GT(leader.told_caches_full, 0);
    EXPECT_GT(leader.memory->cached, 50'000u);
    leader.group->shrink_cache(leader.memory->cache_share());
    EXPECT_LE(leader.memory->cached, 25'000u);
    cluster.apply("and it goes on");
    leader.stop(false);
    EXPECT_EQ(leader.memory->cached, 0u);
    EXPECT_EQ(leader.memory->members, 0u);
    leader.start();
    cluster.leader();
}

// A follower that asks for what the cache no longer holds gets it from the log.
TEST_F(GroupLimits, a_follower_catches_up_past_caches_that_were_cut) {
    TestCluster cluster(3);
    TestMember& leader = cluster.leader();
    TestMember& away = *cluster.follower();
    cluster.isolate(away);
    for (int i = 0; i < 10; ++i) cluster.apply(std::string(1'000, 'x'));
    leader.group->shrink_cache(0);
    cluster.heal();
    cluster.expect_agreement();
    EXPECT_EQ(away.ask("count"), "10");
}

}  // namespace
}  // namespace quorate::testing
