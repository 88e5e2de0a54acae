#include "tests/client/fake_server.hpp"

#include <atomic>

// A client and its groups may be used from any thread.
namespace quorate::testing {
namespace {

constexpr int threads = 4;
constexpr int rounds = 50;

class Threads : public ::testing::Test {
 protected:
    Threads() {
        introduce({&h1, &h2});
        for (FakeServer* server : {&h1, &h2}) {
            apply_all(*server);
            server->host().port->on_query = [](auto& asked) {
                asked.done(group::QueryAnswer{{}, Bytes::copy_of("read"), "h2"});
            };
            server->host().port->leading = "h2";
            server->start();
        }
        client = connect(h1);
    }
    static void on_all(const std::function<void(int)>& work) {
        std::vector<std::thread> running;
        for (int i = 0; i < threads; ++i) running.emplace_back(work, i);
        for (std::thread& thread : running) thread.join();
    }

    FakeServer h1{"h1"};
    FakeServer h2{"h2"};
    std::unique_ptr<client::Client> client;
};

TEST_F(Threads, share_a_client_and_a_group) {
    client::Group demo = client->group("demo");
    std::atomic<int> applied = 0;
    std::atomic<int> answered = 0;
    on_all([&](int) {
        client::Group copy = demo;
        for (int i = 0; i < rounds; ++i) {
            if (say(copy.submit(as_bytes("a"), 60s).get()).starts_with("applied")) ++applied;
            if (demo.query(client::ReadLevel::leader, as_bytes("q"), 60s).get().has_value())
                ++answered;
            if (client->admin().server(60s).get().has_value()) ++answered;
        }
    });
    EXPECT_EQ(applied, threads * rounds);
    EXPECT_EQ(answered, 2 * threads * rounds);
    EXPECT_EQ(h1.commands().size() + h2.commands().size(), std::size_t{threads * rounds});
}

TEST_F(Threads, have_pipelines_of_their_own) {
    std::atomic<int> applied = 0;
    on_all([&](int) {
        int mine = 0;
        auto pipeline = client->group("demo")
                            .pipeline({.on_outcomes =
                                           [&mine](std::span<client::PipelineOutcome> outcomes) {
                                               mine += static_cast<int>(outcomes.size());
                                           },
                                       .window = 7,
                                       .timeout = 60s})
                            .value();
        for (std::uint64_t i = 0; i < 10 * rounds; ++i) pipeline->submit(i, as_bytes("p"));
        pipeline->drain();
        applied += mine;
    });
    EXPECT_EQ(applied, 10 * threads * rounds);
}

TEST_F(Threads, may_still_submit_while_the_client_ends) {
    std::atomic<int> ended = 0;
    std::atomic<int> begun = 0;
    client::Group demo = client->group("demo");
    std::thread other([&] {
        for (int i = 0; i < 500; ++i) {
            demo.submit(as_bytes("a"), 60s).then([&ended](auto) { ++ended; });
            ++begun;
        }
    });
    while (begun < 50) std::this_thread::yield();
    client.reset();
    other.join();
    EXPECT_EQ(ended, 500);
}

}  // namespace
}  // namespace quorate::testing
