#include "tests/group/group_fixture.hpp"

// Which build of a machine takes over where another failed (docs/decisions/0008).
namespace quorate::testing {
namespace {

using group::MemberState;

// A group whose members' machines fault at one command in every build but "fixed" ones.
class Repair : public ::testing::Test {
 protected:
    explicit Repair(group::GroupOptions options = TestCluster::fast_options())
        : cluster(3, options) {
        cluster.apply_many(5, "c");
    }

    std::vector<TestMember*> members() {
        std::vector<TestMember*> all;
        for (std::size_t i = 0; i < cluster.size(); ++i) all.push_back(&cluster.member(i));
        return all;
    }
    void poison(std::vector<TestMember*> some) {
        at = cluster.leader().status().last.next();
        for (TestMember* member : some) {
            member->controls->faults.insert(at);
            member->controls->repaired = {"fixed", "fixed too"};
        }
        cluster.submit(cluster.leader(), "poison");
        for (TestMember* member : some) await(*member, MemberState::faulted);
    }
    void install(const std::string& build, std::vector<TestMember*> on) {
        for (TestMember* member : on) {
            auto& builds = member->controls->builds;
            std::erase(builds, build);
            builds.insert(builds.begin(), build);
            if (member->is_up()) member->group->plugins_changed();
        }
    }
    void await(TestMember& member, MemberState state) {
        ASSERT_TRUE(cluster.run_until([&] { return member.status().state == state; }))
            << member.host << " " << member.status().trouble;
    }
    static std::string build(const TestMember& member) { return member.status().machine.build; }

    TestCluster cluster;
    Index at;  // of the command that faults
};

TEST_F(Repair, begins_where_the_former_build_failed_on_every_member) {
    poison(members());
    EXPECT_EQ(build(cluster.member(0)), "build");
    install("fixed", members());
    cluster.expect_agreement();
    EXPECT_EQ(cluster.leader().ask("all"), "c0,c1,c2,c3,c4,poison");
    EXPECT_EQ(cluster.apply("next"), "7:next");
    cluster.expect_agreement();
    for (TestMember* member : members()) {
        EXPECT_EQ(member->status().state, MemberState::running);
        EXPECT_EQ(member->status().trouble, "");
        EXPECT_EQ(build(*member), "fixed");
        EXPECT_EQ(member->told_build, "fixed");
    }
}

TEST_F(Repair, of_one_member_leaves_the_others_with_their_build) {
    TestMember& sick = *cluster.follower();
    poison({&sick});
    cluster.apply("after");
    install("fixed", members());
    cluster.expect_agreement();
    for (TestMember* member : members()) {
        EXPECT_EQ(build(*member), member == &sick ? "fixed" : "build") << member->host;
    }
}

TEST_F(Repair, is_not_tried_with_a_build_that_has_failed_there) {
    TestMember& sick = *cluster.follower();
    poison({&sick});
    int created = sick.controls->created;
    sick.group->plugins_changed();  // another plugin
    cluster.scheduler.run_for(1s);
    EXPECT_EQ(sick.controls->created, created);
    install("broken too", {&sick});
    await(sick, MemberState::faulted);
    created = sick.controls->created;
    sick.group->plugins_changed();
    cluster.scheduler.run_for(1s);
    EXPECT_EQ(sick.controls->created, created);
}

TEST_F(Repair, that_fails_says_so_and_waits_for_the_next_build) {
    poison(members());
    install("broken too", members());
    cluster.scheduler.run_for(1s);
    for (TestMember* member : members()) {
        EXPECT_EQ(member->status().state, MemberState::faulted);
        EXPECT_EQ(build(*member), "broken too") << "status names the build that failed";
        EXPECT_EQ(member->status().applied, at.prev());
    }
    install("fixed", members());
    cluster.expect_agreement();
    EXPECT_EQ(build(cluster.member(0)), "fixed");
}

TEST_F(Repair, takes_the_newest_of_several_builds) {
    TestMember& sick = *cluster.follower();
    poison({&sick});
    sick.controls->builds = {"fixed", "fixed too", "build"};
    sick.group->plugins_changed();
    cluster.expect_agreement();
    EXPECT_EQ(build(sick), "fixed");
}

TEST_F(Repair, is_for_that_entry_and_a_later_fault_may_be_repaired_by_any_other_build) {
    TestMember& sick = *cluster.follower();
    poison({&sick});
    install("fixed", {&sick});
    cluster.expect_agreement();
    sick.controls->repaired.clear();
    sick.controls->faults = {cluster.leader().status().last.next()};
    cluster.apply("poison again");
    await(sick, MemberState::faulted);
    sick.controls->faults.clear();
    sick.group->plugins_changed();  // "build" has not failed here
    cluster.expect_agreement();
    EXPECT_EQ(build(sick), "build");
}

TEST_F(Repair, is_refused_to_a_build_that_answers_earlier_commands_in_another_way) {
    TestMember& sick = *cluster.follower();
    poison({&sick});
    sick.controls->deviant = {"fixed"};
    install("fixed", {&sick});
    await(sick, MemberState::faulted);
    EXPECT_NE(sick.status().trouble.find("does not repeat what was applied before"),
              std::string::npos)
        << sick.status().trouble;
    EXPECT_EQ(sick.trouble_of_query("all"), "plugin_fault");
    install("fixed too", {&sick});
    cluster.expect_agreement();
    EXPECT_EQ(build(sick), "fixed too");
}

TEST_F(Repair, is_held_to_what_was_applied_before_a_restart_too) {
    TestMember& sick = *cluster.follower();
    poison({&sick});
    sick.crash();
    sick.controls->deviant = {"fixed"};
    install("fixed", {&sick});
    sick.start();
    await(sick, MemberState::faulted);
    EXPECT_NE(sick.status().trouble.find("does not repeat"), std::string::npos)
        << sick.status().trouble;
}

TEST_F(Repair, is_remembered) {
    poison(members());
    install("fixed", members());
    cluster.expect_agreement();
    for (TestMember* member : members()) {
        member->crash();
        member->controls->created = 0;
        member->controls->builds = {"newer", "fixed", "build"};
    }
    cluster.start_all();
    cluster.expect_agreement();
    for (TestMember* member : members()) {
        EXPECT_EQ(build(*member), "fixed") << "newer ones are for those that fail";
        EXPECT_EQ(member->controls->created, 1) << "at once, without the one that failed";
    }
}

TEST_F(Repair, comes_with_a_restart_if_the_build_was_installed_meanwhile) {
    TestMember& sick = *cluster.follower();
    poison({&sick});
    sick.crash();
    install("fixed", {&sick});
    sick.controls->created = 0;
    sick.start();
    cluster.expect_agreement();
    EXPECT_EQ(build(sick), "fixed");
    EXPECT_EQ(sick.controls->created, 1);
}

TEST_F(Repair, with_every_build_failed_is_tried_again_by_a_restart) {
    TestMember& sick = *cluster.follower();
    poison({&sick});
    sick.crash();
    sick.start();
    await(sick, MemberState::faulted);
    sick.crash();
    sick.controls->faults.clear();  // it was the moment's, not the build's
    sick.start();
    cluster.expect_agreement();
    EXPECT_EQ(build(sick), "build");
}

TEST_F(Repair, of_a_member_that_gets_a_snapshot_past_the_fault_takes_the_other_build_all_the_same) {
    cluster.options.snapshot_interval_entries = 20;
    cluster.options.retained_entries = 3;
    for (TestMember* member : members()) member->crash();
    cluster.start_all();
    TestMember& sick = *cluster.follower();
    poison({&sick});
    cluster.isolate(sick);
    for (int round = 0; round < 5; ++round) cluster.apply_many(20, "d");
    sick.controls->builds = {"fixed", "build"};
    cluster.heal();
    cluster.expect_agreement();
    EXPECT_EQ(build(sick), "fixed");
}

class RepairFromSnapshot : public Repair {
 protected:
    static group::GroupOptions options() {
        auto options = TestCluster::fast_options();
        options.snapshot_interval_entries = 10;
        return options;
    }
    RepairFromSnapshot() : Repair(options()) {}
};

TEST_F(RepairFromSnapshot, applies_what_follows_it_and_no_more) {
    cluster.apply_many(10, "d");
    cluster.scheduler.run_for(1s);
    TestMember& sick = *cluster.follower();
    Index snapshot = sick.status().snapshot;
    ASSERT_GT(snapshot, Index{});
    poison({&sick});
    std::uint64_t before = sick.status().commands;
    install("fixed", {&sick});
    cluster.expect_agreement();
    EXPECT_EQ(sick.status().commands - before, at - snapshot);
}

// What it would save is not sure to be what others have.
TEST_F(Repair, takes_no_snapshot_before_it_has_repeated_what_was_applied) {
    cluster.apply_many(20, "d");
    TestMember& sick = *cluster.follower();
    poison({&sick});
    sick.crash();
    cluster.options.snapshot_interval_entries = 5;
    cluster.options.apply_batch = 2;
    sick.controls->deviant = {"fixed"};
    install("fixed", {&sick});
    sick.start();
    await(sick, MemberState::faulted);
    EXPECT_EQ(sick.controls->views_opened, 0);
    install("fixed too", {&sick});
    cluster.expect_agreement();
    cluster.apply_many(10, "e");
    ASSERT_TRUE(cluster.run_until([&] { return sick.status().snapshot > at; }));
}

}  // namespace
}  // namespace quorate::testing
