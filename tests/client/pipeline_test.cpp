#include "tests/client/outcome_log.hpp"

#include <atomic>

// Pipelines on a connection that lives: batches, windows, credit, order.
namespace quorate::testing {
namespace {

using Strings = std::vector<std::string>;

class PipelineFlow : public ::testing::Test {
 protected:
    void start() {
        server.start();
        client = connect(server);
    }
    std::unique_ptr<client::Pipeline> open(client::PipelineOptions options = {}) {
        if (options.timeout == client::PipelineOptions{}.timeout) options.timeout = 60s;
        return open_pipeline(*client, log, std::move(options));
    }
    // Answers, on the server's thread, everything that has reached it.
    void answer_all() {
        server.run([this] {
            for (auto& one : std::exchange(server.host().port->submitted, {}))
                one.done(applied(1, one.command));
        });
    }

    FakeServer server;
    OutcomeLog log;
    std::unique_ptr<client::Client> client;
};

TEST_F(PipelineFlow, ends_every_command_once_and_keeps_the_order) {
    apply_all(server);
    start();
    auto pipeline = open();
    constexpr std::uint64_t count = 5000;
    for (std::uint64_t i = 0; i < count; ++i) pipeline->submit(7 * i, as_bytes(std::to_string(i)));
    pipeline->drain();
    OutcomeLog::Told told = log.told();
    ASSERT_EQ(told.size(), count);
    for (std::uint64_t i = 0; i < count; ++i) {
        EXPECT_EQ(told[i].first, 7 * i);
        EXPECT_EQ(told[i].second, "applied re:" + std::to_string(i));
    }
}

TEST_F(PipelineFlow, correlations_are_the_callers_own_and_may_repeat) {
    apply_all(server);
    start();
    auto pipeline = open();
    for (int i = 0; i < 3; ++i) pipeline->submit(~0ull, as_bytes("x"));
    pipeline->drain();
    EXPECT_EQ(log.told(), (OutcomeLog::Told(3, {~0ull, "applied re:x"})));
}

TEST_F(PipelineFlow, tells_each_end_of_its_own_command) {
    server.host().port->on_submit = [](auto& s) {
        if (s.command == "no") return s.done(group::NotApplied{fail(Errc::overloaded, ""), ""});
        if (s.command == "maybe") return s.done(group::Unknown{fail(Errc::leadership_lost, "")});
        s.done(applied(1, s.command));
    };
    start();
    auto pipeline = open();
    pipeline->submit(1, as_bytes("a"));
    pipeline->submit(2, as_bytes("no"));
    pipeline->submit(3, as_bytes("maybe"));
    pipeline->submit(4, as_bytes("b"));
    pipeline->drain();
    EXPECT_EQ(log.told(), (OutcomeLog::Told{{1, "applied a"},
                                            {2, "not_applied overloaded"},
                                            {3, "unknown leadership_lost"},
                                            {4, "applied b"}}));
    EXPECT_EQ(server.commands(), (Strings{"a", "no", "maybe", "b"})) << "nothing is repeated";
}

TEST_F(PipelineFlow, outcomes_that_come_out_of_order_find_their_commands) {
    start();
    auto pipeline = open();
    for (std::uint64_t i = 0; i < 4; ++i) pipeline->submit(i, as_bytes(std::to_string(i)));
    while (server.commands().size() < 4) std::this_thread::yield();
    std::size_t answered = 0;
    for (std::size_t at : {2u, 0u, 3u, 1u}) {
        server.run([&] { server.host().port->submitted[at].done(applied(1, "")); });
        log.wait_for(++answered);
    }
    pipeline->drain();
    std::vector<std::uint64_t> order;
    for (const auto& [correlation, text] : log.told()) order.push_back(correlation);
    EXPECT_EQ(order, (std::vector<std::uint64_t>{2, 0, 3, 1}));
}

TEST_F(PipelineFlow, takes_no_more_than_its_window) {
    start();
    auto pipeline = open({.window = 3});
    for (std::uint64_t i = 0; i < 3; ++i) EXPECT_TRUE(pipeline->try_submit(i, as_bytes("x")));
    EXPECT_FALSE(pipeline->try_submit(3, as_bytes("x")));
    while (server.commands().size() < 3) std::this_thread::yield();
    EXPECT_FALSE(pipeline->try_submit(3, as_bytes("x"))) << "sent is not answered";
    answer_all();
    pipeline->drain();
    EXPECT_TRUE(pipeline->try_submit(3, as_bytes("x")));
    answer_all();
}

TEST_F(PipelineFlow, takes_no_more_bytes_than_its_window_but_always_one_command) {
    start();
    auto pipeline = open({.window_bytes = 1000});
    std::string larger(5000, 'x');
    EXPECT_TRUE(pipeline->try_submit(0, as_bytes(larger)));
    EXPECT_FALSE(pipeline->try_submit(1, as_bytes("x")));
    while (server.commands().empty()) std::this_thread::yield();
    answer_all();
    pipeline->drain();
    std::string half(500, 'x');
    EXPECT_TRUE(pipeline->try_submit(1, as_bytes(half)));
    EXPECT_TRUE(pipeline->try_submit(2, as_bytes(half)));
    EXPECT_FALSE(pipeline->try_submit(3, as_bytes("x")));
}

TEST_F(PipelineFlow, submit_waits_while_the_window_is_full) {
    start();
    auto pipeline = open({.window = 2});
    std::atomic<int> submitted = 0;
    std::thread writer([&] {
        for (std::uint64_t i = 0; i < 6; ++i) {
            pipeline->submit(i, as_bytes("x"));
            ++submitted;
        }
        pipeline->drain();
    });
    for (std::size_t answered = 0; answered < 6; answered += 2) {
        while (server.commands().size() < 2) std::this_thread::yield();
        EXPECT_LE(submitted, static_cast<int>(answered) + 2);
        answer_all();
        log.wait_for(answered + 2);
    }
    writer.join();
    EXPECT_EQ(log.summary(), (std::map<std::string, int>{{"applied x", 6}}));
}

TEST_F(PipelineFlow, keeps_to_the_hosts_credit_though_its_own_window_is_larger) {
    server.options().pipeline_commands = 4;
    server.options().pipeline_bytes = 100;
    start();
    auto pipeline = open({.window = 64});
    std::thread host([this] {
        while (log.size() < 500) answer_all();
    });
    for (std::uint64_t i = 0; i < 500; ++i) pipeline->submit(i, as_bytes(std::string(i % 50, 'c')));
    pipeline->drain();
    host.join();
    for (const auto& [correlation, text] : log.told())
        EXPECT_TRUE(text.starts_with("applied")) << correlation << " " << text;
}

TEST_F(PipelineFlow, a_command_beyond_all_credit_is_refused_by_the_host_and_the_rest_goes_on) {
    server.options().pipeline_bytes = 100;
    apply_all(server);
    start();
    auto pipeline = open();
    pipeline->submit(0, as_bytes("a"));
    pipeline->submit(1, as_bytes(std::string(200, 'x')));
    pipeline->submit(2, as_bytes("b"));
    pipeline->drain();
    auto said = log.summary();
    EXPECT_EQ(said["not_applied overloaded"], 1);
    EXPECT_EQ(said["applied re:a"], 1);
    EXPECT_EQ(said["applied re:b"], 1);
}

TEST_F(PipelineFlow, a_command_that_fits_no_message_is_refused_here_and_the_rest_goes_on) {
    apply_all(server);
    server.start();
    client = connect({.endpoints = {server.address()}, .max_message_bytes = 10'000});
    auto pipeline = open();
    pipeline->submit(0, as_bytes("a"));
    pipeline->submit(1, as_bytes(std::string(10'000, 'x')));
    pipeline->submit(2, as_bytes("b"));
    pipeline->drain();
    EXPECT_EQ(log.size(), 3u);
    EXPECT_EQ(log.summary()["not_applied command_too_large"], 1);
    EXPECT_EQ(server.commands(), (Strings{"a", "b"}));
}

TEST_F(PipelineFlow, may_be_fed_from_its_own_outcomes) {
    apply_all(server);
    start();
    std::promise<void> done;
    std::atomic<std::uint64_t> told = 0;
    client::Pipeline* feed = nullptr;
    auto pipeline = client->group("demo")
                        .pipeline({.on_outcomes =
                                       [&](std::span<client::PipelineOutcome> outcomes) {
                                           told += outcomes.size();
                                           if (told == 100) return done.set_value();
                                           EXPECT_TRUE(feed->try_submit(told, as_bytes("x")));
                                       },
                                   .timeout = 60s})
                        .value();
    feed = pipeline.get();
    pipeline->submit(0, as_bytes("x"));
    done.get_future().wait();
    EXPECT_EQ(server.commands().size(), 100u);
}

TEST_F(PipelineFlow, waiting_on_the_clients_thread_is_refused_rather_than_for_ever) {
    apply_all(server);
    start();
    auto pipeline = open();
    std::promise<int> refused;
    client->group("demo").submit(as_bytes("a"), 60s).then([&](client::Outcome) {
        int count = 0;
        for (auto wait : {+[](client::Pipeline& p) { p.submit(0, as_bytes("x")); },
                          +[](client::Pipeline& p) { p.drain(); }}) {
            try {
                wait(*pipeline);
            } catch (const BrokenInvariant&) {
                ++count;
            }
        }
        refused.set_value(count);
    });
    EXPECT_EQ(refused.get_future().get(), 2);
}

TEST_F(PipelineFlow, needs_a_window_and_somebody_to_tell) {
    start();
    auto demo = client->group("demo");
    auto tell = [](std::span<client::PipelineOutcome>) {};
    EXPECT_EQ(code_of(demo.pipeline({})), "request_invalid");
    EXPECT_EQ(code_of(demo.pipeline({.on_outcomes = tell, .window = 0})), "request_invalid");
    EXPECT_EQ(code_of(demo.pipeline({.on_outcomes = tell, .window_bytes = 0})), "request_invalid");
}

}  // namespace
}  // namespace quorate::testing
