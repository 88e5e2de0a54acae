#pragma once

#include "rpc/client/connections.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

// How one request travels: from host to host, until one answers, it may not be asked again, or its
// time is over. Thread: the client's.
namespace quorate::client {

// How long after the deadline we wait for the host's own word, which is more than "no answer".
inline constexpr Duration grace = 500ms;
// Longer ones are cut to it, so that no sum of times overflows.
inline constexpr Duration longest_timeout = std::chrono::hours(24 * 365);

// What a request came to.
struct NotSent {  // no host took it: certainly nothing was done
    Error error;
};
struct Lost {  // it was sent, and no answer came: nobody can tell
    Error error;
};
template <class T>
using End = std::variant<T, NotSent, Lost>;

// A host answered that it did nothing, and why another, or the same one later, might.
struct Elsewhere {
    std::string leader;   // to be asked next; empty: not known
    bool reopen = false;  // the group's capability is of no use any more
    Duration pause{};     // it said when to come again; 0: it did not
};

// One request. `open` gets the capability that it is called on, which changes nothing and so may be
// done anywhere, any number of times. `call` is what counts. Both may fail with kj exceptions.
template <class Cap, class T>
struct Request {
    std::function<kj::Promise<Result<Cap>>(const LinkPtr&)> open;
    // The same if it has been opened before, else nothing. Absent: it never is.
    std::function<std::optional<Cap>(const LinkPtr&)> opened = {};
    std::function<kj::Promise<T>(const LinkPtr&, const Cap&)> call;
    // Whether this answer says so. Absent: every answer is the end.
    std::function<std::optional<Elsewhere>(const T&)> elsewhere = {};
    bool repeatable = false;  // it changes nothing: asked again even if it may have been answered
};

// The part of a journey that is the same for all requests.
class Journey {
 public:
    // `group` empty: any host will do. A local read goes to whichever host we are connected to.
    enum class To : std::uint8_t { anywhere, leader };
    Journey(Connections& connections, std::string group, Duration timeout, To to = To::leader);

    Connections& connections() const { return connections_; }
    const std::string& group() const { return group_; }
    Time deadline() const { return deadline_; }
    std::uint32_t milliseconds_left() const;
    bool is_over() const { return connections_.now() >= deadline_; }
    Error too_late() const;

    kj::Promise<Result<LinkPtr>> next_host();
    // The same where that takes no time, as it mostly does: it is known and connected. Else null.
    LinkPtr next_host_now() const;
    // Whether to ask once more, and when: at once if there is a new place to go, else after a
    // pause.
    kj::Promise<bool> go_on(const LinkPtr& refused_by, Elsewhere where);
    // Whether one more host may be asked where the first could only say that it does not know: as many as
    // hints are followed.
    bool may_ask_another() { return ++strangers_ <= connections_.options().max_redirects; }
    // Ends with the error that the host said nothing; the link is given up.
    template <class T>
    kj::Promise<T> silence(const LinkPtr& link, std::function<T(Error)> as);

 private:
    Connections& connections_;
    std::string group_;
    Duration timeout_;
    Time deadline_;
    To to_;
    std::uint32_t hints_ = 0;  // followed in a row
    std::uint32_t pauses_ = 0;
    std::uint32_t strangers_ = 0;       // asked
    std::vector<std::string> refused_;  // endpoints that did, each once, the latest last
};
using JourneyPtr = std::shared_ptr<Journey>;

// Whether another host may take what this one refused. Pre: it certainly did nothing.
bool is_for_another(Errc code);
// Why a command, query or plugin of so many bytes is not even sent: the host would close the
// connection on it, under everything else that is on its way there. Nothing if it fits.
std::optional<Error> too_large(const Connections& connections, std::uint64_t bytes);
// What to say when a request was lost on its way.
Error lost_error(const kj::Exception& exception, const std::string& endpoint);

// ---- the travelling -----------------------------------------------------------------------------

template <class T>
kj::Promise<T> Journey::silence(const LinkPtr& link, std::function<T(Error)> as) {
    return connections_.sleep_until(deadline_ + grace)
        .then([&connections = connections_, link, as = std::move(as)] {
            connections.broken(link);
            return as(fail(Errc::deadline_exceeded, link->endpoint + " did not answer in time"));
        });
}

template <class T>
struct Attempt {
    End<T> end;
    std::optional<Elsewhere> next = {};  // if another may follow
};

// All stages of a journey share its request.
template <class Cap, class T>
using RequestPtr = std::shared_ptr<const Request<Cap, T>>;

// The first, harmless half.
template <class Cap, class T>
kj::Promise<Result<Cap>> open_on(JourneyPtr journey, LinkPtr link,
                                 const RequestPtr<Cap, T>& request) {
    std::function<Result<Cap>(Error)> as = [](Error error) {
        return Result<Cap>(fail(Errc::unreachable, error.what));
    };
    return request->open(link)
        .exclusiveJoin(journey->silence(link, as))
        .catch_([journey, link](kj::Exception&& e) {
            journey->connections().broken(link);
            return Result<Cap>(rpc_error(e, link->endpoint));
        });
}

// The second half, once.
template <class Cap, class T>
kj::Promise<Attempt<T>> call_on(JourneyPtr journey, LinkPtr link, const Cap& cap,
                                const RequestPtr<Cap, T>& request) {
    // What is sent into a closed connection goes nowhere.
    if (!link->rpc->is_open()) {
        journey->connections().broken(link);
        Error closed = fail(Errc::unreachable, link->endpoint + ": connection lost");
        return Attempt<T>{NotSent{std::move(closed)}, Elsewhere{}};
    }
    std::function<Attempt<T>(Error)> as = [](Error error) {
        return Attempt<T>{Lost{std::move(error)}};
    };
    return kj::evalNow([&] { return request->call(link, cap); })
        .then([request](T answer) {
            auto next = request->elsewhere ? request->elsewhere(answer) : std::nullopt;
            return Attempt<T>{std::move(answer), std::move(next)};
        })
        .exclusiveJoin(journey->silence(link, as))
        .catch_([journey, link, request](kj::Exception&& e) {
            // Whoever does not know the call has not carried it out.
            if (e.getType() == kj::Exception::Type::UNIMPLEMENTED)
                return Attempt<T>{NotSent{rpc_error(e, link->endpoint)}};
            journey->connections().broken(link);
            std::optional<Elsewhere> again;
            if (request->repeatable) again.emplace();
            return Attempt<T>{Lost{lost_error(e, link->endpoint)}, again};
        });
}

template <class Cap, class T>
kj::Promise<Attempt<T>> attempt_on(JourneyPtr journey, LinkPtr link, RequestPtr<Cap, T> request) {
    if (request->opened) {
        if (auto cap = request->opened(link)) return call_on(journey, link, *cap, request);
    }
    return open_on(journey, link, request)
        .then([journey, link, request](Result<Cap> cap) -> kj::Promise<Attempt<T>> {
            std::optional<Elsewhere> next;
            if (!cap.has_value()) {
                if (is_for_another(cap.error().code)) next.emplace();
                return Attempt<T>{NotSent{cap.error()}, next};
            }
            return call_on(journey, link, *cap, request);
        });
}

template <class Cap, class T>
kj::Promise<End<T>> travel(JourneyPtr journey, RequestPtr<Cap, T> request);

template <class Cap, class T>
kj::Promise<End<T>> travel_by(JourneyPtr journey, LinkPtr link, RequestPtr<Cap, T> request) {
    return attempt_on(journey, link, request)
        .then([journey, request, link](Attempt<T> attempt) -> kj::Promise<End<T>> {
            if (!attempt.next) return std::move(attempt.end);
            return journey->go_on(link, *attempt.next)
                .then([journey, request,
                       end = std::move(attempt.end)](bool again) mutable -> kj::Promise<End<T>> {
                    if (again) return travel(journey, request);
                    return std::move(end);
                });
        });
}

template <class Cap, class T>
kj::Promise<End<T>> travel(JourneyPtr journey, RequestPtr<Cap, T> request) {
    if (journey->is_over()) return End<T>(NotSent{journey->too_late()});
    if (LinkPtr link = journey->next_host_now()) return travel_by(journey, link, request);
    return journey->next_host().then(
        [journey, request](Result<LinkPtr> found) -> kj::Promise<End<T>> {
            if (!found.has_value()) return End<T>(NotSent{found.error()});
            return travel_by(journey, *found, request);
        });
}

template <class Cap, class T>
kj::Promise<End<T>> travel(JourneyPtr journey, Request<Cap, T> request) {
    return travel(std::move(journey), std::make_shared<const Request<Cap, T>>(std::move(request)));
}

// ---- operations ---------------------------------------------------------------------------------

// An operation that runs `begin` on the client's thread and ends with its promise, or with `gone`
// if the client ends first.
template <class T>
Operation<T> make_operation(std::shared_ptr<Connections> connections,
                            std::function<kj::Promise<T>(Connections&)> begin, T gone) {
    return Operation<T>([connections, begin, gone](std::function<void(T)> completion) {
        auto finisher = std::make_shared<Finisher<T>>(std::move(completion), gone);
        auto start = [connections, begin, finisher] {
            Connections& c = *connections;
            if (c.have_ended()) return;
            c.keep(begin(c).then([finisher](T value) { finisher->complete(std::move(value)); }));
        };
        // What a completion begins leaves with the turn's other messages.
        if (connections->is_current_thread()) return start();
        connections->run(std::move(start));
    });
}

inline Error client_gone() {
    return fail(Errc::cancelled, "the client was closed");
}

// Of a request that changes nothing, or whose caller reads a lost answer off the error's code.
template <class T>
Result<T> result_of(End<Result<T>> end) {
    if (auto* answer = std::get_if<Result<T>>(&end)) return std::move(*answer);
    if (auto* unsent = std::get_if<NotSent>(&end)) return std::move(unsent->error);
    return std::move(std::get<Lost>(end).error);
}

}  // namespace quorate::client
