#pragma once

#include "host/group/service.hpp"
#include "rpc/gateway.hpp"
#include "rpc/values.hpp"

#include <kj/async.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

// What the capabilities of one client share. Private to the gateway.
namespace quorate::rpc {

// What a call, and a command of a pipeline, costs while it is under way, beside the bytes that it
// carries.
inline constexpr std::uint64_t call_bytes = 1024;
inline constexpr std::uint64_t pipelined_bytes = 256;

// One client's connection. Thread: the loop's.
struct GatewayClient {
    loop::EventLoop& loop;
    group::HostService& service;
    const GatewayOptions& options;
    std::function<void(std::string_view why)> hang_up;  // ends the connection, later
    std::uint64_t inflight_bytes = 0;                   // taken and not answered
    std::uint64_t outcome_bytes = 0;  // of its pipelines, not yet pushed to their sinks
    std::uint32_t capabilities = 0;   // that it holds of us
    bool logged_in = false;

    Time deadline(std::uint32_t timeout_ms) const {
        return loop.now() +
               std::min<Duration>(std::chrono::milliseconds(timeout_ms), options.max_timeout);
    }
    // False: too much is in flight.
    bool take(std::uint64_t bytes) {
        bool full = inflight_bytes + bytes > options.max_inflight_bytes;
        if (full && inflight_bytes != 0) return false;
        inflight_bytes += bytes;
        return true;
    }
};
using GatewayClientPtr = std::shared_ptr<GatewayClient>;

Error overloaded(const GatewayClient& client);

// One capability that the client holds: who only asks for more and never lets go of any is hung up
// on.
class Held {
 public:
    explicit Held(GatewayClientPtr client) : client_(std::move(client)) {
        if (++client_->capabilities > client_->options.max_capabilities)
            client_->hang_up("it holds too many capabilities");
    }
    ~Held() { --client_->capabilities; }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;

 private:
    GatewayClientPtr client_;
};

// `done`, which first gives back what was taken: also if nobody waits for the answer any more.
template <class Value>
std::function<void(Value)> giving_back(GatewayClientPtr client, std::uint64_t bytes,
                                       std::function<void(Value)> done) {
    return [client = std::move(client), bytes, done = std::move(done)](Value value) {
        client->inflight_bytes -= bytes;
        done(std::move(value));
    };
}

// A promise and the function that fulfils it. The function owns no KJ object: it may be called
// late, when the call was cancelled and the connection is gone, or never.
template <class Value>
struct Awaited {
    kj::Promise<Value> promise;
    std::function<void(Value)> done;
};

template <class Value>
Awaited<Value> await() {
    struct Slot {
        kj::Maybe<kj::Own<kj::PromiseFulfiller<Value>>> fulfiller;
    };
    auto slot = std::make_shared<Slot>();
    auto pair = kj::newPromiseAndFulfiller<Value>();
    slot->fulfiller = kj::mv(pair.fulfiller);
    // Runs when the promise is done with, or dropped: the fulfiller goes with it.
    auto let_go = kj::defer([slot] { slot->fulfiller = nullptr; });
    return {pair.promise.attach(kj::mv(let_go)), [slot](Value value) {
                KJ_IF_MAYBE (fulfiller, slot->fulfiller) (*fulfiller)->fulfill(kj::mv(value));
            }};
}

// Texts and enumerators that a client sent, or what is wrong with them.
template <class Decode>
auto checked(Decode decode) -> Result<decltype(decode())> {
    try {
        return decode();
    } catch (const Refused& refused) {
        return fail(Errc::request_invalid, std::string("the request holds ") + refused.what());
    }
}

capnp::Capability::Client make_gate(GatewayClientPtr client);
schema::Group::Client make_group(GatewayClientPtr client, std::shared_ptr<group::GroupPort> port);
schema::Admin::Client make_admin(GatewayClientPtr client);
schema::Pipeline::Client make_pipeline(GatewayClientPtr client,
                                       std::shared_ptr<group::GroupPort> port,
                                       schema::PipelineSink::Client sink);

}  // namespace quorate::rpc
