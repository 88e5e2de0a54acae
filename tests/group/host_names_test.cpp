#include "host/group/reservations.hpp"
#include "tests/group/host_cluster.hpp"

#include <set>

// A name is one group's: what keeps it so, and what is seen where it is not.
namespace quorate::testing {
namespace {

using Created = HostCluster::Told<Result<group::GroupLocation>>;
using ::testing::Test;

Created begin_create(HostCluster& cluster, const std::string& at, std::vector<std::string> on,
                     Duration within = 10s) {
    Created told;
    Time deadline = cluster.in(within);
    cluster.host(at).service().create_group({"demo", "test", "", std::move(on)}, deadline,
                                            cluster.tell(told, deadline));
    return told;
}

std::vector<group::MemberAnswer> list(HostCluster& cluster, const std::string& at) {
    HostCluster::Told<Result<std::vector<group::MemberAnswer>>> told;
    cluster.host(at).service().list_members(cluster.in(5s), cluster.tell(told, cluster.in(5s)));
    return cluster.await(told).value();
}

std::set<GroupId> ids_listed(HostCluster& cluster, const std::string& at) {
    std::set<GroupId> ids;
    for (const group::MemberAnswer& answer : list(cluster, at)) {
        if (answer.status) ids.insert(answer.status->group);
    }
    return ids;
}

std::string text_of_error(const Result<group::GroupLocation>& result) {
    return result ? "none" : to_string(result.error());
}

bool says(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

void separate(HostCluster& cluster, const std::vector<std::string>& some,
              const std::vector<std::string>& others) {
    for (const std::string& a : some) {
        for (const std::string& b : others) cluster.disconnect(a, b);
    }
    cluster.scheduler.run_ready();
}

TEST(HostNames, of_two_created_at_once_on_other_hosts_exactly_one_comes_to_be) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        HostCluster cluster(4, 1 + seed % 2, seed);
        Created first = begin_create(cluster, "h1", {"h1", "h2"});
        cluster.scheduler.run_for(std::chrono::microseconds(seed * 571 % 6000));
        Created second = begin_create(cluster, "h3", {"h3", "h4"});
        Result<group::GroupLocation> one = cluster.await(first);
        Result<group::GroupLocation> other = cluster.await(second);
        ASSERT_NE(one.has_value(), other.has_value())
            << text_of_error(one) << " | " << text_of_error(other);
        const auto& lost = one.has_value() ? other : one;
        EXPECT_EQ(name_of_error(lost), "group_exists") << text_of_error(lost);
        cluster.scheduler.run_for(1s);
        EXPECT_EQ(ids_listed(cluster, "h1").size(), 1u);
        EXPECT_EQ(cluster.submit(cluster.host("h1"), "demo", "x"), "applied 1:x");
        EXPECT_EQ(cluster.submit(cluster.host("h3"), "demo", "y"), "applied 2:y");
    }
}

TEST(HostNames, of_many_created_at_once_over_a_wild_network_at_most_one_comes_to_be) {
    int created = 0;
    for (std::uint64_t seed = 1; seed <= 25; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        HostCluster cluster(5, 1, seed);
        cluster.loss = 1e-12;  // delays and reorders; loses nothing
        cluster.repetition = 0.1;
        std::vector<Created> all;
        for (const char* at : {"h1", "h2", "h3", "h4"})
            all.push_back(begin_create(cluster, at, {at}));
        int winners = 0;
        for (const Created& one : all) winners += cluster.await(one).has_value() ? 1 : 0;
        EXPECT_LE(winners, 1);
        created += winners;
        cluster.loss = 0;
        cluster.scheduler.run_for(30s);  // what was taken back is gone
        EXPECT_LE(ids_listed(cluster, "h5").size(), 1u);
    }
    EXPECT_GT(created, 12) << "they stand in each other's way";
}

TEST(HostNames, neither_half_of_a_divided_cluster_creates_a_group) {
    HostCluster cluster(4);
    separate(cluster, {"h1", "h2"}, {"h3", "h4"});
    for (const char* at : {"h1", "h3"}) {
        auto created = cluster.create(cluster.host(at), "demo", {at});
        EXPECT_EQ(name_of_error(created), "no_quorum");
        std::string absent = at == std::string("h1") ? "h3; h4" : "h1; h2";
        EXPECT_TRUE(says(text_of_error(created), "2 of 4 hosts")) << text_of_error(created);
        EXPECT_TRUE(says(text_of_error(created), absent)) << text_of_error(created);
    }
    EXPECT_TRUE(ids_listed(cluster, "h1").empty());
}

TEST(HostNames, a_silent_majority_is_no_consent) {
    HostCluster cluster(3);
    cluster.isolate("h1");  // connected still
    auto created = cluster.create(cluster.host("h1"), "demo", {"h1"});
    EXPECT_EQ(name_of_error(created), "no_quorum") << text_of_error(created);
    cluster.heal();
    EXPECT_EQ(name_of_error(cluster.create(cluster.host("h1"), "demo", {"h1"})), "none");
}

TEST(HostNames, hosts_that_connect_in_time_are_waited_for) {
    HostCluster cluster(3);
    separate(cluster, {"h1"}, {"h2", "h3"});
    Created told = begin_create(cluster, "h1", {"h1"});
    cluster.scheduler.run_for(500ms);
    EXPECT_FALSE(told.has_value());
    cluster.connect("h1", "h2");
    EXPECT_EQ(name_of_error(cluster.await(told)), "none");
}

TEST(HostNames, a_host_that_has_met_nobody_neither_creates_nor_denies) {
    HostCluster cluster(3);
    TestHost& h1 = cluster.host("h1");
    ASSERT_EQ(name_of_error(cluster.create(cluster.host("h2"), "demo", {"h2", "h3"})), "none");
    h1.crash();
    h1.not_met = {"h2", "h3"};
    h1.seeds = {"h2:1", "h3:1"};
    h1.start();
    separate(cluster, {"h1"}, {"h2", "h3"});
    auto created = cluster.create(h1, "demo", {"h1"});
    EXPECT_EQ(name_of_error(created), "no_quorum");
    EXPECT_TRUE(says(text_of_error(created), "h2:1, which was never met"))
        << text_of_error(created);
    auto opened = cluster.open(h1, "demo");
    EXPECT_EQ(name_of_error(opened), "no_quorum");
    EXPECT_TRUE(says(to_string(opened.error()), "h3:1, which was never met"));
    EXPECT_EQ(cluster.members(h1, "demo"), "no_quorum");
    std::vector<std::string> warned;
    for (const group::MemberAnswer& answer : list(cluster, "h1")) {
        if (answer.error) warned.push_back(answer.host);
    }
    EXPECT_EQ(warned, h1.seeds);
}

TEST(HostNames, the_name_of_a_creator_that_died_is_free_when_its_time_is_over) {
    HostCluster cluster(4);
    cluster.lose = [](const std::string&, const std::string&, const group::PeerMessage& message) {
        auto* request = std::get_if<group::Request>(&message);
        return request && std::holds_alternative<group::StartMemberRequest>(request->body);
    };
    begin_create(cluster, "h1", {"h3"}, 5s);
    cluster.scheduler.run_for(100ms);
    cluster.host("h1").crash();
    cluster.lose = nullptr;
    auto early = cluster.create(cluster.host("h2"), "demo", {"h2"}, 2s);
    EXPECT_EQ(name_of_error(early), "change_not_permitted") << text_of_error(early);
    cluster.scheduler.run_for(6s);
    EXPECT_EQ(name_of_error(cluster.create(cluster.host("h2"), "demo", {"h2"}, 2s)), "none");
}

TEST(HostNames, the_start_of_a_member_waits_for_nobody_once_a_creation_has_failed) {
    HostCluster cluster(5);
    cluster.host("h2").crash();
    cluster.host("h3").crash();
    EXPECT_EQ(name_of_error(cluster.create(cluster.host("h1"), "demo", {"h1", "h2", "h3"}, 60s)),
              "group_not_formed");
    EXPECT_EQ(name_of_error(cluster.create(cluster.host("h4"), "demo", {"h5"}, 1s)), "none");
}

TEST(HostNames, an_absent_members_start_is_kept_while_those_who_have_the_group_are_away) {
    HostCluster cluster(5);
    cluster.host("h5").crash();
    ASSERT_EQ(name_of_error(cluster.create(cluster.host("h1"), "demo", {"h3", "h4", "h5"})),
              "none");
    cluster.host("h5").start();
    separate(cluster, {"h1", "h2", "h5"}, {"h3", "h4"});
    cluster.scheduler.run_for(30s);
    for (const char* away : {"h3", "h4"}) {
        for (const char* here : {"h1", "h2", "h5"}) cluster.connect(here, away);
    }
    cluster.scheduler.run_for(20s);
    EXPECT_EQ(cluster.members(cluster.host("h1"), "demo"), "h3:leader h4:follower h5:follower");
}

// Two groups of one name, made while two halves did not know of each other.
class TwoOfOneName : public Test {
 protected:
    TwoOfOneName() : cluster(5) {
        std::vector<std::vector<std::string>> halves{{"h1", "h2"}, {"h3", "h4"}};
        separate(cluster, halves[0], {"h3", "h4", "h5"});
        separate(cluster, halves[1], {"h5"});
        for (std::size_t i : {0u, 1u}) {
            for (const std::string& name : halves[i]) {
                cluster.host(name).not_met = {halves[1 - i][0], halves[1 - i][1], "h5"};
            }
        }
        for (const auto& half : halves) {
            EXPECT_EQ(name_of_error(cluster.create(cluster.host(half[0]), "demo", half)), "none");
        }
        for (TestHost* host : cluster.hosts_up()) {
            host->not_met.clear();
            for (const std::string& other : cluster.names()) {
                if (other != host->name) cluster.connect(host->name, other);
            }
        }
        cluster.scheduler.run_for(1s);
    }

    HostCluster cluster;
};

TEST_F(TwoOfOneName, both_are_listed_and_neither_is_taken_for_the_other) {
    TestHost& h5 = cluster.host("h5");
    EXPECT_EQ(ids_listed(cluster, "h5").size(), 2u);
    auto opened = cluster.open(h5, "demo");
    ASSERT_EQ(name_of_error(opened), "group_exists");
    std::string text = to_string(opened.error());
    EXPECT_TRUE(says(text, "2 groups") && says(text, "on h1 h2") && says(text, "on h3 h4")) << text;
    EXPECT_EQ(cluster.members(h5, "demo"), "group_exists");
    EXPECT_EQ(name_of_error(cluster.add(h5, "demo", "h5")), "group_exists");
    EXPECT_EQ(name_of_error(cluster.remove_group(h5, "demo")), "group_exists");
    EXPECT_EQ(ids_listed(cluster, "h5").size(), 2u);
}

TEST_F(TwoOfOneName, one_is_deleted_through_a_host_that_carries_it) {
    EXPECT_EQ(cluster.submit(cluster.host("h1"), "demo", "x"), "applied 1:x");
    EXPECT_EQ(cluster.submit(cluster.host("h4"), "demo", "y"), "applied 1:y");
    ASSERT_EQ(name_of_error(cluster.remove_group(cluster.host("h3"), "demo")), "none");
    EXPECT_EQ(cluster.submit(cluster.host("h5"), "demo", "z"), "applied 2:z");
    EXPECT_EQ(cluster.submit(cluster.host("h4"), "demo", "u"), "applied 3:u");
}

TEST_F(TwoOfOneName, a_port_goes_on_reaching_its_own_group_from_anywhere) {
    TestHost& h2 = cluster.host("h2");
    h2.crash();  // without it, its group has no leader
    cluster.scheduler.run_for(5s);
    auto port = cluster.open(cluster.host("h3"), "demo").value();
    auto other = cluster.open(cluster.host("h1"), "demo").value();
    auto waits = cluster.start_submit(*other, "x", 20s);
    EXPECT_EQ(say(cluster.await(cluster.start_submit(*port, "y"))), "applied 1:y");
    EXPECT_FALSE(waits.has_value());
    h2.start();
    EXPECT_EQ(say(cluster.await(waits)), "applied 1:x");
}

TEST(HostNames, what_a_deletion_left_on_a_host_that_was_away_does_not_count) {
    HostCluster cluster(4);
    ASSERT_EQ(name_of_error(cluster.create(cluster.host("h1"), "demo", {"h1", "h2", "h3"})),
              "none");
    cluster.host("h3").crash();
    ASSERT_EQ(name_of_error(cluster.remove_group(cluster.host("h1"), "demo")), "none");
    // Its leader stays a while for the one that is away.
    for (int i = 0; i < 100 && !ids_listed(cluster, "h1").empty(); ++i) {
        cluster.scheduler.run_for(100ms);
    }
    auto again = cluster.create(cluster.host("h1"), "demo", {"h1", "h2"});
    ASSERT_TRUE(again.has_value()) << text_of_error(again);
    cluster.host("h3").start();
    ASSERT_EQ(ids_listed(cluster, "h4").size(), 2u);
    EXPECT_EQ(cluster.submit(cluster.host("h4"), "demo", "x"), "applied 1:x");
}

// ---- reservations ---------------------------------------------------------------------------------

group::ReserveNameRequest wish(std::uint64_t group, std::uint32_t round = 1) {
    return {"demo", GroupId(group), round, 1s};
}

TEST(Reservations, are_one_groups_until_their_time_has_passed) {
    group::Reservations names(10);
    Time now{};
    ASSERT_TRUE(names.take(wish(1), now, now + 1s).has_value());
    EXPECT_TRUE(names.take(wish(1, 2), now, now + 2s).has_value());
    EXPECT_EQ(names.take(wish(2), now + 1s, now + 9s).error().code, Errc::change_not_permitted);
    EXPECT_FALSE(names.check("demo", GroupId(2), now + 1s).has_value());
    EXPECT_TRUE(names.check("demo", GroupId(1), now + 1s).has_value());
    EXPECT_TRUE(names.check("other", GroupId(2), now + 1s).has_value());
    EXPECT_TRUE(names.take(wish(2), now + 2s, now + 9s).has_value());
    EXPECT_FALSE(names.take(wish(1), now + 2s, now + 9s).has_value());
}

TEST(Reservations, are_given_up_by_their_group_and_not_by_what_it_said_before) {
    group::Reservations names(10);
    Time now{};
    ASSERT_TRUE(names.take(wish(1, 2), now, now + 1s).has_value());
    names.give_up(wish(2, 9));
    names.give_up(wish(1, 1));
    EXPECT_FALSE(names.check("demo", GroupId(3), now).has_value());
    names.give_up(wish(1, 2));
    EXPECT_TRUE(names.check("demo", GroupId(3), now).has_value());
}

TEST(Reservations, are_so_many_and_no_more) {
    group::Reservations names(2);
    Time now{};
    for (const char* name : {"a", "b"}) {
        EXPECT_TRUE(names.take({name, GroupId(1), 1, 1s}, now, now + 1s).has_value());
    }
    EXPECT_EQ(names.take(wish(1), now, now + 1s).error().code, Errc::overloaded);
    EXPECT_TRUE(names.take({"a", GroupId(1), 1, 1s}, now, now + 1s).has_value());
    EXPECT_TRUE(names.take(wish(1), now + 1s, now + 2s).has_value())
        << "room when some have passed";
}

}  // namespace
}  // namespace quorate::testing
