#include "tests/client/fake_server.hpp"

#include <functional>
#include <utility>

// Queries change nothing, so they are asked again elsewhere until their deadline.
namespace quorate::testing {
namespace {

using client::ReadLevel;

class Query : public ::testing::Test {
 protected:
    Query() { introduce({&h1, &h2}); }
    static void answer_all(FakeServer& server, const std::string& reply) {
        server.host().port->on_query = [reply](FakePort::Asked& asked) {
            asked.done(group::QueryAnswer{{Term(3), Index(30)}, Bytes::copy_of(reply), ""});
        };
    }
    static void refuse_all(FakeServer& server, Errc code) {
        server.host().port->on_query = [code](FakePort::Asked& asked) {
            asked.done(fail(code, "refused by the test"));
        };
    }
    void start() {
        h1.start();
        h2.start();
        client = connect({.endpoints = {h1.address(), h2.address()}});
    }
    Result<client::Answer> query(Duration timeout = 20s) {
        return client->group("demo").query(ReadLevel::linearizable, as_bytes("q"), timeout).get();
    }
    std::size_t asked(FakeServer& server) {
        return server.run([&] { return server.host().port->asked.size(); });
    }

    FakeServer h1{"h1"};
    FakeServer h2{"h2"};
    std::unique_ptr<client::Client> client;
};

TEST_F(Query, carries_level_fence_and_bytes_and_gives_the_answer_with_its_place) {
    answer_all(h1, "value");
    start();
    for (ReadLevel level : {ReadLevel::local, ReadLevel::leader, ReadLevel::linearizable}) {
        auto answer =
            client->group("demo").query(level, as_bytes("get a"), 20s, Index(17)).get().value();
        EXPECT_EQ(answer.reply.text(), "value");
        EXPECT_EQ(answer.at, (EntryId{Term(3), Index(30)}));
        h1.run([&] {
            const FakePort::Asked& last = h1.host().port->asked.back();
            EXPECT_EQ(static_cast<int>(last.level), static_cast<int>(level));
            EXPECT_EQ(last.at_least, Index(17));
            EXPECT_EQ(last.query, "get a");
        });
    }
}

TEST_F(Query, is_asked_again_elsewhere_when_the_connection_dies) {
    h1.host().port->on_query = [this](auto&) { h1.die_soon(); };
    answer_all(h2, "value");
    start();
    EXPECT_EQ(query().value().reply.text(), "value");
    EXPECT_EQ(asked(h1), 1u);
    EXPECT_EQ(asked(h2), 1u);
}

TEST_F(Query, is_asked_again_elsewhere_when_a_host_cannot_answer) {
    refuse_all(h1, Errc::member_stopped);
    answer_all(h2, "value");
    start();
    EXPECT_EQ(query().value().reply.text(), "value");
}

TEST_F(Query, ends_with_the_machines_own_error) {
    refuse_all(h1, Errc::query_failed);
    answer_all(h2, "value");
    start();
    EXPECT_EQ(code_of(query()), "query_failed");
    EXPECT_EQ(asked(h2), 0u);
}

TEST_F(Query, that_nobody_can_answer_ends_at_its_deadline_after_a_few_attempts) {
    refuse_all(h1, Errc::no_leader);
    refuse_all(h2, Errc::no_leader);
    start();
    EXPECT_EQ(code_of(query(1s)), "no_leader");
    EXPECT_GE(asked(h2), 1u);
    EXPECT_LE(asked(h1) + asked(h2), 20u);
}

TEST_F(Query, that_a_host_does_not_answer_ends_after_its_deadline) {
    answer_all(h1, "value");
    start();
    ASSERT_EQ(code_of(query()), "ok");
    h1.run([&] { h1.host().port->on_query = nullptr; });
    EXPECT_EQ(code_of(query(500ms)), "deadline_exceeded");
}

TEST_F(Query, without_time_asks_nobody) {
    answer_all(h1, "value");
    start();
    EXPECT_EQ(code_of(query(0s)), "deadline_exceeded");
    EXPECT_EQ(asked(h1), 0u);
}

TEST_F(Query, finds_the_group_that_was_created_anew_under_its_name) {
    answer_all(h1, "old");
    start();
    ASSERT_EQ(code_of(query()), "ok");
    h1.run([&] {
        refuse_all(h1, Errc::no_such_group);
        h1.host().port = std::make_shared<FakePort>();
        answer_all(h1, "new");
    });
    EXPECT_EQ(query().value().reply.text(), "new");
}

TEST_F(Query, of_what_fits_no_message_is_refused_here) {
    answer_all(h1, "value");
    h1.start();
    client = connect({.endpoints = {h1.address()}, .max_message_bytes = 10'000});
    std::string large(10'000, 'x');
    EXPECT_EQ(code_of(client->group("demo").query(ReadLevel::local, as_bytes(large)).get()),
              "command_too_large");
    EXPECT_EQ(asked(h1), 0u);
}

TEST_F(Query, in_words_is_encoded_and_rendered_by_the_machine) {
    answer_all(h1, "value");
    start();
    auto demo = client->group("demo");
    auto answer = demo.query_text(ReadLevel::local, {"get", "a"}, 20s).get().value();
    EXPECT_EQ(answer.text, "get -> value");
    EXPECT_EQ(answer.answer.at.index, Index(30));
    EXPECT_EQ(code_of(demo.query_text(ReadLevel::local, {"frobnicate"}, 20s).get()),
              "command_text_invalid");
}

// Asks them in one turn of the client's thread, and gives their codes when all have ended.
std::vector<std::string> ask_at_once(client::Client& client,
                                     const std::vector<std::pair<std::string, Duration>>& queries) {
    std::promise<void> all;
    std::size_t left = queries.size();
    std::vector<std::string> said(queries.size());
    auto demo = client.group("demo");
    demo.query(ReadLevel::linearizable, as_bytes("first"), 20s).then([&](const auto&) {
        for (std::size_t i = 0; i < queries.size(); ++i) {
            demo.query(ReadLevel::linearizable, as_bytes(queries[i].first), queries[i].second)
                .then([&, i](const Result<client::Answer>& answer) {
                    said[i] =
                        answer.has_value() ? std::string(answer->reply.text()) : code_of(answer);
                    if (--left == 0) all.set_value();
                });
        }
    });
    all.get_future().wait();
    return said;
}

using Said = std::vector<std::string>;
using Answering = std::function<void(FakePort::Asked&)>;
const Answering echo = [](FakePort::Asked& asked) {
    asked.done(group::QueryAnswer{{Term(3), Index(30)}, Bytes::copy_of(asked.query), ""});
};

TEST_F(Query, among_others_of_one_turn_has_its_own_answer) {
    h1.host().port->on_query = [](FakePort::Asked& asked) {
        if (asked.query == "bad") return asked.done(fail(Errc::query_failed, "no"));
        echo(asked);
    };
    start();
    EXPECT_EQ(ask_at_once(*client, {{"a", 20s}, {"bad", 20s}, {"c", 20s}}),
              (Said{"a", "query_failed", "c"}));
}

TEST_F(Query, that_no_message_had_room_for_an_answer_to_is_asked_again) {
    h1.options().queries_at_once = 3;
    h1.options().queries_answer_bytes = 20'000;
    h1.host().port->on_query = echo;
    start();
    std::vector<std::pair<std::string, Duration>> queries;
    Said expected;
    for (int i = 0; i < 20; ++i) {
        expected.push_back(std::to_string(i) + std::string(8'000, 'x'));
        queries.emplace_back(expected.back(), 20s);
    }
    EXPECT_EQ(ask_at_once(*client, queries), expected);
    EXPECT_GT(asked(h1), queries.size() + 1);
}

TEST_F(Query, among_others_is_asked_again_elsewhere_when_the_connection_dies) {
    h1.host().port->on_query = [this](FakePort::Asked& asked) {
        if (asked.query == "first") return echo(asked);
        if (asked.query == "b") h1.die_soon();
    };
    h2.host().port->on_query = echo;
    start();
    EXPECT_EQ(ask_at_once(*client, {{"a", 20s}, {"b", 20s}, {"c", 20s}}), (Said{"a", "b", "c"}));
}

TEST_F(Query, does_not_wait_for_one_that_may_take_longer) {
    h1.host().port->on_query = [](FakePort::Asked& asked) {
        if (asked.query == "first") return echo(asked);
        if (asked.query != "slow") asked.done(fail(Errc::query_failed, "at once"));
    };
    start();
    std::promise<std::string> quick;
    auto demo = client->group("demo");
    demo.query(ReadLevel::linearizable, as_bytes("first"), 20s).then([&](const auto&) {
        demo.query(ReadLevel::linearizable, as_bytes("slow"), 1h).then([](const auto&) {});
        demo.query(ReadLevel::linearizable, as_bytes("fence"), 20s, Index(99))
            .then([](const auto&) {});
        demo.query(ReadLevel::linearizable, as_bytes("quick"), 20s).then([&](const auto& answer) {
            quick.set_value(code_of(answer));
        });
    });
    EXPECT_EQ(quick.get_future().get(), "query_failed");
}

TEST_F(Query, under_way_when_the_client_ends_is_cancelled) {
    start();
    auto answer = client->group("demo").query(ReadLevel::local, as_bytes("q"), 1h).future();
    while (asked(h1) == 0) std::this_thread::yield();
    client.reset();
    EXPECT_EQ(code_of(answer.get()), "cancelled");
}

}  // namespace
}  // namespace quorate::testing
