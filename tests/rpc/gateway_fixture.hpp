#pragma once

#include "rpc/gateway.hpp"
#include "rpc/loop/rpc_connection.hpp"
#include "tests/rpc/fake_host.hpp"
#include "tests/rpc/loop_fixture.hpp"

#include <kj/async.h>

#include <rpc/schema/client.capnp.h>

namespace quorate::testing {

// A client's end of a conversation with the gateway.
struct TestClient {
    std::unique_ptr<loop::RpcConnection> rpc;
    loop::Connection* connection = nullptr;  // beneath it
    schema::Gate::Client gate = nullptr;
    bool gone = false;
};

class GatewayTest : public LoopTest {
 protected:
    void SetUp() override {
        options.listen = "127.0.0.1:0";
        options.software = "test";
    }
    void serve() {
        auto opened = rpc::Gateway::open(loop, options);
        ASSERT_TRUE(opened.has_value()) << to_string(opened.error());
        gateway = std::move(*opened);
        gateway->start(host);
    }

    std::unique_ptr<TestClient> connect() {
        auto client = std::make_unique<TestClient>();
        std::unique_ptr<loop::Connection> connection;
        loop::Connector connector(loop, gateway->address(), 5s,
                                  [&](auto result) { connection = std::move(*result); });
        EXPECT_TRUE(eventually([&] { return connection != nullptr; }));
        client->connection = connection.get();
        client->rpc =
            std::make_unique<loop::RpcConnection>(std::move(connection), loop::RpcOptions{});
        client->rpc->on_disconnect([raw = client.get()](const Error&) { raw->gone = true; });
        client->gate = client->rpc->bootstrap().castAs<schema::Gate>();
        return client;
    }

    // Promises are waited for with a time limit: a lost answer fails the test instead of hanging it.
    template <class Promise>
    auto got(Promise promise) {
        bool settled = false;
        auto watched = promise
                           .then(
                               [&settled](auto&& value) {
                                   settled = true;
                                   return kj::mv(value);
                               },
                               [&settled](kj::Exception&& e) -> decltype(promise.wait(scope.kj())) {
                                   settled = true;
                                   kj::throwFatalException(kj::mv(e));
                               })
                           .eagerlyEvaluate(nullptr);
        if (!eventually([&] { return settled; })) throw std::runtime_error("no answer");
        return watched.wait(scope.kj());
    }

    schema::Host::Client login(TestClient& client) {
        return got(client.gate.loginRequest().send()).getHost();
    }
    schema::Group::Client demo(TestClient& client) {
        auto request = login(client).groupRequest();
        request.setName("demo");
        request.setTimeoutMs(1000);
        return got(request.send()).getGroup();
    }
    schema::Admin::Client admin(TestClient& client) {
        return got(login(client).adminRequest().send()).getAdmin();
    }

    static group::Outcome applied(std::uint64_t index, const std::string& reply) {
        return group::Applied{{Term(1), Index(index)}, Bytes::copy_of(reply)};
    }

    rpc::GatewayOptions options;
    FakeHost host;
    std::unique_ptr<rpc::Gateway> gateway;
};

inline capnp::Data::Reader to_data(const std::string& text) {
    return {reinterpret_cast<const kj::byte*>(text.data()), text.size()};
}
inline std::string to_text(capnp::Data::Reader data) {
    return {reinterpret_cast<const char*>(data.begin()), data.size()};
}

}  // namespace quorate::testing
