#include "rpc/loop/rpc_connection.hpp"

#include "tests/rpc/loop_fixture.hpp"
#include "tests/rpc/raw_socket.hpp"

#include <rpc/schema/client.capnp.h>

namespace quorate::testing {
namespace {

using loop::RpcConnection;
using loop::RpcOptions;

// Answers hello with as many bytes as the client's protocol number asks for.
class Echo final : public schema::Gate::Server {
 public:
    kj::Promise<void> hello(HelloContext context) override {
        std::string text(context.getParams().getProtocol(), 'e');
        context.getResults().setSoftware(text);
        ++calls;
        return kj::READY_NOW;
    }
    int calls = 0;
};

class RpcConnectionTest : public ConnectionTest {
 protected:
    void SetUp() override {
        listen();
        options.stream.congested_bytes = 1 << 20;
    }

    std::unique_ptr<RpcConnection> serve_next() {
        auto echo = kj::heap<Echo>();
        server = echo.get();
        return std::make_unique<RpcConnection>(std::move(accepted.back()), kj::mv(echo), options);
    }

    RpcOptions options;
    Echo* server = nullptr;
};

TEST_F(RpcConnectionTest, calls_go_there_and_answers_come_back) {
    auto client_end = dial();
    auto serving = serve_next();
    RpcConnection client(std::move(client_end), RpcOptions{});
    auto gate = client.bootstrap().castAs<schema::Gate>();
    for (std::uint32_t size : {0u, 10u, 10'000u, 3'000'000u}) {
        auto request = gate.helloRequest();
        request.setProtocol(size);
        EXPECT_EQ(request.send().wait(scope.kj()).getSoftware().size(), size);
    }
}

TEST_F(RpcConnectionTest, many_calls_may_be_outstanding) {
    auto client_end = dial();
    auto serving = serve_next();
    RpcConnection client(std::move(client_end), RpcOptions{});
    auto gate = client.bootstrap().castAs<schema::Gate>();
    int answered = 0;
    kj::Vector<kj::Promise<void>> waiting;
    for (std::uint32_t i = 0; i < 1000; ++i) {
        auto request = gate.helloRequest();
        request.setProtocol(i);
        waiting.add(request.send().then([&answered, i](auto&& answer) {
            EXPECT_EQ(answer.getSoftware().size(), i);
            ++answered;
        }));
    }
    kj::joinPromises(waiting.releaseAsArray()).wait(scope.kj());
    EXPECT_EQ(answered, 1000);
}

TEST_F(RpcConnectionTest, the_end_of_the_other_side_is_told_and_fails_calls) {
    auto client_end = dial();
    auto serving = serve_next();
    auto client = std::make_unique<RpcConnection>(std::move(client_end), RpcOptions{});
    std::optional<Error> told;
    client->on_disconnect([&](const Error& why) {
        told = why;
        client.reset();
    });
    auto gate = client->bootstrap().castAs<schema::Gate>();
    gate.helloRequest().send().wait(scope.kj());
    serving.reset();
    ASSERT_TRUE(eventually([&] { return told.has_value(); }));
    EXPECT_EQ(told->code, Errc::unreachable);
    EXPECT_ANY_THROW(gate.helloRequest().send().wait(scope.kj()));
}

TEST_F(RpcConnectionTest, well_framed_garbage_ends_its_own_conversation) {
    RawSocket attacker(listener->local().port);
    ASSERT_TRUE(eventually([&] { return !accepted.empty(); }));
    auto attacked = serve_next();
    bool ended = false;
    attacked->on_disconnect([&](const Error&) {
        ended = true;
        attacked.reset();
    });
    attacker.send(make_frame(std::string(400, '\x7f')));
    ASSERT_TRUE(eventually([&] { return ended; }));
    ASSERT_TRUE(eventually([&] { return attacker.closed_by_other_side(); }));

    auto client_end = dial();
    auto serving = serve_next();
    RpcConnection client(std::move(client_end), RpcOptions{});
    client.bootstrap().castAs<schema::Gate>().helloRequest().send().wait(scope.kj());
    EXPECT_EQ(server->calls, 1);
}

TEST_F(RpcConnectionTest, who_does_not_read_answers_is_not_asked_for_more_calls) {
    auto client_end = dial();
    auto serving = serve_next();
    loop::Connection* raw = client_end.get();
    RpcConnection client(std::move(client_end), RpcOptions{});
    auto gate = client.bootstrap().castAs<schema::Gate>();
    gate.helloRequest().send().wait(scope.kj());
    raw->pause();
    kj::Vector<kj::Promise<void>> waiting;
    for (int i = 0; i < 200; ++i) {
        auto request = gate.helloRequest();
        request.setProtocol(1 << 20);
        waiting.add(request.send().ignoreResult());
    }
    EXPECT_FALSE(eventually([&] { return server->calls > 150; }, 100ms));
    raw->resume();
    kj::joinPromises(waiting.releaseAsArray()).wait(scope.kj());
    EXPECT_EQ(server->calls, 201);
}

}  // namespace
}  // namespace quorate::testing
