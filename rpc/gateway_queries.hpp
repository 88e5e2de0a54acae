#pragma once

#include "rpc/gateway_client.hpp"

#include <capnp/list.h>

#include <vector>

// What clients ask of a group. Private to the gateway.
namespace quorate::rpc {

struct Question {
    Result<group::ReadLevel> level;
    std::uint64_t at_least = 0;
    Bytes query;
    std::uint32_t timeout_ms = 0;
};
using Answered = Result<group::QueryAnswer>;

// Of a query: Question, QueryParams and QueryTextParams call them alike.
template <class Params>
Question question_of(Params params, Bytes query) {
    return {.level = checked([&] { return from_wire(params.getLevel()); }),
            .at_least = params.getAtLeast(),
            .query = std::move(query),
            .timeout_ms = params.getTimeoutMs()};
}

kj::Promise<Answered> ask(const GatewayClientPtr& client, group::GroupPort& port,
                          Question question);

// The answers to the first of them, as many as are taken at once, when all of these have one.
kj::Promise<std::vector<Answered>> ask_all(const GatewayClientPtr& client, group::GroupPort& port,
                                           capnp::List<schema::Question>::Reader queries);

// About what a message takes to say it, as of an outcome.
inline std::size_t words_of(const Answered& answer) {
    return answer.has_value() ? answer->reply.size() / 8 + 40 : 128;
}
void encode(const Answered& answer, schema::Answer::Builder out);
// The first of them, as many as one message should hold.
void encode(
    const std::vector<Answered>& answers, std::size_t most_bytes,
    capnp::CallContext<schema::Group::QueriesParams, schema::Group::QueriesResults> context);

}  // namespace quorate::rpc
