#include "rpc/client/queries.hpp"

#include "rpc/client/decode.hpp"

#include <algorithm>
#include <iterator>

namespace quorate::client {
namespace {

constexpr std::size_t max_batch_queries = 256;
constexpr std::size_t max_batch_bytes = 256 * 1024;
// The answers of a batch come together, so its queries must be ready to wait equally long.
constexpr Duration max_spread = 100ms;

void flush_later(Connections& connections, const LinkPtr& link, const GroupCap& group);

// How many of the first go together.
std::size_t batch_length(const std::vector<Question>& questions) {
    std::size_t bytes = 0;
    auto [earliest, latest] = std::pair(questions.front().deadline, questions.front().deadline);
    for (std::size_t i = 0; i < questions.size(); ++i) {
        const Question& next = questions[i];
        bytes += next.query.size();
        earliest = std::min(earliest, next.deadline);
        latest = std::max(latest, next.deadline);
        bool fits = i == 0 || (i < max_batch_queries && bytes <= max_batch_bytes);
        if (!fits || latest - earliest > max_spread) return i;
    }
    return questions.size();
}

void reject(std::vector<Question>& questions, const kj::Exception& why) {
    for (Question& question : questions) question.answer->reject(kj::cp(why));
}

// What the answers do not reach is asked again.
void receive(Connections& connections, const LinkPtr& link, const GroupCap& group,
             std::vector<Question> questions, capnp::List<schema::Answer>::Reader answers) {
    std::size_t count = std::min<std::size_t>(questions.size(), answers.size());
    if (count == 0) return reject(questions, KJ_EXCEPTION(FAILED, "queries were not answered"));
    for (unsigned i = 0; i < count; ++i) questions[i].answer->fulfill(decode(answers[i]));
    if (count == questions.size()) return;
    flush_later(connections, link, group);
    group->questions.insert(group->questions.end(),
                            std::move_iterator(questions.begin() + std::ptrdiff_t(count)),
                            std::move_iterator(questions.end()));
}

kj::Promise<void> send(Connections& connections, LinkPtr link, GroupCap group,
                       std::vector<Question> questions) {
    std::size_t words = 16;
    for (const Question& question : questions) words += 5 + question.query.size() / 8;
    auto request = group->cap.queriesRequest(capnp::MessageSize{words, 0});
    auto queries = request.initQueries(static_cast<unsigned>(questions.size()));
    for (unsigned i = 0; i < questions.size(); ++i) {
        queries[i].setLevel(encode(questions[i].level));
        queries[i].setQuery(data_of(questions[i].query.view()));
        queries[i].setTimeoutMs(milliseconds_left(questions[i].deadline, connections.now()));
    }
    auto asked = std::make_shared<std::vector<Question>>(std::move(questions));
    return request.send().then(
        [&connections, link, group, asked](capnp::Response<schema::Group::QueriesResults> answer) {
            receive(connections, link, group, std::move(*asked), answer.getAnswers());
        },
        [asked](kj::Exception&& e) { reject(*asked, e); });
}

kj::Promise<void> send_one(const GroupCap& group, Question question, std::uint32_t timeout_ms) {
    auto answer = std::make_shared<decltype(question.answer)>(kj::mv(question.answer));
    return ask_alone(group, question.level, {}, question.query, timeout_ms)
        .then([answer](Result<Answer>&& reply) { (*answer)->fulfill(kj::mv(reply)); },
              [answer](kj::Exception&& e) { (*answer)->reject(kj::mv(e)); });
}

void flush(Connections& connections, const LinkPtr& link, const GroupCap& group) {
    std::vector<Question> all = std::exchange(group->questions, {});
    while (!all.empty()) {
        auto end = all.begin() + static_cast<std::ptrdiff_t>(batch_length(all));
        std::vector<Question> batch(std::move_iterator(all.begin()), std::move_iterator(end));
        all.erase(all.begin(), end);
        if (batch.size() == 1) {
            std::uint32_t left = milliseconds_left(batch.front().deadline, connections.now());
            connections.keep(send_one(group, std::move(batch.front()), left));
        } else {
            connections.keep(send(connections, link, group, std::move(batch)));
        }
    }
}

// Behind everything that is ready: the answers that have come, and what they make their callers ask.
void flush_later(Connections& connections, const LinkPtr& link, const GroupCap& group) {
    if (!group->questions.empty()) return;
    connections.keep(
        kj::evalLast([&connections, link, group] { flush(connections, link, group); }));
}

}  // namespace

kj::Promise<Result<Answer>> ask_together(Connections& connections, const LinkPtr& link,
                                         const GroupCap& group, ReadLevel level, Bytes query,
                                         Time deadline) {
    auto pair = kj::newPromiseAndFulfiller<Result<Answer>>();
    flush_later(connections, link, group);
    group->questions.push_back({level, std::move(query), deadline, kj::mv(pair.fulfiller)});
    return kj::mv(pair.promise);
}

kj::Promise<Result<Answer>> ask_alone(const GroupCap& group, ReadLevel level, Index at_least,
                                      const Bytes& query, std::uint32_t timeout_ms) {
    auto request = group->cap.queryRequest(capnp::MessageSize{query.size() / 8 + 32, 0});
    request.setLevel(encode(level));
    request.setAtLeast(at_least.value());
    request.setQuery(data_of(query.view()));
    request.setTimeoutMs(timeout_ms);
    return request.send().then([](capnp::Response<schema::Group::QueryResults> answer) {
        return decode(answer.getAnswer());
    });
}

}  // namespace quorate::client
