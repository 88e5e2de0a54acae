#include "rpc/loop/tcp.hpp"
#include "tests/client/fake_server.hpp"

// Which host is asked: several endpoints, some of which are dead, silent, strangers, or ask for a
// token.
namespace quorate::testing {
namespace {

using Strings = std::vector<std::string>;

// Takes connections, says whatever it is told to say, and reads nothing.
class Stranger {
 public:
    explicit Stranger(std::string says) {
        thread_ = std::thread([this, says] {
            loop::EventLoop::Scope scope(loop_);
            auto listener = loop::Listener::open(loop_, port_.address(), [&](auto connection) {
                                ByteView bytes = as_bytes(says);
                                connection->send_copy({&bytes, 1});
                                connections_.push_back(std::move(connection));
                            }).value();
            listening_.set_value();
            scope.run();
            connections_.clear();
        });
        listening_.get_future().wait();
    }
    ~Stranger() {
        loop_.stop();
        thread_.join();
    }
    std::string address() const { return port_.address(); }

 private:
    ReservedPort port_;
    loop::EventLoop loop_;
    std::promise<void> listening_;
    std::vector<std::unique_ptr<loop::Connection>> connections_;
    std::thread thread_;
};

class Endpoints : public ::testing::Test {
 protected:
    Endpoints() {
        introduce({&h1, &h2});
        apply_all(h1);
        apply_all(h2);
    }
    static std::string submit(client::Client& client, Duration timeout = 20s) {
        return say(client.group("demo").submit(as_bytes("a"), timeout).get());
    }

    FakeServer h1{"h1"};
    FakeServer h2{"h2"};
};

TEST_F(Endpoints, must_be_there_and_be_addresses) {
    EXPECT_EQ(code_of(client::Client::connect({})), "request_invalid");
    EXPECT_EQ(code_of(client::Client::connect({.endpoints = {"127.0.0.1:1", "nonsense"}})),
              "address_invalid");
}

TEST_F(Endpoints, are_tried_in_turn_until_one_answers) {
    ReservedPort nobody;
    h2.start();
    auto client = connect({.endpoints = {nobody.address(), h1.address(), h2.address()}});
    EXPECT_EQ(submit(*client), "applied re:a");
    EXPECT_EQ(client->admin().server(20s).get().value().endpoint, h2.address());
}

TEST_F(Endpoints, are_learnt_from_the_host_that_answers) {
    h1.start();
    h2.start();
    auto client = connect(h1);
    ASSERT_EQ(submit(*client), "applied re:a");
    h1.die();
    while (submit(*client) != "applied re:a") {
    }
    EXPECT_EQ(client->admin().server(20s).get().value().endpoint, h2.address());
}

TEST_F(Endpoints, one_connection_serves_many_operations_that_begin_together) {
    std::atomic<int> taken = 0;
    h1.host().port->on_submit = [&taken](auto& s) {
        ++taken;
        s.done(applied(1, ""));
    };
    // More than one at a time would be turned away, and their commands unknown.
    h1.options().max_connections = 1;
    h1.start();
    auto client = connect(h1);
    std::vector<std::future<client::Outcome>> outcomes;
    for (int i = 0; i < 200; ++i) {
        outcomes.push_back(client->group("demo").submit(as_bytes("a"), 60s).future());
    }
    for (auto& outcome : outcomes) EXPECT_EQ(say(outcome.get()), "applied ");
    EXPECT_EQ(taken, 200);
    EXPECT_EQ(h1.connections(), 1u);
}

TEST_F(Endpoints, one_that_accepts_and_says_nothing_is_left_for_the_next) {
    Stranger silent("");
    h1.start();
    auto client =
        connect({.endpoints = {silent.address(), h1.address()}, .connect_timeout = 200ms});
    EXPECT_EQ(submit(*client), "applied re:a");
}

TEST_F(Endpoints, one_that_answers_garbage_is_left_for_the_next) {
    h1.start();
    for (const std::string& garbage :
         {std::string("\xff\xff\xff\xff\xff\xff\xff\xff"),
          std::string("HTTP/1.1 400 Bad Request\r\n\r\n"), std::string(65536, '\0'),
          std::string("\0\0\0\0\2\0\0\0", 8) + std::string(16, '\xfe')}) {
        Stranger stranger(garbage);
        auto client =
            connect({.endpoints = {stranger.address(), h1.address()}, .connect_timeout = 500ms});
        EXPECT_EQ(submit(*client), "applied re:a");
        auto lost = connect({.endpoints = {stranger.address()}, .connect_timeout = 100ms});
        EXPECT_TRUE(submit(*lost, 300ms).starts_with("not_applied "));
    }
}

TEST_F(Endpoints, the_token_is_brought_and_a_wrong_one_is_told_at_once) {
    h1.options().token = "battery-staple";
    h1.start();
    auto with = connect({.endpoints = {h1.address()}, .token = "battery-staple"});
    EXPECT_EQ(submit(*with), "applied re:a");
    for (const char* token : {"", "battery"}) {
        auto without = connect({.endpoints = {h1.address()}, .token = token});
        auto outcome = without->group("demo").submit(as_bytes("a"), 1h).get();
        ASSERT_EQ(say(outcome), "not_applied access_denied");
        Error error = std::get<client::NotApplied>(outcome).error;
        EXPECT_NE(error.advice().find("ClientOptions.token"), std::string::npos);
        EXPECT_NE(error.what.find(h1.address()), std::string::npos) << error.what;
    }
    EXPECT_EQ(h1.commands(), Strings{"a"});
}

TEST_F(Endpoints, a_host_that_refuses_the_token_does_not_stand_in_the_way_of_one_that_does_not) {
    h1.options().token = "battery-staple";
    h1.start();
    h2.start();
    auto client = connect({.endpoints = {h1.address(), h2.address()}});
    EXPECT_EQ(submit(*client), "applied re:a");
    EXPECT_EQ(h2.commands(), Strings{"a"});
}

TEST_F(Endpoints, a_host_of_another_cluster_is_not_talked_to) {
    h2.host().cluster_name = "elsewhere";
    h1.start();
    h2.start();
    auto client = connect({.endpoints = {h1.address(), h2.address()}});
    ASSERT_EQ(submit(*client), "applied re:a");
    h1.die();
    std::string end;
    do {
        end = submit(*client, 1s);
    } while (end == "unknown leadership_lost");
    EXPECT_EQ(end, "not_applied cluster_mismatch");
    EXPECT_EQ(h2.commands(), Strings{});
}

TEST_F(Endpoints, a_host_that_comes_back_is_found_again) {
    h1.start();
    auto client = connect(h1);
    ASSERT_EQ(submit(*client), "applied re:a");
    for (int i = 0; i < 3; ++i) {
        h1.die();
        h1.start();
        while (submit(*client) != "applied re:a") {
        }
    }
}

}  // namespace
}  // namespace quorate::testing
