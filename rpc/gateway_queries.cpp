#include "rpc/gateway_queries.hpp"

#include <algorithm>

namespace quorate::rpc {
namespace {

// Queries that came in one call. Outlives the call until the last of them is answered, and owns no KJ
// object.
struct QueryBatch {
    GatewayClientPtr client;
    std::function<void(std::vector<Answered>)> done;
    std::vector<Answered> answers;
    std::size_t unanswered;

    void answer(std::size_t i, Answered answer) {
        answers[i] = std::move(answer);
        if (--unanswered > 0) return;
        std::size_t bytes = 0;
        for (const Answered& each : answers) bytes += size_of(each);
        client->answers->tell(bytes, [done = std::move(done), all = std::move(answers)]() mutable {
            done(std::move(all));
        });
    }
};

}  // namespace

kj::Promise<Answered> ask(const GatewayClientPtr& client, group::GroupPort& port,
                          Question question) {
    if (!question.level.has_value()) return Answered(question.level.error());
    std::uint64_t bytes = question.query.size() + call_bytes;
    if (!client->take(bytes)) return Answered(overloaded(*client));
    auto [promise, done] = await<Answered>();
    port.query(*question.level, Index(question.at_least), std::move(question.query),
               client->deadline(question.timeout_ms), giving_back(client, bytes, std::move(done)));
    return kj::mv(promise);
}

kj::Promise<std::vector<Answered>> ask_all(const GatewayClientPtr& client, group::GroupPort& port,
                                           capnp::List<schema::Question>::Reader queries) {
    std::size_t count = std::min(queries.size(), client->options.queries_at_once);
    if (count == 0) return std::vector<Answered>();
    auto [promise, done] = await<std::vector<Answered>>();
    auto batch = std::make_shared<QueryBatch>(
        QueryBatch{client, std::move(done), std::vector<Answered>(count), count});
    for (unsigned i = 0; i < count; ++i) {
        Question question = question_of(queries[i], Bytes::copy_of(view(queries[i].getQuery())));
        std::uint64_t bytes = question.query.size() + pipelined_bytes;
        if (!question.level.has_value()) {
            batch->answer(i, question.level.error());
        } else if (!client->take(bytes)) {
            batch->answer(i, overloaded(*client));
        } else {
            port.query(*question.level, Index(question.at_least), std::move(question.query),
                       client->deadline(question.timeout_ms), [batch, i, bytes](Answered answer) {
                           batch->client->give_back(bytes);
                           batch->answer(i, std::move(answer));
                       });
        }
    }
    return kj::mv(promise);
}

void encode(const Answered& answer, schema::Answer::Builder out) {
    if (answer.has_value()) {
        encode(*answer, out);
    } else {
        encode(answer.error(), out.initFailed());
    }
}

void encode(
    const std::vector<Answered>& answers, std::size_t most_bytes,
    capnp::CallContext<schema::Group::QueriesParams, schema::Group::QueriesResults> context) {
    std::size_t words = 8;
    unsigned count = 0;
    for (const Answered& answer : answers) {
        std::size_t more = words_of(answer);
        if (count > 0 && 8 * (words + more) > most_bytes) break;
        words += more;
        ++count;
    }
    auto list = context.getResults(capnp::MessageSize{words, 0}).initAnswers(count);
    for (unsigned i = 0; i < count; ++i) encode(answers[i], list[i]);
}

}  // namespace quorate::rpc
