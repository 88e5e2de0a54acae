#include "tests/client/fake_server.hpp"

namespace quorate::testing {

FakeServer::FakeServer(std::string name) : name_(std::move(name)), host_(name_) {
    options_.listen = port_.address();
    options_.software = "test";
    host_.known = {{name_, "", port_.address(), true}};
    std::promise<void> running;
    thread_ = std::thread([this, &running] {
        loop::EventLoop::Scope scope(loop_);
        running.set_value();
        scope.run();
        gateway_.reset();
    });
    running.get_future().wait();
}

FakeServer::~FakeServer() {
    loop_.stop();
    thread_.join();
}

void FakeServer::start() {
    run([this] {
        gateway_ = rpc::Gateway::open(loop_, options_).value();
        gateway_->start(host_);
    });
}

void FakeServer::die() {
    run([this] { gateway_.reset(); });
}

void FakeServer::die_soon() {
    post([this] { gateway_.reset(); });
}

std::vector<std::string> FakeServer::commands() {
    return run([this] {
        std::vector<std::string> list;
        for (const auto& submitted : host_.port->submitted) list.push_back(submitted.command);
        return list;
    });
}

std::size_t FakeServer::connections() {
    return run([this] { return gateway_ ? gateway_->connections() : 0; });
}

void apply_all(FakeServer& server) {
    server.host().port->on_submit = [index = std::uint64_t{0}](FakePort::Submitted& s) mutable {
        s.done(applied(++index, "re:" + s.command));
    };
}

void refuse_all(FakeServer& server, Errc code, const std::string& leader) {
    server.host().port->on_submit = [code, leader](FakePort::Submitted& s) {
        s.done(group::NotApplied{fail(code, "refused by the test"), leader});
    };
}

std::string say(const client::Outcome& outcome) {
    if (auto* applied = std::get_if<client::Applied>(&outcome))
        return "applied " + std::string(applied->reply.text());
    if (auto* refused = std::get_if<client::NotApplied>(&outcome))
        return "not_applied " + std::string(error_info(refused->error.code).name);
    return "unknown " + std::string(error_info(std::get<client::Unknown>(outcome).error.code).name);
}

std::unique_ptr<client::Client> connect(client::ClientOptions options) {
    return client::Client::connect(std::move(options)).value();
}

std::unique_ptr<client::Client> connect(const FakeServer& server) {
    return connect({.endpoints = {server.address()}});
}

void introduce(std::vector<FakeServer*> servers) {
    for (FakeServer* server : servers) {
        server->host().known.clear();
        for (FakeServer* other : servers) {
            server->host().known.push_back({other->name(), "", other->address(), true});
        }
    }
}

}  // namespace quorate::testing
