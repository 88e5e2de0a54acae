#include "rpc/client/whereabouts.hpp"

#include <gtest/gtest.h>

namespace quorate::client {
namespace {

using List = std::vector<std::string>;
constexpr Duration second = std::chrono::seconds(1);

struct Known : Whereabouts {
    Known() : Whereabouts({"a:1", "b:1", "c:1"}) {}
    Time now{Duration(std::chrono::hours(1))};
    List all(const std::string& preferred = {}) const { return in_turn(preferred, now); }
};

TEST(Whereabouts, given_endpoints_come_in_their_order_and_learnt_ones_after_them) {
    Known known;
    EXPECT_EQ(known.all(), (List{"a:1", "b:1", "c:1"}));
    known.heard("d", "d:1");
    known.heard("b", "b:1");
    EXPECT_EQ(known.all(), (List{"a:1", "b:1", "c:1", "d:1"}));
    EXPECT_EQ(known.all("d:1"), (List{"d:1", "a:1", "b:1", "c:1"}));
}

TEST(Whereabouts, what_worked_last_comes_before_what_was_given) {
    Known known;
    known.works("c:1", "c");
    EXPECT_EQ(known.all(), (List{"c:1", "a:1", "b:1"}));
    EXPECT_EQ(known.all("b:1"), (List{"b:1", "c:1", "a:1"}));
}

TEST(Whereabouts, what_failed_comes_last_for_a_while_the_longest_ago_first) {
    Known known;
    known.failed("a:1", known.now);
    known.now += second / 4;
    known.failed("b:1", known.now);
    EXPECT_EQ(known.all(), (List{"c:1", "a:1", "b:1"}));
    EXPECT_EQ(known.all("b:1"), (List{"c:1", "a:1", "b:1"}));
    known.now += 3 * second / 4;
    EXPECT_EQ(known.all(), (List{"a:1", "c:1", "b:1"}));
    known.now += second;
    EXPECT_EQ(known.all(), (List{"a:1", "b:1", "c:1"}));
}

TEST(Whereabouts, who_goes_on_failing_is_put_off_for_longer_until_it_works) {
    Known known;
    auto put_off_for = [&known] {
        Time failed = known.now;
        known.failed("a:1", failed);
        while (known.all().front() != "a:1") known.now += second / 10;
        return known.now - failed;
    };
    EXPECT_EQ(put_off_for(), second);
    EXPECT_EQ(put_off_for(), 2 * second);
    for (int i = 0; i < 10; ++i) put_off_for();
    EXPECT_EQ(put_off_for(), 30 * second);
    known.works("a:1", "a");
    EXPECT_EQ(put_off_for(), second);
}

TEST(Whereabouts, a_leader_is_known_by_its_hosts_endpoint) {
    Known known;
    EXPECT_EQ(known.leader("demo", known.now), "");
    known.leads("demo", "d");
    EXPECT_EQ(known.leader("demo", known.now), "") << "nobody said where d listens";
    known.heard("d", "d:1");
    EXPECT_EQ(known.leader("demo", known.now), "d:1");
    known.leads("demo", "");
    EXPECT_EQ(known.leader("demo", known.now), "d:1");
    EXPECT_EQ(known.leader("other", known.now), "");
}

TEST(Whereabouts, a_leader_whose_host_failed_is_forgotten) {
    Known known;
    known.works("b:1", "b");
    known.leads("demo", "b");
    known.failed("b:1", known.now);
    known.works("b:1", "b");
    EXPECT_EQ(known.leader("demo", known.now), "");
    known.leads("demo", "b");
    EXPECT_EQ(known.leader("demo", known.now), "b:1");
}

TEST(Whereabouts, a_leader_whose_endpoint_failed_lately_is_not_gone_to) {
    Known known;
    known.heard("d", "d:1");
    known.failed("d:1", known.now);
    known.leads("demo", "d");
    EXPECT_EQ(known.leader("demo", known.now), "");
    EXPECT_EQ(known.leader("demo", known.now + second), "d:1");
}

TEST(Whereabouts, having_been_there_counts_for_more_than_hearsay) {
    Known known;
    known.works("10.0.0.1:7", "a");
    known.heard("a", "0.0.0.0:7");
    known.leads("demo", "a");
    EXPECT_EQ(known.leader("demo", known.now), "10.0.0.1:7");
    known.failed("10.0.0.1:7", known.now);
    known.heard("a", "10.0.0.9:7");
    known.leads("demo", "a");
    EXPECT_EQ(known.leader("demo", known.now), "10.0.0.9:7") << "it came back elsewhere";
}

TEST(Whereabouts, an_endpoint_is_that_of_the_host_that_answered_there) {
    Known known;
    known.heard("x", "a:1");
    known.heard("y", "");
    known.works("a:1", "a");
    known.leads("demo", "x");
    EXPECT_EQ(known.leader("demo", known.now), "");
    known.leads("demo", "a");
    EXPECT_EQ(known.leader("demo", known.now), "a:1");
}

}  // namespace
}  // namespace quorate::client
