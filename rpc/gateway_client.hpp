#pragma once

#include "host/base/drain_rate.hpp"
#include "host/group/service.hpp"
#include "rpc/gateway.hpp"
#include "rpc/gateway_answers.hpp"
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

// Calls that were taken and not answered, of one connection or of all, each with what it costs beside
// its bytes.
struct InFlight {
    const std::uint64_t limit;
    std::uint64_t bytes = 0;
    DrainRate rate = {};

    // One call always fits.
    bool fits(std::uint64_t more) const { return bytes == 0 || bytes + more <= limit; }
    void take(std::uint64_t more, const loop::EventLoop& clock) {
        bytes += more;
        if (bytes > limit / 2) rate.look(clock.now());  // soon somebody may ask
    }
    void give_back(std::uint64_t part) {
        bytes -= part;
        rate.drained(part);
    }
};

// One client's connection. Thread: the loop's.
struct GatewayClient {
    loop::EventLoop& loop;
    group::HostService& service;
    const GatewayOptions& options;
    std::function<void(std::string_view why)> hang_up;  // ends the connection, later
    std::function<void()> welcome;                      // it has logged in. Pre: it is connected
    std::shared_ptr<InFlight> all;                      // connections of the host together
    std::shared_ptr<Answers> answers;
    InFlight inflight{options.max_inflight_bytes};
    std::uint64_t refused_bytes = 0;  // refusals of its pipelines that wait for a write to answer
    std::uint32_t capabilities = 0;   // that it holds of us
    bool logged_in = false;

    Time deadline(std::uint32_t timeout_ms) const {
        return loop.now() +
               std::min<Duration>(std::chrono::milliseconds(timeout_ms), options.max_timeout);
    }
    // False: too much is in flight.
    bool take(std::uint64_t bytes) {
        if (!inflight.fits(bytes) || !all->fits(bytes)) return false;
        inflight.take(bytes, loop);
        all->take(bytes, loop);
        return true;
    }
    void give_back(std::uint64_t bytes) {
        inflight.give_back(bytes);
        all->give_back(bytes);
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

// About what an answer takes on its way: its bytes, or what an error's sentences may.
inline constexpr std::size_t answer_bytes = 512;
template <class Value>
std::size_t size_of(const Value&) {
    return answer_bytes;
}
inline std::size_t size_of(const group::Outcome& outcome) {
    const auto* applied = std::get_if<group::Applied>(&outcome);
    return answer_bytes + (applied != nullptr ? applied->reply.size() : 0);
}
inline std::size_t size_of(const Result<group::QueryAnswer>& answer) {
    return answer_bytes + (answer.has_value() ? answer->reply.size() : 0);
}

// `done`, which first gives back what was taken: also if nobody waits for the answer any more. Told as
// soon as the client has read what it was told before.
template <class Value>
std::function<void(Value)> giving_back(GatewayClientPtr client, std::uint64_t bytes,
                                       std::function<void(Value)> done) {
    return [client = std::move(client), bytes, done = std::move(done)](Value value) mutable {
        client->give_back(bytes);
        client->answers->tell(size_of(value),
                              [done = std::move(done), value = std::move(value)]() mutable {
                                  done(std::move(value));
                              });
    };
}

// About what a message takes to say it: what does not fit costs another piece of memory, and what is left
// over is cleared for nothing.
inline std::size_t words_of(const group::Outcome& outcome) {
    constexpr std::size_t fixed = 24;
    if (const auto* applied = std::get_if<group::Applied>(&outcome)) {
        return fixed + applied->reply.size() / 8;
    }
    return fixed + 64;  // an error's sentences
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
                                       std::shared_ptr<group::GroupPort> port);

}  // namespace quorate::rpc
