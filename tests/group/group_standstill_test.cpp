#include "host/base/log.hpp"
#include "tests/group/group_fixture.hpp"

#include <algorithm>

// A group some or all of whose members cannot apply: who leads it, what its commands are told, and how
// it ends.
namespace quorate::testing {
namespace {

using group::MemberState;
using LaterDone = TestCluster::Later<Result<group::Done>>;

// How often each event was logged while it lives.
class LogEvents {
 public:
    LogEvents() {
        log::set_sink([this](const log::Event& event) { ++counts_[std::string(event.name)]; });
    }
    ~LogEvents() { log::set_sink({}); }
    LogEvents(const LogEvents&) = delete;
    LogEvents& operator=(const LogEvents&) = delete;
    int operator[](const std::string& name) const {
        auto found = counts_.find(name);
        return found == counts_.end() ? 0 : found->second;
    }

 private:
    std::map<std::string, int> counts_;
};

bool all_in(TestCluster& cluster, MemberState state) {
    for (std::size_t i = 0; i < cluster.size(); ++i) {
        TestMember& member = cluster.member(i);
        if (member.is_up() && member.status().state != state) return false;
    }
    return true;
}

// Submits a command at which these members' machines fault; gives what it is told.
TestCluster::LaterOutcome poison(TestCluster& cluster, std::vector<TestMember*> members) {
    TestMember& leader = cluster.leader();
    for (TestMember* member : members) {
        member->controls->faults.insert(leader.status().last.next());
    }
    return cluster.submit(leader, "poison");
}
std::vector<TestMember*> everybody(TestCluster& cluster) {
    std::vector<TestMember*> all;
    for (std::size_t i = 0; i < cluster.size(); ++i) all.push_back(&cluster.member(i));
    return all;
}

// ---- what commands are told -----------------------------------------------------------------------

TEST(Standstill, answers_the_command_that_met_it_with_the_fault) {
    TestCluster cluster(3);
    cluster.apply_many(5, "c");
    TestMember& leader = cluster.leader();
    Index at = leader.status().last.next();
    auto outcome = poison(cluster, everybody(cluster));
    auto after = cluster.submit(leader, "after");
    ASSERT_EQ(say(cluster.await(outcome)), "unknown plugin_fault");
    ASSERT_EQ(say(cluster.await(after)), "unknown plugin_fault");
    const Error& error = std::get<group::Unknown>(*outcome).error;
    for (const std::string& part :
         {std::string("group 'demo'"), "host '" + leader.host + "'",
          "at entry " + std::to_string(at.value()), std::string("a test asked for it")}) {
        EXPECT_NE(error.what.find(part), std::string::npos) << part << " in " << error.what;
    }
    EXPECT_NE(error.hint.find("in the log"), std::string::npos) << error.hint;
    // Those that come later are refused: they are in no log.
    auto later = cluster.submit(cluster.leader(), "later");
    ASSERT_EQ(say(cluster.await(later)), "not_applied plugin_fault");
    const Error& refused = std::get<group::NotApplied>(*later).error;
    EXPECT_NE(refused.what.find("group 'demo'"), std::string::npos) << refused.what;
}

// ---- leadership -----------------------------------------------------------------------------------

TEST(Standstill, of_the_leader_moves_leadership_to_a_member_that_applies) {
    TestCluster cluster(3);
    cluster.apply_many(5, "c");
    TestMember& sick = cluster.leader();
    LogEvents events;
    auto outcome = poison(cluster, {&sick});
    ASSERT_TRUE(cluster.run_until([&] { return sick.status().state == MemberState::faulted; }));
    EXPECT_EQ(say(cluster.await(outcome)), "unknown plugin_fault");
    EXPECT_EQ(say(*cluster.submit(sick, "refused")), "not_applied plugin_fault");
    ASSERT_TRUE(cluster.run_until([&] { return !sick.group->is_leader(); }, 500ms));
    EXPECT_EQ(cluster.apply("next"), "7:next");
    EXPECT_LE(events["leader_cannot_apply"], 2);
}

void restart_without_plugin(TestCluster& cluster) {
    for (TestMember* member : everybody(cluster)) {
        member->crash();
        member->controls->installed = false;
    }
    cluster.start_all();
}

// Terms and entries must not grow while nobody uses the group.
void expect_quiet(TestCluster& cluster, Duration duration) {
    TestMember& leader = cluster.leader();
    group::MemberStatus before = leader.status();
    LogEvents events;
    cluster.scheduler.run_for(duration);
    EXPECT_EQ(cluster.leader().host, leader.host);
    EXPECT_EQ(cluster.leader().status().term, before.term);
    EXPECT_EQ(cluster.leader().status().last, before.last);
    EXPECT_LE(events["leader_cannot_apply"], 1) << "once is enough";
}

TEST(Standstill, of_all_members_leaves_leadership_where_it_is) {
    TestCluster cluster(3);
    cluster.apply_many(5, "c");
    Term before = cluster.leader().status().term;
    poison(cluster, everybody(cluster));
    ASSERT_TRUE(cluster.run_until([&] { return all_in(cluster, MemberState::faulted); }));
    EXPECT_EQ(cluster.leader().status().term, before);
    expect_quiet(cluster, 10min);
    EXPECT_EQ(cluster.leader().status().term, before);
}

TEST(Standstill, of_all_members_after_a_restart_takes_one_election) {
    TestCluster cluster(3);
    cluster.apply_many(5, "c");
    poison(cluster, everybody(cluster));
    ASSERT_TRUE(cluster.run_until([&] { return all_in(cluster, MemberState::faulted); }));
    for (TestMember* member : everybody(cluster)) member->crash();
    cluster.start_all();
    cluster.scheduler.run_for(10s);
    ASSERT_TRUE(all_in(cluster, MemberState::faulted));
    expect_quiet(cluster, 10min);
}

TEST(Standstill, for_want_of_the_plugin_on_all_members_leaves_leadership_where_it_is) {
    TestCluster cluster(3);
    cluster.apply_many(5, "c");
    restart_without_plugin(cluster);
    cluster.scheduler.run_for(10s);
    ASSERT_TRUE(all_in(cluster, MemberState::waiting_for_plugin));
    expect_quiet(cluster, 10min);
    EXPECT_EQ(say(*cluster.submit(cluster.leader(), "x")), "not_applied plugin_not_found");
}

TEST(Standstill, of_all_that_are_up_ends_when_one_that_applies_is_back) {
    TestCluster cluster(3);
    cluster.apply_many(5, "c");
    TestMember& away = *cluster.follower();
    away.crash();
    poison(cluster, {cluster.followers().front(), &cluster.leader()});
    ASSERT_TRUE(cluster.run_until([&] { return all_in(cluster, MemberState::faulted); }));
    expect_quiet(cluster, 5min);
    away.start();
    ASSERT_TRUE(cluster.run_until([&] { return away.group->is_leader(); }, 5s));
    EXPECT_EQ(cluster.apply("next"), "7:next");
    EXPECT_TRUE(away.group->is_leader());
}

TEST(Standstill, of_a_follower_keeps_a_leader_that_stops_from_handing_over_to_it) {
    for (std::size_t sick_one = 0; sick_one < 2; ++sick_one) {
        TestCluster cluster(3);
        cluster.apply_many(5, "c");
        TestMember& sick = *cluster.followers()[sick_one];
        poison(cluster, {&sick});
        ASSERT_TRUE(cluster.run_until([&] { return sick.status().state == MemberState::faulted; }));
        TestMember& leader = cluster.leader();
        cluster.scheduler.run_for(1s);  // until heartbeats have told
        Term before = leader.status().term;
        leader.stop(true);
        EXPECT_NE(cluster.leader().host, sick.host);
        EXPECT_EQ(cluster.leader().status().term, before.next()) << "one election";
    }
}

// ---- the end ----------------------------------------------------------------------------------------

void expect_end(TestCluster& cluster) {
    LaterDone done;
    cluster.leader().group->end_of_life(cluster.scheduler.now() + 10s, TestCluster::into(done));
    ASSERT_TRUE(cluster.await(done).has_value()) << to_string(done->error());
    ASSERT_TRUE(cluster.run_until([&] {
        return std::ranges::all_of(everybody(cluster),
                                   [](TestMember* member) { return member->has_ended; });
    })) << "not everybody ended";
}

TEST(EndOfLife, needs_no_machine_that_runs) {
    TestCluster cluster(3);
    cluster.apply_many(5, "c");
    poison(cluster, everybody(cluster));
    ASSERT_TRUE(cluster.run_until([&] { return all_in(cluster, MemberState::faulted); }));
    expect_end(cluster);
    EXPECT_EQ(cluster.member(0).trouble_of_query("all"), "no_such_group");
}

TEST(EndOfLife, needs_no_plugin) {
    TestCluster cluster(3);
    cluster.apply_many(5, "c");
    restart_without_plugin(cluster);
    expect_end(cluster);
}

TEST(EndOfLife, reaches_one_member_whose_machine_stands_still_among_others) {
    for (bool leads : {false, true}) {
        TestCluster cluster(3);
        cluster.apply_many(5, "c");
        TestMember& sick = leads ? cluster.leader() : *cluster.follower();
        poison(cluster, {&sick});
        ASSERT_TRUE(cluster.run_until([&] {
            return sick.status().state == MemberState::faulted && !sick.group->is_leader();
        }));
        cluster.apply_many(5, "d");
        expect_end(cluster);
    }
}

TEST(EndOfLife, is_found_in_the_log_by_a_member_that_starts_and_stands_still_before_it) {
    auto options = TestCluster::fast_options();
    options.snapshot_interval_entries = 10;
    options.retained_entries = 3;
    TestCluster cluster(3, options);
    cluster.apply_many(25, "c");
    TestMember& sick = *cluster.follower();
    poison(cluster, {&sick});
    ASSERT_TRUE(cluster.run_until([&] { return sick.status().state == MemberState::faulted; }));
    LaterDone done;
    cluster.leader().group->end_of_life(cluster.scheduler.now() + 10s, TestCluster::into(done));
    ASSERT_TRUE(
        cluster.run_until([&] { return sick.status().last == cluster.leader().status().last; }));
    sick.crash();
    sick.has_ended = false;
    sick.start();
    ASSERT_TRUE(cluster.run_until([&] { return sick.has_ended; }, 20s));
}

}  // namespace
}  // namespace quorate::testing
