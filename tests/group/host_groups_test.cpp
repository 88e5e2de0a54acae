#include "tests/group/host_cluster.hpp"

#include <algorithm>

// Creating, finding, listing and deleting groups.
namespace quorate::testing {
namespace {

using group::ReadLevel;

std::size_t members_on(HostCluster& cluster, TestHost& host) {
    HostCluster::Told<Result<std::vector<group::MemberAnswer>>> told;
    host.service().list_members(cluster.in(5s), cluster.tell(told, cluster.in(5s)));
    auto answers = cluster.await(told).value();
    return static_cast<std::size_t>(
        std::count_if(answers.begin(), answers.end(), [&host](const group::MemberAnswer& answer) {
            return answer.host == host.name && answer.status.has_value();
        }));
}

TEST(HostGroups, a_created_group_has_a_leader_and_a_member_on_each_host) {
    HostCluster cluster(3);
    auto location = cluster.create(cluster.host(0), "demo", {"h1", "h2", "h3"});
    ASSERT_TRUE(location.has_value()) << to_string(location.error());
    EXPECT_EQ(location->name, "demo");
    EXPECT_EQ(location->leader, "h1") << "the first host named campaigns first";
    auto hosts = location->hosts;
    std::sort(hosts.begin(), hosts.end());
    EXPECT_EQ(hosts, (std::vector<std::string>{"h1", "h2", "h3"}));
    EXPECT_EQ(cluster.members(cluster.host(1), "demo"), "h1:leader h2:follower h3:follower");
}

TEST(HostGroups, forming_a_group_takes_less_than_an_election_timeout) {
    HostCluster cluster(3);
    Time before = cluster.scheduler.now();
    ASSERT_TRUE(cluster.create(cluster.host(2), "demo", {"h1", "h2", "h3"}).has_value());
    EXPECT_LT(cluster.scheduler.now() - before, 200ms);
}

TEST(HostGroups, a_group_of_one_and_a_group_elsewhere_are_created_from_any_host) {
    HostCluster cluster(4);
    EXPECT_EQ(cluster.create(cluster.host(0), "one", {"h1"}).value().leader, "h1");
    EXPECT_EQ(cluster.create(cluster.host(0), "elsewhere", {"h2", "h3", "h4"}).value().leader,
              "h2");
    EXPECT_EQ(cluster.members(cluster.host(0), "elsewhere"), "h2:leader h3:follower h4:follower");
    EXPECT_EQ(members_on(cluster, cluster.host(0)), 1u);
}

TEST(HostGroups, a_name_is_taken_on_every_reachable_host) {
    HostCluster cluster(4);
    ASSERT_TRUE(cluster.create(cluster.host(0), "demo", {"h1", "h2", "h3"}).has_value());
    auto again = cluster.create(cluster.host(3), "demo", {"h4"});
    EXPECT_EQ(name_of_error(again), "group_exists");
    EXPECT_EQ(members_on(cluster, cluster.host(3)), 0u);
}

struct BadName {
    std::string name;
    std::string error;
};
TEST(HostGroups, names_that_break_the_rules_are_refused_before_anything_happens) {
    HostCluster cluster(1);
    std::vector<BadName> names = {
        {"", "name_invalid"},
        {".hidden", "name_invalid"},
        {"-x", "name_invalid"},
        {"a b", "name_invalid"},
        {"a/b", "name_invalid"},
        {std::string("a\0b", 3), "name_invalid"},
        {"\xc3\xa4", "name_invalid"},
        {std::string(65, 'a'), "name_invalid"},
        {std::string(64, 'a'), "none"},
        {"A0._-", "none"},
        {"7", "none"},
    };
    for (const BadName& bad : names) {
        auto created = cluster.create(cluster.host(0), bad.name, {"h1"});
        EXPECT_EQ(name_of_error(created), bad.error) << bad.name;
    }
    EXPECT_EQ(members_on(cluster, cluster.host(0)), 3u);
}

TEST(HostGroups, hosts_must_be_known_and_named_once) {
    HostCluster cluster(2);
    TestHost& h1 = cluster.host(0);
    EXPECT_EQ(name_of_error(cluster.create(h1, "a", {"h1", "h9"})), "no_such_host");
    EXPECT_EQ(name_of_error(cluster.create(h1, "a", {"h1", "h2", "h1"})), "request_invalid");
    EXPECT_EQ(name_of_error(cluster.create(h1, "a", {})), "request_invalid");
    EXPECT_EQ(name_of_error(cluster.create(h1, "a", std::vector<std::string>(33, "h1"))),
              "request_invalid");
    EXPECT_EQ(members_on(cluster, h1), 0u);
}

TEST(HostGroups, plugin_and_machine_must_be_there) {
    HostCluster cluster(1);
    auto create = [&cluster](std::string plugin, std::string machine) {
        HostCluster::Told<Result<group::GroupLocation>> told;
        cluster.host(0).service().create_group({"demo", plugin, machine, {"h1"}}, cluster.in(5s),
                                               cluster.tell(told, cluster.in(5s)));
        return name_of_error(cluster.await(told));
    };
    EXPECT_EQ(create("nothing", ""), "plugin_not_found");
    EXPECT_EQ(create("test", "nothing"), "machine_not_found");
    EXPECT_EQ(create("test@1", "log"), "none");
}

TEST(HostGroups, a_majority_forms_the_group_and_the_absent_member_joins_when_its_host_is_back) {
    HostCluster cluster(3);
    cluster.host("h3").crash();
    auto location = cluster.create(cluster.host(0), "demo", {"h1", "h2", "h3"});
    ASSERT_TRUE(location.has_value()) << to_string(location.error());
    EXPECT_EQ(cluster.submit(cluster.host(0), "demo", "x"), "applied 1:x");
    EXPECT_EQ(cluster.members(cluster.host(0), "demo"), "h1:leader h2:follower h3:unreachable");
    cluster.host("h3").start();
    cluster.scheduler.run_for(20s);
    EXPECT_EQ(cluster.members(cluster.host(0), "demo"), "h1:leader h2:follower h3:follower");
    EXPECT_EQ(cluster.query(cluster.host("h3"), "demo", ReadLevel::local, "all"), "x");
}

TEST(HostGroups, the_absent_member_of_a_deleted_group_is_not_started) {
    HostCluster cluster(3);
    cluster.host("h3").crash();
    ASSERT_TRUE(cluster.create(cluster.host(0), "demo", {"h1", "h2", "h3"}).has_value());
    ASSERT_TRUE(cluster.remove_group(cluster.host(0), "demo").has_value());
    cluster.host("h3").start();
    cluster.scheduler.run_for(30s);
    EXPECT_EQ(members_on(cluster, cluster.host("h3")), 0u);
}

TEST(HostGroups, without_a_majority_nothing_remains) {
    HostCluster cluster(5);
    cluster.host("h2").crash();
    cluster.host("h3").crash();
    auto location = cluster.create(cluster.host(0), "demo", {"h1", "h2", "h3"});
    EXPECT_EQ(name_of_error(location), "group_not_formed");
    EXPECT_NE(location.error().what.find("h2: QR-4001"), std::string::npos)
        << location.error().what;
    EXPECT_EQ(members_on(cluster, cluster.host(0)), 0u);
    EXPECT_EQ(cluster.create(cluster.host(0), "demo", {"h1"}).value().leader, "h1");
}

TEST(HostGroups, a_member_whose_start_was_not_heard_of_is_taken_back_when_its_host_is_heard_again) {
    HostCluster cluster(3);
    TestHost& h1 = cluster.host(0);
    cluster.host("h3").crash();
    // h2 starts its member, and its answer is lost: for h1 there is no majority.
    bool is_asked = false;
    cluster.lose = [&is_asked](const std::string& from, const std::string&,
                               const group::PeerMessage& message) {
        auto* request = std::get_if<group::Request>(&message);
        bool starts = request && std::holds_alternative<group::StartMemberRequest>(request->body);
        is_asked = is_asked || starts;
        return is_asked && from == "h2" && std::holds_alternative<group::Response>(message);
    };
    auto location = cluster.create(h1, "demo", {"h1", "h2", "h3"}, 6s);
    EXPECT_EQ(name_of_error(location), "group_not_formed");
    EXPECT_EQ(members_on(cluster, h1), 0u);
    cluster.lose = nullptr;
    cluster.scheduler.run_for(30s);
    EXPECT_EQ(members_on(cluster, cluster.host("h2")), 0u);
}

TEST(HostGroups, a_silent_host_does_not_keep_a_majority_from_forming) {
    HostCluster cluster(3);
    cluster.isolate("h3");
    auto location = cluster.create(cluster.host(0), "demo", {"h1", "h2", "h3"}, 8s);
    ASSERT_TRUE(location.has_value()) << to_string(location.error());
    EXPECT_EQ(location->leader, "h1");
}

TEST(HostGroups, a_group_without_a_quorum_for_election_is_answered_by_the_deadline) {
    HostCluster cluster(3);
    // Members start, but never hear of each other.
    cluster.lose = [](const std::string&, const std::string&, const group::PeerMessage& message) {
        return std::holds_alternative<group::RaftEnvelope>(message);
    };
    auto location = cluster.create(cluster.host(0), "demo", {"h1", "h2", "h3"}, 3s);
    ASSERT_TRUE(location.has_value()) << to_string(location.error());
    EXPECT_EQ(location->leader, "") << "formed, and nobody leads yet";
}

TEST(HostGroups, deleting_a_group_frees_its_name_everywhere) {
    HostCluster cluster(3);
    ASSERT_TRUE(cluster.create(cluster.host(0), "demo", {"h1", "h2", "h3"}).has_value());
    EXPECT_EQ(cluster.submit(cluster.host(0), "demo", "x"), "applied 1:x");
    auto deleted = cluster.remove_group(cluster.host(2), "demo");
    ASSERT_TRUE(deleted.has_value()) << to_string(deleted.error());
    for (TestHost* host : cluster.hosts_up()) EXPECT_EQ(members_on(cluster, *host), 0u);
    EXPECT_EQ(cluster.submit(cluster.host(0), "demo", "y"), "not opened: no_such_group");
    ASSERT_TRUE(cluster.create(cluster.host(1), "demo", {"h1", "h2", "h3"}).has_value());
    EXPECT_EQ(cluster.submit(cluster.host(0), "demo", "z"), "applied 1:z");
}

TEST(HostGroups, a_member_that_missed_the_deletion_is_removed_when_its_host_is_back) {
    HostCluster cluster(3);
    ASSERT_TRUE(cluster.create(cluster.host(0), "demo", {"h1", "h2", "h3"}).has_value());
    cluster.host("h3").crash();
    ASSERT_TRUE(cluster.remove_group(cluster.host(0), "demo").has_value());
    cluster.host("h3").start();
    EXPECT_EQ(members_on(cluster, cluster.host("h3")), 1u);
    cluster.scheduler.run_for(30s);
    EXPECT_EQ(members_on(cluster, cluster.host("h3")), 0u);
}

// Who would have told the absent host is restarted and has forgotten it.
TEST(HostGroups, what_is_left_of_a_deleted_group_can_be_deleted_too) {
    HostCluster cluster(3);
    ASSERT_TRUE(cluster.create(cluster.host(0), "demo", {"h1", "h2", "h3"}).has_value());
    cluster.host(2).crash();
    ASSERT_TRUE(cluster.remove_group(cluster.host(0), "demo").has_value());
    cluster.scheduler.run_for(1s);
    for (TestHost* host : cluster.hosts_up()) host->crash();
    for (std::size_t i = 0; i < 3; ++i) cluster.host(i).start();
    cluster.scheduler.run_for(5s);
    ASSERT_EQ(members_on(cluster, cluster.host(2)), 1u) << "nobody told it";
    auto deleted = cluster.remove_group(cluster.host(1), "demo");
    EXPECT_TRUE(deleted.has_value()) << to_string(deleted.error());
    EXPECT_EQ(members_on(cluster, cluster.host(2)), 0u);
    EXPECT_TRUE(cluster.create(cluster.host(0), "demo", {"h1", "h2", "h3"}).has_value());
}

TEST(HostGroups, a_minority_that_others_only_do_not_answer_for_is_not_taken_for_what_is_left) {
    HostCluster cluster(3);
    ASSERT_TRUE(cluster.create(cluster.host(0), "demo", {"h1", "h2", "h3"}).has_value());
    cluster.host(0).crash();
    cluster.host(1).crash();
    cluster.scheduler.run_for(5s);
    EXPECT_FALSE(cluster.remove_group(cluster.host(2), "demo").has_value());
    EXPECT_EQ(members_on(cluster, cluster.host(2)), 1u);
}

TEST(HostGroups, a_port_of_a_deleted_group_does_not_reach_its_successor) {
    HostCluster cluster(2);
    ASSERT_TRUE(cluster.create(cluster.host(1), "demo", {"h2"}).has_value());
    auto port = cluster.open(cluster.host(0), "demo").value();
    auto here = cluster.open(cluster.host(1), "demo").value();
    ASSERT_TRUE(cluster.remove_group(cluster.host(1), "demo").has_value());
    ASSERT_TRUE(cluster.create(cluster.host(1), "demo", {"h2"}).has_value());
    EXPECT_EQ(say(cluster.await(cluster.start_submit(*port, "x"))), "not_applied no_such_group");
    EXPECT_EQ(say(cluster.await(cluster.start_submit(*here, "x"))), "not_applied no_such_group");
    EXPECT_EQ(cluster.query(cluster.host(1), "demo", ReadLevel::leader, "count"), "0");
}

TEST(HostGroups, a_read_through_a_port_of_a_deleted_group_learns_so_at_once) {
    HostCluster cluster(3);
    TestHost& h1 = cluster.host(0);
    ASSERT_TRUE(cluster.create(h1, "demo", {"h2", "h3"}).has_value());
    auto port = cluster.open(h1, "demo").value();
    auto read = [&] {
        std::optional<std::string> said;
        port->query(ReadLevel::linearizable, {}, Bytes::copy_of("count"),
                    cluster.scheduler.now() + 20s, [&said](auto answer) {
                        said = answer.has_value() ? std::string(answer->reply.text())
                                                  : name_of_error(answer);
                    });
        cluster.scheduler.run_for(2s);
        return said.value_or("nothing");
    };
    EXPECT_EQ(read(), "0") << "from here on h1 knows where the group is";
    ASSERT_TRUE(cluster.remove_group(cluster.host(1), "demo").has_value());
    EXPECT_EQ(read(), "no_such_group");
    EXPECT_EQ(read(), "no_such_group");
}

TEST(HostGroups, what_does_not_exist_is_said_so) {
    HostCluster cluster(2);
    TestHost& h1 = cluster.host(0);
    EXPECT_EQ(name_of_error(cluster.open(h1, "nothing")), "no_such_group");
    EXPECT_EQ(name_of_error(cluster.open(h1, "not a name")), "name_invalid");
    EXPECT_EQ(name_of_error(cluster.remove_group(h1, "nothing")), "no_such_group");
    EXPECT_EQ(name_of_error(cluster.add(h1, "nothing", "h2")), "no_such_group");
    EXPECT_EQ(name_of_error(cluster.remove(h1, "nothing", "h2")), "no_such_group");
    EXPECT_EQ(cluster.members(h1, "nothing"), "no_such_group");
}

TEST(HostGroups, a_group_that_may_be_out_of_reach_is_not_said_to_be_missing) {
    HostCluster cluster(3);
    cluster.disconnect("h1", "h2");
    cluster.disconnect("h1", "h3");
    cluster.scheduler.run_ready();
    EXPECT_EQ(name_of_error(cluster.open(cluster.host(0), "demo")), "no_quorum");
}

TEST(HostGroups, hosts_are_listed_with_what_they_carry) {
    HostCluster cluster(3);
    ASSERT_TRUE(cluster.create(cluster.host(0), "a", {"h1", "h2"}).has_value());
    ASSERT_TRUE(cluster.create(cluster.host(0), "b", {"h2"}).has_value());
    cluster.host("h3").crash();
    HostCluster::Told<Result<std::vector<group::HostSummary>>> told;
    cluster.host(0).service().list_hosts(cluster.in(5s), cluster.tell(told, cluster.in(5s)));
    auto hosts = cluster.await(told).value();
    ASSERT_EQ(hosts.size(), 3u);
    EXPECT_TRUE(hosts[0].reachable && hosts[1].reachable && !hosts[2].reachable);
    EXPECT_EQ(hosts[0].groups, 1u);
    EXPECT_EQ(hosts[1].groups, 2u);
    EXPECT_EQ(hosts[0].leaders + hosts[1].leaders, 2u);
    EXPECT_EQ(hosts[0].version, "1.2.3");
    EXPECT_EQ(hosts[1].round_trip, 2ms);
}

TEST(HostGroups, a_host_is_pinged) {
    HostCluster cluster(3);
    cluster.host("h3").crash();
    auto ping = [&cluster](const std::string& host) {
        HostCluster::Told<Result<Duration>> told;
        cluster.host(0).service().ping_host(host, cluster.in(1s),
                                            cluster.tell(told, cluster.in(1s)));
        return cluster.await(told);
    };
    EXPECT_EQ(ping("h2").value(), 2ms);
    EXPECT_EQ(ping("h1").value(), 0ms);
    EXPECT_EQ(name_of_error(ping("h3")), "unreachable");
    EXPECT_EQ(name_of_error(ping("h9")), "no_such_host");
    cluster.isolate("h2");
    EXPECT_EQ(name_of_error(ping("h2")), "deadline_exceeded");
}

}  // namespace
}  // namespace quorate::testing
