#include "tests/rpc/gateway_fixture.hpp"

#include <gtest/gtest.h>

// Many queries in one call.
namespace quorate::testing {
namespace {

class GatewayQueries : public GatewayTest {
 protected:
    void SetUp() override {
        GatewayTest::SetUp();
        host.port->on_query = [](auto& asked) {
            asked.done(group::QueryAnswer{{Term(3), Index(30)}, Bytes::copy_of(asked.query), "h"});
        };
    }
    auto send(schema::Group::Client& group, const std::vector<std::string>& queries) {
        auto request = group.queriesRequest();
        auto list = request.initQueries(static_cast<unsigned>(queries.size()));
        for (unsigned i = 0; i < queries.size(); ++i) {
            list[i].setLevel(schema::ReadLevel::LINEARIZABLE);
            list[i].setAtLeast(i);
            list[i].setQuery(to_data(queries[i]));
            list[i].setTimeoutMs(1000 + i);
        }
        return request.send();
    }
    std::vector<std::string> ask(schema::Group::Client& group,
                                 const std::vector<std::string>& queries) {
        std::vector<std::string> said;
        auto response = got(send(group, queries));
        for (auto answer : response.getAnswers()) {
            said.push_back(answer.isReply() ? to_text(answer.getReply().getData())
                                            : std::string(answer.getFailed().getName().cStr()));
        }
        return said;
    }
};

using Said = std::vector<std::string>;

TEST_F(GatewayQueries, each_has_its_level_fence_and_time_and_its_own_answer) {
    serve();
    auto client = connect();
    auto group = demo(*client);
    EXPECT_EQ(ask(group, {"a", "", "c"}), (Said{"a", "", "c"}));
    ASSERT_EQ(host.port->asked.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(host.port->asked[i].level, group::ReadLevel::linearizable);
        EXPECT_EQ(host.port->asked[i].at_least, Index(i));
    }
    EXPECT_LT(host.port->asked[0].deadline, host.port->asked[2].deadline);
}

TEST_F(GatewayQueries, are_answered_in_their_order_when_the_last_of_them_is) {
    serve();
    auto client = connect();
    auto group = demo(*client);
    host.port->on_query = nullptr;
    auto answers = send(group, {"a", "b", "c"});
    ASSERT_TRUE(eventually([&] { return host.port->asked.size() == 3; }));
    for (std::size_t i : {2u, 0u, 1u}) {
        auto& asked = host.port->asked[i];
        asked.done(group::QueryAnswer{{}, Bytes::copy_of("re:" + asked.query), {}});
    }
    auto response = got(kj::mv(answers));
    ASSERT_EQ(response.getAnswers().size(), 3u);
    EXPECT_EQ(to_text(response.getAnswers()[0].getReply().getData()), "re:a");
    EXPECT_EQ(to_text(response.getAnswers()[2].getReply().getData()), "re:c");
}

TEST_F(GatewayQueries, one_that_fails_harms_no_other) {
    serve();
    auto client = connect();
    auto group = demo(*client);
    host.port->on_query = [](auto& asked) {
        if (asked.query == "bad") return asked.done(fail(Errc::query_failed, "no"));
        asked.done(group::QueryAnswer{{}, Bytes::copy_of(asked.query), {}});
    };
    EXPECT_EQ(ask(group, {"a", "bad", "c"}), (Said{"a", "query_failed", "c"}));
    auto request = group.queriesRequest();
    auto list = request.initQueries(2);
    list[0].setLevel(static_cast<schema::ReadLevel>(99));
    list[1].setQuery(to_data("b"));
    auto response = got(request.send());
    EXPECT_EQ(response.getAnswers()[0].getFailed().getCode(),
              static_cast<int>(Errc::request_invalid));
    EXPECT_EQ(to_text(response.getAnswers()[1].getReply().getData()), "b");
}

TEST_F(GatewayQueries, none_and_too_many_and_too_large_answers_are_answered_as_far_as_they_go) {
    options.queries_at_once = 4;
    options.queries_answer_bytes = 40'000;
    serve();
    auto client = connect();
    auto group = demo(*client);
    EXPECT_EQ(ask(group, {}), Said{});
    EXPECT_EQ(ask(group, {"a", "b", "c", "d", "e", "f"}), (Said{"a", "b", "c", "d"}));
    EXPECT_EQ(host.port->asked.size(), 4u) << "the rest was not asked";
    std::string large(15'000, 'x');
    EXPECT_EQ(ask(group, {large, large, large, large}), (Said{large, large}));
    std::string huge(50'000, 'x');
    EXPECT_EQ(ask(group, {huge, huge}), (Said{huge})) << "one always fits";
}

TEST_F(GatewayQueries, count_as_calls_in_flight_do) {
    options.max_inflight_bytes = 2000;
    serve();
    auto client = connect();
    auto group = demo(*client);
    host.port->on_query = nullptr;
    std::string query(500, 'q');
    auto answers = send(group, {query, query, query, query});
    ASSERT_TRUE(eventually([&] { return host.port->asked.size() == 2; }));
    for (auto& asked : host.port->asked) asked.done(group::QueryAnswer{});
    auto response = got(kj::mv(answers));
    EXPECT_TRUE(response.getAnswers()[1].isReply());
    EXPECT_EQ(response.getAnswers()[2].getFailed().getCode(), static_cast<int>(Errc::overloaded));
    host.port->on_query = [](auto& asked) { asked.done(group::QueryAnswer{}); };
    EXPECT_EQ(ask(group, {query, query}), (Said{"", ""})) << "what was taken is given back";
}

TEST_F(GatewayQueries, answers_that_come_after_the_client_has_gone_are_dropped) {
    serve();
    auto client = connect();
    auto group = demo(*client);
    host.port->on_query = nullptr;
    auto answers = send(group, {"a", "b"});
    ASSERT_TRUE(eventually([&] { return host.port->asked.size() == 2; }));
    host.port->asked[0].done(group::QueryAnswer{});
    client.reset();
    ASSERT_TRUE(eventually([&] { return gateway->connections() == 0; }));
    host.port->asked[1].done(group::QueryAnswer{});
    auto other = connect();
    host.port->on_query = [](auto& asked) { asked.done(group::QueryAnswer{}); };
    auto again = demo(*other);
    EXPECT_EQ(ask(again, {"a"}), Said{""});
}

}  // namespace
}  // namespace quorate::testing
