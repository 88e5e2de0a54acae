#include "tests/client/outcome_log.hpp"

#include <algorithm>
#include <atomic>
#include <random>
#include <set>

// Several clients on one thread.
namespace quorate::testing {
namespace {

class SharedThread : public ::testing::Test {
 protected:
    std::unique_ptr<client::Client> make() {
        return connect({.endpoints = {server.address()}, .io_thread = thread});
    }
    std::vector<std::unique_ptr<client::Client>> make(std::size_t count) {
        std::vector<std::unique_ptr<client::Client>> clients;
        for (std::size_t i = 0; i < count; ++i) clients.push_back(make());
        return clients;
    }
    static std::string submit(client::Client& client) {
        return say(client.group("demo").submit(as_bytes("c"), 60s).get());
    }

    FakeServer server;
    std::shared_ptr<client::IoThread> thread = client::IoThread::start();
};

TEST_F(SharedThread, runs_the_completions_of_all_its_clients) {
    apply_all(server);
    server.start();
    std::set<std::thread::id> ran_on;
    for (auto& client : make(5)) {
        std::promise<std::thread::id> promise;
        client->group("demo").submit(as_bytes("c"), 60s).then([&](client::Outcome) {
            promise.set_value(std::this_thread::get_id());
        });
        ran_on.insert(promise.get_future().get());
    }
    EXPECT_EQ(ran_on.size(), 1u);
    EXPECT_FALSE(ran_on.contains(std::this_thread::get_id()));
}

TEST_F(SharedThread, each_client_keeps_a_connection_of_its_own) {
    apply_all(server);
    server.start();
    auto clients = make(5);
    for (auto& client : clients) EXPECT_EQ(submit(*client), "applied re:c");
    EXPECT_EQ(server.connections(), 5u);
    clients.resize(2);
    while (server.connections() != 2) std::this_thread::yield();
    for (auto& client : clients) EXPECT_EQ(submit(*client), "applied re:c");
}

// The server answers nothing, so whatever was begun is under way when its client goes.
TEST_F(SharedThread, clients_end_in_any_order_with_requests_under_way) {
    server.start();
    unsigned seed = std::random_device()();
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    auto clients = make(12);
    std::atomic<int> cancelled = 0;
    OutcomeLog log;
    std::vector<std::unique_ptr<client::Pipeline>> pipelines;
    for (auto& client : clients) {
        pipelines.push_back(open_pipeline(*client, log, {.timeout = 1h}));
        pipelines.back()->submit(0, as_bytes("p"));
        client->group("demo").submit(as_bytes("s"), 1h).then([&](const client::Outcome& outcome) {
            if (say(outcome) == "unknown cancelled") ++cancelled;
        });
        client->group("demo")
            .query(client::ReadLevel::leader, as_bytes("q"), 1h)
            .then([&](const Result<client::Answer>& answer) {
                if (code_of(answer) == "cancelled") ++cancelled;
            });
    }
    while (server.commands().size() < 2 * clients.size()) std::this_thread::yield();
    std::ranges::shuffle(clients, random);
    for (int left = 12; left > 0; --left) {
        clients.pop_back();
        EXPECT_EQ(cancelled, 2 * (13 - left)) << "before the destructor returned, and no other's";
        EXPECT_EQ(log.size(), static_cast<std::size_t>(13 - left));
    }
}

TEST_F(SharedThread, clients_come_and_go_while_others_work) {
    apply_all(server);
    server.start();
    auto lasting = make();
    OutcomeLog log;
    auto pipeline = open_pipeline(*lasting, log, {.timeout = 1h});
    for (std::uint64_t i = 0; i < 30; ++i) {
        auto passing = make();
        passing->group("demo").submit(as_bytes("c"), 60s).then([](auto) {});
        if (i % 3 == 0) {
            EXPECT_EQ(submit(*passing), "applied re:c");
        }
        pipeline->submit(i, as_bytes("p"));
    }
    pipeline->drain();
    EXPECT_EQ(log.summary(), (std::map<std::string, int>{{"applied re:p", 30}}));
}

TEST_F(SharedThread, lives_as_long_as_a_client_holds_it) {
    apply_all(server);
    server.start();
    auto first = make();
    auto second = make();
    std::weak_ptr<client::IoThread> watched = thread;
    thread.reset();
    first.reset();
    EXPECT_EQ(submit(*second), "applied re:c");
    client::Group group = second->group("demo");
    second.reset();
    EXPECT_TRUE(watched.expired());
    EXPECT_EQ(say(group.submit(as_bytes("c"), 60s).get()), "unknown cancelled");
    EXPECT_EQ(code_of(group.query(client::ReadLevel::local, as_bytes("q"), 60s).get()),
              "cancelled");
}

TEST_F(SharedThread, a_client_may_be_made_by_a_completion_on_it) {
    apply_all(server);
    server.start();
    auto first = make();
    std::promise<std::unique_ptr<client::Client>> promise;
    first->group("demo").submit(as_bytes("c"), 60s).then([&](client::Outcome) {
        promise.set_value(make());
    });
    auto second = promise.get_future().get();
    EXPECT_EQ(submit(*second), "applied re:c");
}

TEST_F(SharedThread, a_client_that_no_host_answers_ends_without_waiting) {
    auto client = make();  // the server was never started
    std::promise<std::string> end;
    client->group("demo").submit(as_bytes("c"), 1h).then([&](const client::Outcome& outcome) {
        end.set_value(say(outcome));
    });
    client.reset();
    EXPECT_EQ(end.get_future().get(), "unknown cancelled");
}

// Waiting there for itself would be for ever: it is refused in words instead.
TEST(SharedThreadDeath, a_client_is_not_destroyed_by_a_completion) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    auto destroy_itself = [] {
        FakeServer server;
        apply_all(server);
        server.start();
        auto client = connect(server);
        std::promise<void> never;
        client->group("demo").submit(as_bytes("c"), 60s).then([&](client::Outcome) {
            client.reset();
            never.set_value();
        });
        never.get_future().wait();
    };
    EXPECT_DEATH(destroy_itself(), "may not be destroyed on a client's thread");
}

}  // namespace
}  // namespace quorate::testing
