#pragma once

#include "rpc/client/client.hpp"
#include "rpc/gateway.hpp"
#include "rpc/loop/event_loop.hpp"
#include "tests/rpc/fake_host.hpp"
#include "tests/support/process.hpp"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace quorate::testing {

// One host as a client sees it: the real gateway over a fake host, on a thread of its own and on a
// port that stays the same. What a test wants of it (`host().port->on_submit = ...`) it sets before
// start() or within run(); handlers run on the server's thread.
class FakeServer {
 public:
    explicit FakeServer(std::string name = "h1");
    ~FakeServer();
    FakeServer(const FakeServer&) = delete;
    FakeServer& operator=(const FakeServer&) = delete;

    const std::string& name() const { return name_; }
    std::string address() const { return port_.address(); }
    FakeHost& host() { return host_; }
    rpc::GatewayOptions& options() { return options_; }

    void start();
    // As kill -9 does it: the port and every connection are gone when it returns. Thread: not the
    // server's.
    void die();
    // The same from within a handler, once that has returned.
    void die_soon();

    // Runs it on the server's thread, and gives what it gives.
    template <class Use>
    auto run(Use use) {
        std::promise<std::invoke_result_t<Use>> promise;
        auto future = promise.get_future();
        loop_.post([&promise, &use] {
            if constexpr (std::is_void_v<std::invoke_result_t<Use>>) {
                use();
                promise.set_value();
            } else {
                promise.set_value(use());
            }
        });
        return future.get();
    }
    // Later, on the server's thread.
    void post(Task task) { loop_.post(std::move(task)); }
    loop::EventLoop& loop() { return loop_; }

    // Commands that reached it, in order. Thread: not the server's.
    std::vector<std::string> commands();
    std::size_t connections();

 private:
    const std::string name_;
    ReservedPort port_;
    rpc::GatewayOptions options_;
    FakeHost host_;
    loop::EventLoop loop_;
    std::unique_ptr<rpc::Gateway> gateway_;
    std::thread thread_;
};

// What a host answers, on its thread.
inline group::Outcome applied(std::uint64_t index, const std::string& reply) {
    return group::Applied{{Term(1), Index(index)}, Bytes::copy_of(reply)};
}
// To every command, with "re:<command>" at the next index.
void apply_all(FakeServer& server);
// To every command: not applied, with this code and this hint.
void refuse_all(FakeServer& server, Errc code, const std::string& leader = {});

// "applied <reply>", "not_applied <code's name>", "unknown <code's name>"
std::string say(const client::Outcome& outcome);
template <class T>
std::string code_of(const Result<T>& result) {
    return result.has_value() ? "ok" : std::string(error_info(result.error().code).name);
}

std::unique_ptr<client::Client> connect(client::ClientOptions options);
std::unique_ptr<client::Client> connect(const FakeServer& server);
// Several servers that know of each other.
void introduce(std::vector<FakeServer*> servers);

}  // namespace quorate::testing
