#include "rpc/client/calls.hpp"
#include "rpc/client/decode.hpp"

namespace quorate::client {
namespace {

using Text = std::vector<std::string>;

template <class Builder>
void set_words(Builder&& request, const Text& words) {
    auto list = request.initWords(static_cast<unsigned>(words.size()));
    for (unsigned i = 0; i < words.size(); ++i) list.set(i, words[i].c_str());
}

capnp::Data::Reader data(ByteView bytes) {
    return {reinterpret_cast<const capnp::byte*>(bytes.data()), bytes.size()};
}

// The link or the group could not be had: nothing was submitted. Else the request was under way.
Outcome outcome_of(const Error& error) {
    bool sent = error.code == Errc::leadership_lost || error.code == Errc::deadline_exceeded ||
                error.code == Errc::protocol;
    if (sent) return Unknown{error};
    return NotApplied{error, {}};
}

void learn(Connections& connections, const std::string& group, const Outcome& outcome) {
    if (auto* refused = std::get_if<NotApplied>(&outcome))
        connections.learn_leader(group, refused->leader);
}

// Opens the group on the link, then `use`s it. An exception of the opening never counts as sent.
template <class T>
kj::Promise<Result<T>> with_group(Connections& connections, LinkPtr link, const std::string& name,
                                  Time deadline,
                                  std::function<kj::Promise<Result<T>>(GroupCap)> use) {
    return connections.group(link, name, deadline)
        .then([use = std::move(use)](Result<GroupCap> group) -> kj::Promise<Result<T>> {
            if (!group.has_value()) return Result<T>(group.error());
            return use(*group);
        });
}

// First the group, which may be asked of any host again and again; then, once, the command.
template <class T>
kj::Promise<Result<T>> submit_once(Connections& connections, std::string name, Time deadline,
                                   std::function<kj::Promise<Result<T>>(GroupCap)> use) {
    using Found = std::pair<LinkPtr, GroupCap>;
    Ask<Found> find = [&connections, name, deadline](LinkPtr link) {
        return connections.group(link, name, deadline)
            .then([link](Result<GroupCap> group) -> Result<Found> {
                if (!group.has_value()) return group.error();
                return Found(link, *group);
            });
    };
    return ask_some_host<Found>(connections, connections.leader_endpoint(name), deadline,
                                Repeat::freely, find)
        .then([&connections, deadline, use](Result<Found> found) -> kj::Promise<Result<T>> {
            if (!found.has_value()) {
                Error error = found.error();
                // Opening a group submits nothing, however it failed.
                if (error.code == Errc::deadline_exceeded) error.code = Errc::unreachable;
                return Result<T>(std::move(error));
            }
            GroupCap group = found->second;
            return ask_some_host<T>(connections, found->first->endpoint, deadline, Repeat::never,
                                    [use, group](LinkPtr) { return use(group); });
        });
}

}  // namespace

Operation<Outcome> Group::submit(ByteView command, Duration timeout) {
    Bytes copy = Bytes::copy_of(command);
    auto begin = [name = name_, copy, timeout](Connections& connections) {
        Time deadline = connections.now() + timeout;
        auto use = [&connections, copy, deadline](GroupCap group) {
            auto request = group->submitRequest(capnp::MessageSize{copy.size() / 8 + 16, 0});
            request.setCommand(data(copy.view()));
            request.setTimeoutMs(milliseconds_left(deadline, connections.now()));
            return request.send().then([](capnp::Response<schema::Group::SubmitResults> answer) {
                return Result<Outcome>(decode(answer.getOutcome()));
            });
        };
        return submit_once<Outcome>(connections, name, deadline, use)
            .then([&connections, name](Result<Outcome> end) {
                Outcome outcome = end.has_value() ? std::move(*end) : outcome_of(end.error());
                learn(connections, name, outcome);
                return outcome;
            });
    };
    return make_operation<Outcome>(connections_, begin, Unknown{client_gone()});
}

Operation<TextOutcome> Group::submit_text(std::vector<std::string> words, Duration timeout) {
    auto begin = [name = name_, words = std::move(words), timeout](Connections& connections) {
        Time deadline = connections.now() + timeout;
        auto use = [&connections, words, deadline](GroupCap group) {
            auto request = group->submitTextRequest();
            set_words(request, words);
            request.setTimeoutMs(milliseconds_left(deadline, connections.now()));
            return request.send().then(
                [](capnp::Response<schema::Group::SubmitTextResults> answer) {
                    return Result<TextOutcome>(
                        TextOutcome{decode(answer.getOutcome()), answer.getText().cStr()});
                });
        };
        return submit_once<TextOutcome>(connections, name, deadline, use)
            .then([&connections, name](Result<TextOutcome> end) {
                TextOutcome outcome =
                    end.has_value() ? std::move(*end) : TextOutcome{outcome_of(end.error()), {}};
                learn(connections, name, outcome.outcome);
                return outcome;
            });
    };
    return make_operation<TextOutcome>(connections_, begin,
                                       TextOutcome{Unknown{client_gone()}, {}});
}

Operation<Result<Answer>> Group::query(ReadLevel level, ByteView query, Duration timeout,
                                       Index at_least) {
    Bytes copy = Bytes::copy_of(query);
    auto begin = [name = name_, level, copy, timeout, at_least](Connections& connections) {
        Time deadline = connections.now() + timeout;
        Ask<Answer> ask = [&connections, name, level, copy, at_least, deadline](LinkPtr link) {
            auto use = [&connections, level, copy, at_least, deadline](GroupCap group) {
                auto request = group->queryRequest(capnp::MessageSize{copy.size() / 8 + 16, 0});
                request.setLevel(encode(level));
                request.setAtLeast(at_least.value());
                request.setQuery(data(copy.view()));
                request.setTimeoutMs(milliseconds_left(deadline, connections.now()));
                return request.send().then([](capnp::Response<schema::Group::QueryResults> answer) {
                    return decode(answer.getAnswer());
                });
            };
            return with_group<Answer>(connections, link, name, deadline, use);
        };
        std::string endpoint =
            level == ReadLevel::local ? std::string{} : connections.leader_endpoint(name);
        return ask_some_host<Answer>(connections, endpoint, deadline, Repeat::freely, ask)
            .then([&connections, name](Result<Answer> answer) {
                if (answer.has_value()) connections.learn_leader(name, answer->leader);
                return answer;
            });
    };
    return make_operation<Result<Answer>>(connections_, begin, client_gone());
}

Operation<Result<TextAnswer>> Group::query_text(ReadLevel level, std::vector<std::string> words,
                                                Duration timeout, Index at_least) {
    auto begin = [name = name_, level, words = std::move(words), timeout,
                  at_least](Connections& connections) {
        Time deadline = connections.now() + timeout;
        Ask<TextAnswer> ask = [&connections, name, level, words, at_least, deadline](LinkPtr link) {
            auto use = [&connections, level, words, at_least, deadline](GroupCap group) {
                auto request = group->queryTextRequest();
                set_words(request, words);
                request.setLevel(encode(level));
                request.setAtLeast(at_least.value());
                request.setTimeoutMs(milliseconds_left(deadline, connections.now()));
                return request.send().then(
                    [](capnp::Response<schema::Group::QueryTextResults> answer)
                        -> Result<TextAnswer> {
                        TRY(Answer reply, decode(answer.getAnswer()));
                        return TextAnswer{std::move(reply), answer.getText().cStr()};
                    });
            };
            return with_group<TextAnswer>(connections, link, name, deadline, use);
        };
        return ask_some_host<TextAnswer>(connections, {}, deadline, Repeat::freely, ask);
    };
    return make_operation<Result<TextAnswer>>(connections_, begin, client_gone());
}

}  // namespace quorate::client
