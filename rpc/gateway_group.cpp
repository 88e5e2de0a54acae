// One group, as client.capnp offers it: single commands and queries.

#include "host/group/command.hpp"
#include "rpc/gateway_queries.hpp"

#include <utility>

namespace quorate::rpc {
namespace {

constexpr Duration describe_timeout = 5s;

class GroupServer final : public schema::Group::Server {
 public:
    GroupServer(GatewayClientPtr client, std::shared_ptr<group::GroupPort> port)
        : client_(client), held_(std::move(client)), port_(std::move(port)) {}

    kj::Promise<void> describe(DescribeContext context) override;
    kj::Promise<void> submit(SubmitContext context) override;
    kj::Promise<void> query(QueryContext context) override;
    kj::Promise<void> queries(QueriesContext context) override;
    kj::Promise<void> submitText(SubmitTextContext context) override;
    kj::Promise<void> queryText(QueryTextContext context) override;
    kj::Promise<void> pipeline(PipelineContext context) override;

 private:
    kj::Promise<group::Outcome> submit(ByteView command, std::uint32_t timeout_ms);

    GatewayClientPtr client_;
    Held held_;
    std::shared_ptr<group::GroupPort> port_;
};

// ---- commands ---------------------------------------------------------------------------------

kj::Promise<group::Outcome> GroupServer::submit(ByteView command, std::uint32_t timeout_ms) {
    std::uint64_t bytes = command.size() + call_bytes;
    if (!client_->take(bytes)) return group::Outcome(group::NotApplied{overloaded(*client_), {}});
    Bytes payload = group::make_command({.time_ms = client_->loop.wall_ms()}, command);
    auto [promise, done] = await<group::Outcome>();
    port_->submit(std::move(payload), client_->deadline(timeout_ms),
                  giving_back(client_, bytes, std::move(done)));
    return kj::mv(promise);
}

kj::Promise<void> GroupServer::submit(SubmitContext context) {
    context.allowCancellation();
    auto params = context.getParams();
    auto outcome = submit(view(params.getCommand()), params.getTimeoutMs());
    context.releaseParams();
    return outcome.then([context, port = port_](group::Outcome&& result) mutable {
        group::HostName leader = port->leader();
        auto results =
            context.getResults(capnp::MessageSize{words_of(result) + leader.size() / 8 + 8, 0});
        encode(result, results.initOutcome());
        results.setLeader(leader);
    });
}

kj::Promise<void> GroupServer::submitText(SubmitTextContext context) {
    context.allowCancellation();
    auto params = context.getParams();
    std::vector<std::string> words = decode(params.getWords());
    Result<Bytes> command = port_->encode_command(words);
    if (!command.has_value()) {
        encode(group::NotApplied{command.error(), {}}, context.getResults().initOutcome());
        return kj::READY_NOW;
    }
    auto outcome = submit(command->view(), params.getTimeoutMs());
    context.releaseParams();
    return outcome.then(
        [context, port = port_, words = std::move(words)](group::Outcome&& result) mutable {
            encode(result, context.getResults().initOutcome());
            context.getResults().setLeader(port->leader());
            if (const auto* applied = std::get_if<group::Applied>(&result)) {
                context.getResults().setText(port->render_reply(words, applied->reply.view()));
            }
        });
}

kj::Promise<void> GroupServer::pipeline(PipelineContext context) {
    auto results = context.getResults();
    results.setPipeline(make_pipeline(client_, port_));
    results.setCreditCommands(client_->options.pipeline_commands);
    results.setCreditBytes(client_->options.pipeline_bytes);
    return kj::READY_NOW;
}

// ---- queries ----------------------------------------------------------------------------------

kj::Promise<void> GroupServer::query(QueryContext context) {
    context.allowCancellation();
    auto params = context.getParams();
    auto answer =
        ask(client_, *port_, question_of(params, Bytes::copy_of(view(params.getQuery()))));
    context.releaseParams();
    return answer.then([context](Answered&& result) mutable {
        auto results = context.getResults(capnp::MessageSize{words_of(result), 0});
        encode(result, results.initAnswer());
    });
}

kj::Promise<void> GroupServer::queries(QueriesContext context) {
    context.allowCancellation();
    auto answers = ask_all(client_, *port_, context.getParams().getQueries());
    context.releaseParams();
    return answers.then([context, most = client_->options.queries_answer_bytes](
                            std::vector<Answered>&& all) mutable { encode(all, most, context); });
}

kj::Promise<void> GroupServer::queryText(QueryTextContext context) {
    context.allowCancellation();
    auto params = context.getParams();
    std::vector<std::string> words = decode(params.getWords());
    Result<Bytes> encoded = port_->encode_query(words);
    if (!encoded.has_value()) {
        encode(encoded.error(), context.getResults().initAnswer().initFailed());
        return kj::READY_NOW;
    }
    auto answer = ask(client_, *port_, question_of(params, std::move(*encoded)));
    return answer.then(
        [context, port = port_, words = std::move(words)](Answered&& result) mutable {
            encode(result, context.getResults().initAnswer());
            if (result.has_value()) {
                context.getResults().setText(port->render_reply(words, result->reply.view()));
            }
        });
}

// ---- what it is -------------------------------------------------------------------------------

kj::Promise<void> GroupServer::describe(DescribeContext context) {
    context.allowCancellation();
    encode(port_->machine(), context.getResults().initMachine());
    auto [promise, done] = await<Result<std::vector<group::MemberAnswer>>>();
    if (client_->take(call_bytes)) {
        client_->service.group_members(port_->name(), false, client_->loop.now() + describe_timeout,
                                       giving_back(client_, call_bytes, std::move(done)));
    } else {
        done(overloaded(*client_));
    }
    return promise.then(
        [context, port = port_](Result<std::vector<group::MemberAnswer>>&& members) mutable {
            // Who cannot be asked now is simply not told of; the group itself is known.
            group::GroupLocation location{.group = port->id(), .name = port->name()};
            if (members.has_value()) {
                for (const group::MemberAnswer& member : *members) {
                    location.hosts.push_back(member.host);
                    if (member.status && !member.status->leader.empty()) {
                        location.leader = member.status->leader;
                    }
                }
            }
            encode(location, context.getResults().initLocation());
        });
}

}  // namespace

schema::Group::Client make_group(GatewayClientPtr client, std::shared_ptr<group::GroupPort> port) {
    return kj::heap<GroupServer>(std::move(client), std::move(port));
}

}  // namespace quorate::rpc
