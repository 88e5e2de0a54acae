#include "rpc/client/decode.hpp"
#include "rpc/client/journey.hpp"
#include "rpc/client/queries.hpp"

#include <algorithm>

namespace quorate::client {
namespace {

using Words = std::vector<std::string>;

// Before a host that did not say when is asked again.
constexpr std::uint32_t retry_ms_unnamed = 10;

capnp::MessageSize size_for(std::uint64_t bytes) {
    return {bytes / 8 + 32, 0};
}

template <class Builder>
void set_words(Builder& request, const Words& words) {
    auto list = request.initWords(static_cast<unsigned>(words.size()));
    for (unsigned i = 0; i < words.size(); ++i) list.set(i, text_of(words[i]));
}

std::uint64_t bytes_of(const Words& words) {
    std::uint64_t bytes = 0;
    for (const std::string& word : words) bytes += word.size() + 16;
    return bytes;
}

std::function<kj::Promise<Result<GroupCap>>(const LinkPtr&)> open_group(JourneyPtr journey) {
    return [journey](const LinkPtr& link) {
        return journey->connections().group(link, journey->group(), journey->deadline());
    };
}

std::function<std::optional<GroupCap>(const LinkPtr&)> opened_group(JourneyPtr journey) {
    return [journey](const LinkPtr& link) -> std::optional<GroupCap> {
        auto found = link->groups.find(journey->group());
        if (found == link->groups.end()) return std::nullopt;
        return found->second;
    };
}

std::optional<Elsewhere> elsewhere_after(Journey& journey, const Error& error,
                                         const std::string& leader) {
    // A host without a member of the group need not have its plugin, and then knows no words.
    if (error.code == Errc::plugin_not_found && journey.may_ask_another()) {
        return Elsewhere{.leader = leader};
    }
    // The group that we opened is no more, but one of its name may have been created since.
    if (error.code == Errc::no_such_group) return Elsewhere{.leader = {}, .reopen = true};
    if (error.code == Errc::overloaded && journey.connections().options().retry_overloaded) {
        auto pause = std::chrono::milliseconds(std::max(error.retry_after_ms, retry_ms_unnamed));
        return Elsewhere{.leader = leader, .pause = pause};
    }
    if (!is_for_another(error.code)) return std::nullopt;
    return Elsewhere{.leader = leader};
}

// ---- commands -----------------------------------------------------------------------------------

struct Submitted {
    Outcome outcome;
    std::string leader;
    std::string text = {};
};

std::optional<Elsewhere> elsewhere_of(Journey& journey, const Submitted& submitted) {
    auto* refused = std::get_if<NotApplied>(&submitted.outcome);
    if (refused == nullptr) return std::nullopt;
    return elsewhere_after(journey, refused->error,
                           refused->leader.empty() ? submitted.leader : refused->leader);
}

// Sends it once, and says no more of its end than is certain.
kj::Promise<Submitted> submit(
    JourneyPtr journey, std::uint64_t bytes,
    std::function<kj::Promise<Submitted>(const LinkPtr&, const GroupCap&)> call) {
    if (auto error = too_large(journey->connections(), bytes))
        return Submitted{NotApplied{std::move(*error), {}}, {}};
    Request<GroupCap, Submitted> request{
        open_group(journey), opened_group(journey), std::move(call),
        [journey](const Submitted& submitted) { return elsewhere_of(*journey, submitted); }};
    return travel(journey, std::move(request)).then([journey](End<Submitted> end) {
        if (auto* unsent = std::get_if<NotSent>(&end))
            return Submitted{NotApplied{std::move(unsent->error), {}}, {}};
        if (auto* lost = std::get_if<Lost>(&end))
            return Submitted{Unknown{std::move(lost->error)}, {}};
        auto& submitted = std::get<Submitted>(end);
        journey->connections().whereabouts().leads(journey->group(), submitted.leader);
        return std::move(submitted);
    });
}

}  // namespace

Operation<Outcome> Group::submit(ByteView command, Duration timeout) {
    Bytes copy = Bytes::copy_of(command);
    auto begin = [name = name_, copy, timeout](Connections& connections) {
        auto journey = std::make_shared<Journey>(connections, name, timeout);
        auto call = [journey, copy](const LinkPtr&, const GroupCap& group) {
            auto request = group->cap.submitRequest(size_for(copy.size()));
            request.setCommand(data_of(copy.view()));
            request.setTimeoutMs(journey->milliseconds_left());
            return request.send().then([](capnp::Response<schema::Group::SubmitResults> answer) {
                return Submitted{decode(answer.getOutcome()), answer.getLeader().cStr()};
            });
        };
        return client::submit(journey, copy.size(), call).then([](Submitted submitted) {
            return std::move(submitted.outcome);
        });
    };
    return make_operation<Outcome>(connections_, begin, Unknown{client_gone()});
}

Operation<TextOutcome> Group::submit_text(std::vector<std::string> words, Duration timeout) {
    auto begin = [name = name_, words = std::move(words), timeout](Connections& connections) {
        auto journey = std::make_shared<Journey>(connections, name, timeout);
        auto call = [journey, words](const LinkPtr&, const GroupCap& group) {
            auto request = group->cap.submitTextRequest();
            set_words(request, words);
            request.setTimeoutMs(journey->milliseconds_left());
            return request.send().then(
                [](capnp::Response<schema::Group::SubmitTextResults> answer) {
                    return Submitted{decode(answer.getOutcome()), answer.getLeader().cStr(),
                                     answer.getText().cStr()};
                });
        };
        return client::submit(journey, bytes_of(words), call).then([](Submitted submitted) {
            return TextOutcome{std::move(submitted.outcome), std::move(submitted.text)};
        });
    };
    return make_operation<TextOutcome>(connections_, begin,
                                       TextOutcome{Unknown{client_gone()}, {}});
}

// ---- queries ------------------------------------------------------------------------------------

namespace {

const std::string& leader_of(const Answer& answer) {
    return answer.leader;
}
const std::string& leader_of(const TextAnswer& answer) {
    return answer.answer.leader;
}

JourneyPtr query_journey(Connections& connections, const std::string& group, ReadLevel level,
                         Duration timeout) {
    auto to = level == ReadLevel::local ? Journey::To::anywhere : Journey::To::leader;
    return std::make_shared<Journey>(connections, group, timeout, to);
}

template <class A>
kj::Promise<Result<A>> query(
    JourneyPtr journey, std::uint64_t bytes,
    std::function<kj::Promise<Result<A>>(const LinkPtr&, const GroupCap&)> call) {
    if (auto error = too_large(journey->connections(), bytes)) return Result<A>(*error);
    Request<GroupCap, Result<A>> request{
        .open = open_group(journey), .opened = opened_group(journey), .call = std::move(call)};
    request.repeatable = true;
    request.elsewhere = [journey](const Result<A>& answer) -> std::optional<Elsewhere> {
        if (answer.has_value()) return std::nullopt;
        return elsewhere_after(*journey, answer.error(), {});
    };
    return travel(journey, std::move(request)).then([journey](End<Result<A>> end) {
        Result<A> answer = result_of(std::move(end));
        if (answer.has_value()) {
            journey->connections().whereabouts().leads(journey->group(), leader_of(*answer));
        }
        return answer;
    });
}

}  // namespace

Operation<Result<Answer>> Group::query(ReadLevel level, ByteView query, Duration timeout,
                                       Index at_least) {
    Bytes copy = Bytes::copy_of(query);
    auto begin = [name = name_, level, copy, timeout, at_least](Connections& connections) {
        JourneyPtr journey = query_journey(connections, name, level, timeout);
        auto call = [journey, level, copy, at_least](const LinkPtr& link, const GroupCap& group) {
            // One that waits for an entry to be applied would keep the others waiting.
            if (at_least > Index{}) {
                return ask_alone(group, level, at_least, copy, journey->milliseconds_left());
            }
            return ask_together(journey->connections(), link, group, level, copy,
                                journey->deadline());
        };
        return client::query<Answer>(journey, copy.size(), call);
    };
    return make_operation<Result<Answer>>(connections_, begin, client_gone());
}

Operation<Result<TextAnswer>> Group::query_text(ReadLevel level, std::vector<std::string> words,
                                                Duration timeout, Index at_least) {
    auto begin = [name = name_, level, words = std::move(words), timeout,
                  at_least](Connections& connections) {
        JourneyPtr journey = query_journey(connections, name, level, timeout);
        auto call = [journey, level, words, at_least](const LinkPtr&, const GroupCap& group) {
            auto request = group->cap.queryTextRequest();
            set_words(request, words);
            request.setLevel(encode(level));
            request.setAtLeast(at_least.value());
            request.setTimeoutMs(journey->milliseconds_left());
            return request.send().then(
                [](capnp::Response<schema::Group::QueryTextResults> answer) -> Result<TextAnswer> {
                    TRY(Answer reply, decode(answer.getAnswer()));
                    return TextAnswer{std::move(reply), answer.getText().cStr()};
                });
        };
        return client::query<TextAnswer>(journey, bytes_of(words), call);
    };
    return make_operation<Result<TextAnswer>>(connections_, begin, client_gone());
}

}  // namespace quorate::client
