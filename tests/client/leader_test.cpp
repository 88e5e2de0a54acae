#include "tests/client/fake_server.hpp"

// Who leads is learnt from answers, and the next operation goes straight there.
namespace quorate::testing {
namespace {

using Strings = std::vector<std::string>;

class Leader : public ::testing::Test {
 protected:
    Leader() {
        introduce({&h1, &h2, &h3});
        for (FakeServer* server : {&h1, &h2, &h3}) {
            apply_all(*server);
            server->host().port->on_query = [](auto& asked) {
                asked.done(group::QueryAnswer{{}, Bytes::copy_of("read"), "h2"});
            };
        }
    }
    void start() {
        for (FakeServer* server : {&h1, &h2, &h3}) server->start();
        client = connect(h1);
    }
    std::string submit(const std::string& command, Duration timeout = 20s) {
        return say(client->group("demo").submit(as_bytes(command), timeout).get());
    }
    static void leads(FakeServer& server, const std::string& leader) {
        server.run([&] { server.host().port->leading = leader; });
    }

    FakeServer h1{"h1"};
    FakeServer h2{"h2"};
    FakeServer h3{"h3"};
    std::unique_ptr<client::Client> client;
};

TEST_F(Leader, is_gone_to_with_the_second_command) {
    start();
    leads(h1, "h2");
    leads(h2, "h2");
    EXPECT_EQ(submit("a"), "applied re:a");
    EXPECT_EQ(submit("b"), "applied re:b");
    EXPECT_EQ(submit("c"), "applied re:c");
    EXPECT_EQ(h1.commands(), Strings{"a"});
    EXPECT_EQ(h2.commands(), (Strings{"b", "c"}));
}

TEST_F(Leader, is_remembered_per_group) {
    start();
    leads(h1, "h2");
    EXPECT_EQ(submit("a"), "applied re:a");
    auto other = client->group("other").submit(as_bytes("x"), 20s).get();
    EXPECT_EQ(say(other), "not_applied no_such_group");
    EXPECT_GE(h1.run([&] { return h1.host().opened; }), 2) << "the other group was asked of h1";
}

TEST_F(Leader, is_learnt_from_text_commands_and_queries_too) {
    start();
    leads(h1, "h2");
    client->group("demo").submit_text({"put", "a"}, 20s).get();
    EXPECT_EQ(submit("b"), "applied re:b");
    EXPECT_EQ(h2.commands(), Strings{"b"});
    for (bool text : {false, true}) {
        auto fresh = connect(h3);
        auto demo = fresh->group("demo");
        if (text) {
            ASSERT_EQ(code_of(demo.query_text(client::ReadLevel::leader, {"get", "a"}, 20s).get()),
                      "ok");
        } else {
            ASSERT_EQ(
                code_of(demo.query(client::ReadLevel::linearizable, as_bytes("q"), 20s).get()),
                "ok");
        }
        EXPECT_EQ(say(demo.submit(as_bytes("c"), 20s).get()), "applied re:c");
    }
    EXPECT_EQ(h3.commands(), Strings{});
    EXPECT_EQ(h2.commands(), (Strings{"b", "c", "c"}));
}

TEST_F(Leader, that_a_refusal_names_is_asked_within_the_same_operation) {
    start();
    h1.run([&] { refuse_all(h1, Errc::not_leader, "h3"); });
    EXPECT_EQ(submit("a"), "applied re:a");
    EXPECT_EQ(h3.commands(), Strings{"a"});
    EXPECT_EQ(submit("b"), "applied re:b");
    EXPECT_EQ(h1.commands(), Strings{"a"});
}

TEST_F(Leader, hosts_that_name_each_other_are_asked_a_bounded_number_of_times) {
    start();
    h1.run([&] { refuse_all(h1, Errc::not_leader, "h2"); });
    h2.run([&] { refuse_all(h2, Errc::not_leader, "h1"); });
    h3.run([&] { refuse_all(h3, Errc::not_leader, "h1"); });
    EXPECT_EQ(submit("a", 1s), "not_applied not_leader");
    std::size_t attempts = h1.commands().size() + h2.commands().size() + h3.commands().size();
    EXPECT_GE(attempts, 5u) << "hints are followed, and then others are asked";
    // At most 5 attempts between two pauses, and the pauses grow from 10 to 160 ms and more.
    EXPECT_LE(attempts, 100u);
}

TEST_F(Leader, that_nobody_knows_how_to_reach_is_not_waited_for) {
    start();
    leads(h1, "stranger");
    EXPECT_EQ(submit("a"), "applied re:a");
    EXPECT_EQ(submit("b"), "applied re:b");
    EXPECT_EQ(h1.commands(), (Strings{"a", "b"}));
}

TEST_F(Leader, that_nobody_knows_how_to_reach_is_no_reason_to_ask_at_once_again) {
    start();
    for (FakeServer* server : {&h1, &h2, &h3})
        server->run([&] { refuse_all(*server, Errc::not_leader, "stranger"); });
    EXPECT_EQ(submit("a", 1s), "not_applied not_leader");
    EXPECT_LE(h1.commands().size() + h2.commands().size() + h3.commands().size(), 20u);
}

TEST_F(Leader, that_cannot_be_reached_from_here_is_reached_through_the_others) {
    h1.start();
    client = connect(h1);  // h2 is not there for clients
    leads(h1, "h2");
    EXPECT_EQ(submit("a"), "applied re:a");
    EXPECT_EQ(submit("b"), "applied re:b");
    EXPECT_EQ(submit("c"), "applied re:c");
    EXPECT_EQ(h1.commands(), (Strings{"a", "b", "c"}));
}

TEST_F(Leader, that_died_is_left_and_the_new_one_is_found) {
    start();
    leads(h1, "h2");
    leads(h2, "h2");
    ASSERT_EQ(submit("a"), "applied re:a");
    ASSERT_EQ(submit("b"), "applied re:b");
    h2.die();
    leads(h1, "h3");
    leads(h3, "h3");
    // Until the client notices that the connection has ended, a command may yet go into it.
    std::string first = submit("c");
    EXPECT_TRUE(first == "applied re:c" || first == "unknown leadership_lost") << first;
    ASSERT_EQ(submit("d"), "applied re:d");
    ASSERT_EQ(submit("e"), "applied re:e");
    EXPECT_EQ(h3.commands().back(), "e");
    EXPECT_EQ(h2.commands(), Strings{"b"});
}

TEST_F(Leader, is_of_no_matter_to_a_local_read) {
    start();
    leads(h1, "h2");
    ASSERT_EQ(submit("a"), "applied re:a");
    for (int i = 0; i < 3; ++i) {
        auto answer = client->group("demo").query(client::ReadLevel::local, as_bytes("q"), 20s);
        ASSERT_EQ(code_of(answer.get()), "ok");
    }
    EXPECT_EQ(h1.run([&] { return h1.host().port->asked.size(); }), 3u);
}

}  // namespace
}  // namespace quorate::testing
