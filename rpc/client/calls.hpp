#pragma once

#include "rpc/client/connections.hpp"

// How one request travels: which host is asked, what is asked again and what is not.
namespace quorate::client {

// After the deadline the host has answered what it can; this long we wait for its word.
inline constexpr Duration grace = 500ms;

enum class Repeat : std::uint8_t {
    never,   // once it was sent, a lost connection is the end
    freely,  // changes nothing: asked again elsewhere until the deadline
};

template <class T>
using Ask = std::function<kj::Promise<Result<T>>(LinkPtr)>;

// Asks one host after another until one answers. `ask` may throw kj exceptions: DISCONNECTED is
// repeated as `repeat` allows. Errc::unreachable: nothing was asked. leadership_lost: it was, and
// the connection was lost before the answer. deadline_exceeded: it was, and no answer came.
template <class T>
kj::Promise<Result<T>> ask_some_host(Connections& connections, std::string endpoint, Time deadline,
                                     Repeat repeat, Ask<T> ask) {
    return connections.link(endpoint, deadline)
        .then([&connections, endpoint, deadline, repeat,
               ask = std::move(ask)](Result<LinkPtr> link) mutable -> kj::Promise<Result<T>> {
            if (!link.has_value()) return Result<T>(link.error());
            LinkPtr chosen = *link;
            auto answer = ask(chosen);
            auto late = connections.sleep_until(deadline + grace).then([&connections, chosen] {
                connections.drop(chosen);  // it hangs: others are asked next time
                return Result<T>(
                    fail(Errc::deadline_exceeded, chosen->endpoint + " did not answer in time"));
            });
            return answer.exclusiveJoin(kj::mv(late))
                .catch_([&connections, chosen, deadline, repeat, ask = std::move(ask)](
                            kj::Exception&& e) mutable -> kj::Promise<Result<T>> {
                    connections.drop(chosen);
                    bool again = repeat == Repeat::freely && connections.now() < deadline &&
                                 e.getType() == kj::Exception::Type::DISCONNECTED;
                    if (again)
                        return ask_some_host<T>(connections, {}, deadline, repeat, std::move(ask));
                    Error error = rpc_error(e, chosen->endpoint);
                    if (error.code == Errc::unreachable && repeat == Repeat::never) {
                        error.code = Errc::leadership_lost;
                        error.hint = "the connection was lost before the answer came";
                    }
                    return Result<T>(std::move(error));
                });
        });
}

// An operation that runs `begin` on the client's thread and ends with its promise, or with `gone` if
// the client ends first.
template <class T>
Operation<T> make_operation(std::shared_ptr<Connections> connections,
                            std::function<kj::Promise<T>(Connections&)> begin, T gone) {
    return Operation<T>([connections, begin, gone](std::function<void(T)> completion) {
        auto finisher = std::make_shared<Finisher<T>>(std::move(completion), gone);
        connections->run([connections, begin, finisher]() mutable {
            Connections& c = *connections;
            c.keep(begin(c).then([finisher](T value) { finisher->complete(std::move(value)); }));
        });
    });
}

inline Error client_gone() {
    return fail(Errc::cancelled, "the client was closed");
}

}  // namespace quorate::client
