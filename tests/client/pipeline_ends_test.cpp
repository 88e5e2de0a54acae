#include "tests/client/outcome_log.hpp"

#include <atomic>

// Pipelines when connections break, hosts are silent, and clients or pipelines end before their
// commands.
namespace quorate::testing {
namespace {

using Strings = std::vector<std::string>;
using Told = OutcomeLog::Told;

class PipelineEnds : public ::testing::Test {
 protected:
    PipelineEnds() { introduce({&h1, &h2}); }
    void start() {
        h1.start();
        h2.start();
        client = connect({.endpoints = {h1.address(), h2.address()}});
    }
    static void wait_for(FakeServer& server, std::size_t commands) {
        while (server.commands().size() < commands) std::this_thread::yield();
    }

    FakeServer h1{"h1"};
    FakeServer h2{"h2"};
    OutcomeLog log;
    std::unique_ptr<client::Client> client;
};

TEST_F(PipelineEnds,
       what_was_sent_when_the_connection_dies_is_unknown_at_once_and_the_rest_goes_on) {
    apply_all(h2);
    start();
    auto pipeline = open_pipeline(*client, log, {.timeout = 1h});
    for (std::uint64_t i = 0; i < 5; ++i) pipeline->submit(i, as_bytes("lost"));
    wait_for(h1, 5);
    h1.die();
    log.wait_for(5);
    EXPECT_EQ(log.summary(), (std::map<std::string, int>{{"unknown leadership_lost", 5}}));
    for (std::uint64_t i = 5; i < 10; ++i) pipeline->submit(i, as_bytes("next"));
    pipeline->drain();
    EXPECT_EQ(h1.commands(), Strings(5, "lost"));
    EXPECT_EQ(h2.commands(), Strings(5, "next")) << "what was sent is not sent again";
}

TEST_F(PipelineEnds, what_waited_for_credit_goes_with_the_next_connection_in_order) {
    h1.options().pipeline_commands = 2;
    apply_all(h2);
    start();
    auto pipeline = open_pipeline(*client, log, {.timeout = 1h});
    for (std::uint64_t i = 0; i < 6; ++i) pipeline->submit(i, as_bytes(std::to_string(i)));
    wait_for(h1, 2);
    h1.die();
    pipeline->drain();
    EXPECT_EQ(h1.commands(), (Strings{"0", "1"}));
    EXPECT_EQ(h2.commands(), (Strings{"2", "3", "4", "5"}));
    EXPECT_EQ(log.told(), (Told{{0, "unknown leadership_lost"},
                                {1, "unknown leadership_lost"},
                                {2, "applied re:2"},
                                {3, "applied re:3"},
                                {4, "applied re:4"},
                                {5, "applied re:5"}}));
}

TEST_F(PipelineEnds, hosts_that_die_again_and_again_make_nothing_happen_twice) {
    int taken = 0;
    for (FakeServer* server : {&h1, &h2}) apply_all(*server);
    // Dies after every twentieth command, which it did apply and does not answer.
    h1.host().port->on_submit = [this, taken](auto& s) mutable {
        if (++taken % 20 == 0) return h1.die_soon();
        s.done(applied(1, "re:" + s.command));
    };
    start();
    std::atomic<bool> over = false;
    std::thread nurse([&] {
        while (!over) {
            if (h1.connections() == 0) {
                h1.die();
                h1.start();
            }
            std::this_thread::yield();
        }
    });
    auto pipeline = open_pipeline(*client, log, {.window = 8, .timeout = 60s});
    for (std::uint64_t i = 0; i < 300; ++i) pipeline->submit(i, as_bytes(std::to_string(i)));
    pipeline->drain();
    over = true;
    nurse.join();
    std::map<std::string, int> seen;
    for (FakeServer* server : {&h1, &h2}) {
        for (const std::string& command : server->commands()) ++seen[command];
    }
    for (const auto& [command, times] : seen) EXPECT_EQ(times, 1) << command;
    EXPECT_EQ(log.size(), 300u);
    for (const auto& [correlation, text] : log.told()) {
        std::string command = std::to_string(correlation);
        bool known = text == "applied re:" + command || text == "unknown leadership_lost";
        EXPECT_TRUE(known) << command << ": " << text;
        EXPECT_TRUE(!text.starts_with("applied") || seen[command] == 1) << command;
    }
}

TEST_F(PipelineEnds, a_silent_host_is_given_up_after_the_timeout) {
    apply_all(h1);
    apply_all(h2);
    start();
    auto pipeline = open_pipeline(*client, log, {.timeout = 1s});
    pipeline->submit(0, as_bytes("connected"));
    pipeline->drain();
    h1.run([&] { h1.host().port->on_submit = nullptr; });
    pipeline->submit(1, as_bytes("lost"));
    pipeline->drain();
    EXPECT_EQ(log.told(), (Told{{0, "applied re:connected"}, {1, "unknown leadership_lost"}}));
    auto next = open_pipeline(*client, log, {.timeout = 60s});
    next->submit(2, as_bytes("next"));
    next->drain();
    EXPECT_EQ(log.told().back(), (Told::value_type{2, "applied re:next"}));
    EXPECT_EQ(h2.commands(), Strings{"next"});
}

TEST_F(PipelineEnds, what_no_host_takes_is_not_applied_after_the_timeout) {
    client = connect({.endpoints = {h1.address(), h2.address()}});
    auto pipeline = open_pipeline(*client, log, {.timeout = 300ms});
    for (std::uint64_t i = 0; i < 3; ++i) pipeline->submit(i, as_bytes("x"));
    pipeline->drain();
    EXPECT_EQ(log.size(), 3u);
    for (const auto& [correlation, text] : log.told()) {
        EXPECT_TRUE(text == "not_applied unreachable" || text == "not_applied deadline_exceeded")
            << text;
    }
}

TEST_F(PipelineEnds, without_time_nothing_is_sent) {
    apply_all(h1);
    start();
    for (Duration timeout : {Duration(0), Duration::min()}) {
        OutcomeLog said;
        auto pipeline = open_pipeline(*client, said, {.timeout = timeout});
        pipeline->submit(0, as_bytes("x"));
        pipeline->drain();
        EXPECT_EQ(said.told(), (Told{{0, "not_applied deadline_exceeded"}}));
    }
    EXPECT_EQ(h1.commands(), Strings{});
    auto pipeline = open_pipeline(*client, log, {.timeout = Duration::max()});
    pipeline->submit(0, as_bytes("x"));
    pipeline->drain();
    EXPECT_EQ(log.told(), (Told{{0, "applied re:x"}}));
}

TEST_F(PipelineEnds, a_group_that_is_not_there_ends_everything_at_once) {
    start();
    auto pipeline =
        client->group("nothing").pipeline({.on_outcomes = log.callback(), .timeout = 1h}).value();
    for (std::uint64_t i = 0; i < 3; ++i) pipeline->submit(i, as_bytes("x"));
    pipeline->drain();
    EXPECT_EQ(log.summary(), (std::map<std::string, int>{{"not_applied no_such_group", 3}}));
}

TEST_F(PipelineEnds, finds_the_group_that_was_created_anew_under_its_name) {
    apply_all(h1);
    start();
    auto pipeline = open_pipeline(*client, log, {.timeout = 60s});
    pipeline->submit(0, as_bytes("a"));
    pipeline->drain();
    h1.run([&] {
        refuse_all(h1, Errc::no_such_group);  // the port that the client holds
        h1.host().port = std::make_shared<FakePort>();
        apply_all(h1);
    });
    for (std::uint64_t i = 1; i < 3; ++i) {
        pipeline->submit(i, as_bytes("b"));
        pipeline->drain();
    }
    EXPECT_EQ(log.told(),
              (Told{{0, "applied re:a"}, {1, "not_applied no_such_group"}, {2, "applied re:b"}}));
}

TEST_F(PipelineEnds, moves_to_the_leader_once_all_is_answered) {
    apply_all(h1);
    apply_all(h2);
    h1.host().port->leading = "h2";
    h2.host().port->leading = "h2";
    start();
    auto pipeline = open_pipeline(*client, log, {.window = 16, .timeout = 60s});
    for (std::uint64_t i = 0; i < 1000; ++i) pipeline->submit(i, as_bytes(std::to_string(i)));
    pipeline->drain();
    Strings all = h1.commands();
    EXPECT_GE(all.size(), 1u);
    Strings later = h2.commands();
    EXPECT_GE(later.size(), 1u);
    all.insert(all.end(), later.begin(), later.end());
    ASSERT_EQ(all.size(), 1000u);
    for (std::uint64_t i = 0; i < 1000; ++i) {
        EXPECT_EQ(all[i], std::to_string(i)) << "the order holds across the move";
        EXPECT_EQ(log.told()[i].first, i);
    }
}

TEST_F(PipelineEnds, stays_where_it_is_while_the_leader_cannot_be_reached) {
    apply_all(h1);
    h1.host().port->leading = "h2";
    h1.start();  // h2 is not there for clients
    client = connect(h1);
    auto pipeline = open_pipeline(*client, log, {.window = 16, .timeout = 60s});
    for (std::uint64_t i = 0; i < 500; ++i) pipeline->submit(i, as_bytes("x"));
    pipeline->drain();
    EXPECT_EQ(log.summary(), (std::map<std::string, int>{{"applied re:x", 500}}));
}

TEST_F(PipelineEnds, its_destructor_ends_what_is_under_way_and_tells_nothing_afterwards) {
    h1.options().pipeline_commands = 2;
    start();
    auto pipeline = open_pipeline(*client, log, {.timeout = 1h});
    for (std::uint64_t i = 0; i < 5; ++i) pipeline->submit(i, as_bytes("x"));
    wait_for(h1, 2);
    pipeline.reset();
    EXPECT_EQ(log.told(), (Told{{0, "unknown cancelled"},
                                {1, "unknown cancelled"},
                                {2, "not_applied cancelled"},
                                {3, "not_applied cancelled"},
                                {4, "not_applied cancelled"}}));
    h1.run([&] {
        for (auto& one : h1.host().port->submitted) one.done(applied(1, "late"));
    });
    ASSERT_EQ(code_of(client->admin().server(20s).get()), "ok");
    EXPECT_EQ(log.size(), 5u);
}

TEST_F(PipelineEnds, its_destructor_ends_what_was_never_connected) {
    client = connect(h1);  // not there
    auto pipeline = open_pipeline(*client, log, {.timeout = 1h});
    for (std::uint64_t i = 0; i < 3; ++i) pipeline->submit(i, as_bytes("x"));
    pipeline.reset();
    EXPECT_EQ(log.summary(), (std::map<std::string, int>{{"not_applied cancelled", 3}}));
}

TEST_F(PipelineEnds, may_be_destroyed_on_the_clients_thread) {
    start();
    auto pipeline = open_pipeline(*client, log, {.timeout = 1h});
    pipeline->submit(0, as_bytes("x"));
    wait_for(h1, 1);
    std::promise<std::size_t> told;
    client->admin().server(20s).then([&](auto) {
        pipeline.reset();
        told.set_value(log.size());
    });
    EXPECT_EQ(told.get_future().get(), 1u);
}

TEST_F(PipelineEnds, its_client_may_end_first_and_then_everything_is_refused) {
    start();
    auto pipeline = open_pipeline(*client, log, {.window = 2, .timeout = 1h});
    pipeline->submit(0, as_bytes("x"));
    wait_for(h1, 1);
    client.reset();
    EXPECT_EQ(log.told(), (Told{{0, "unknown cancelled"}}));
    // More than the window: each gives its place back.
    for (std::uint64_t i = 1; i < 6; ++i) pipeline->submit(i, as_bytes("y"));
    pipeline->drain();
    EXPECT_EQ(log.size(), 6u);
    EXPECT_EQ(log.summary()["not_applied cancelled"], 5);
}

TEST_F(PipelineEnds, a_client_ends_with_commands_that_no_thread_has_looked_at) {
    for (int round = 0; round < 20; ++round) {
        OutcomeLog said;
        auto short_lived = connect(h1);
        auto pipeline = open_pipeline(*short_lived, said, {.timeout = 1h});
        for (std::uint64_t i = 0; i < 10; ++i) pipeline->submit(i, as_bytes("x"));
        short_lived.reset();
        EXPECT_EQ(said.summary(), (std::map<std::string, int>{{"not_applied cancelled", 10}}));
    }
}

TEST_F(PipelineEnds, many_that_come_and_go_share_one_connection) {
    apply_all(h1);
    h1.options().max_connections = 1;
    h1.start();
    client = connect(h1);
    for (std::uint64_t i = 0; i < 50; ++i) {
        auto pipeline = open_pipeline(*client, log, {.timeout = 60s});
        pipeline->submit(i, as_bytes("x"));
        pipeline->drain();
    }
    EXPECT_EQ(log.summary(), (std::map<std::string, int>{{"applied re:x", 50}}));
}

}  // namespace
}  // namespace quorate::testing
