// Pipeline of client.capnp: many commands in few calls, outcomes back in few. Nothing here is made
// per command but its payload and the function that takes its outcome.

#include "host/group/command.hpp"
#include "rpc/gateway_client.hpp"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

namespace quorate::rpc {
namespace {

struct Settled {
    std::uint64_t correlation;
    group::Outcome outcome;
    std::uint64_t bytes = 0;  // of its command
    bool used_credit = true;  // not if it was refused for want of it
};

class PipelineServer;

// What outcomes refer to: outlives the pipeline until the last of its commands is answered, and
// owns no KJ object.
struct PipelineState {
    PipelineServer* owner = nullptr;  // null: the pipeline is gone, outcomes are dropped
    GatewayClientPtr client;
    std::uint32_t commands = 0;  // taken, and no outcome sent yet
    std::uint64_t bytes = 0;     // of these
    std::vector<Settled> ready;
    std::size_t ready_bytes = 0;
    bool flush_posted = false;
    bool awaits_turn = false;  // among its connection's answers

    ~PipelineState() { take_ready(); }
    std::vector<Settled> take_ready(std::size_t most_bytes = ~std::size_t{0});
};

std::size_t words_of(const group::Outcome& outcome) {
    constexpr std::size_t fixed = 24;
    if (const auto* applied = std::get_if<group::Applied>(&outcome)) {
        return fixed + applied->reply.size() / 8;
    }
    return fixed + 64;  // an error's sentences
}

// The oldest, as many as fit but at least one.
std::vector<Settled> PipelineState::take_ready(std::size_t most_bytes) {
    std::size_t count = 0;
    std::size_t taken_bytes = 0;
    for (; count < ready.size(); ++count) {
        std::size_t next = 8 * words_of(ready[count].outcome);
        if (count > 0 && taken_bytes + next > most_bytes) break;
        taken_bytes += next;
    }
    client->answers->let_go(taken_bytes);
    ready_bytes -= taken_bytes;
    for (std::size_t i = 0; i < count; ++i) {
        if (!ready[i].used_credit) client->refused_bytes -= 8 * words_of(ready[i].outcome);
    }
    if (count == ready.size()) return std::exchange(ready, {});
    auto end = ready.begin() + static_cast<std::ptrdiff_t>(count);
    std::vector<Settled> taken(std::make_move_iterator(ready.begin()),
                               std::make_move_iterator(end));
    ready.erase(ready.begin(), end);
    return taken;
}

class PipelineServer final : public schema::Pipeline::Server, private kj::TaskSet::ErrorHandler {
 public:
    PipelineServer(GatewayClientPtr client, std::shared_ptr<group::GroupPort> port,
                   schema::PipelineSink::Client sink)
        : state_(std::make_shared<PipelineState>()),
          port_(std::move(port)),
          sink_(kj::mv(sink)),
          held_(client),
          pushes_(*this) {
        state_->owner = this;
        state_->client = std::move(client);
    }
    ~PipelineServer() noexcept { state_->owner = nullptr; }

    kj::Promise<void> write(WriteContext context) override {
        auto params = context.getParams();
        Time deadline = state_->client->deadline(params.getTimeoutMs());
        std::int64_t wall_ms = state_->client->loop.wall_ms();
        std::uint64_t correlation = params.getFirst();
        for (capnp::Data::Reader command : params.getCommands()) {
            if (broken_) break;
            submit(correlation++, view(command), wall_ms, deadline);
        }
        context.getResults().setLeader(port_->leader());
        return kj::READY_NOW;
    }

 private:
    void submit(std::uint64_t correlation, ByteView command, std::int64_t wall_ms, Time deadline);
    void refuse(std::uint64_t correlation);
    static void settle(const std::shared_ptr<PipelineState>& state, Settled settled);
    void add_ready(Settled settled);
    void give_up(std::string_view why);
    static void flush_later(const std::shared_ptr<PipelineState>& state);
    void flush();
    void push();
    void taskFailed(kj::Exception&&) override {
        // The sink is gone: with its connection, or let go by its holder. Nobody is left to tell.
        --pushing_;
        broken_ = true;
        state_->take_ready();
    }

    std::shared_ptr<PipelineState> state_;
    std::shared_ptr<group::GroupPort> port_;
    schema::PipelineSink::Client sink_;
    Held held_;
    std::uint32_t pushing_ = 0;
    bool broken_ = false;
    kj::TaskSet pushes_;
};

void PipelineServer::submit(std::uint64_t correlation, ByteView command, std::int64_t wall_ms,
                            Time deadline) {
    PipelineState& state = *state_;
    const GatewayOptions& options = state.client->options;
    bool credit = state.commands < options.pipeline_commands &&
                  state.bytes + command.size() <= options.pipeline_bytes;
    bool taken = credit && state.client->take(command.size() + pipelined_bytes);
    if (!taken) return refuse(correlation);
    ++state.commands;
    state.bytes += command.size();
    port_->submit(group::make_command({.time_ms = wall_ms}, command), deadline,
                  [shared = state_, correlation, bytes = command.size()](group::Outcome outcome) {
                      settle(shared, {correlation, std::move(outcome), bytes});
                  });
}

// An honest client never comes here, one that counts wrongly learns it, and one that goes on is
// hung up on: even refusals take memory until they are read.
void PipelineServer::refuse(std::uint64_t correlation) {
    const GatewayOptions& options = state_->client->options;
    if (state_->ready.size() > 4 * std::size_t{options.pipeline_commands} ||
        state_->client->refused_bytes > options.max_queued_bytes) {
        return give_up("it goes far beyond its credit");
    }
    const InFlight& inflight = state_->client->inflight;
    Error why =
        fail_overloaded("the pipeline's credit of " + std::to_string(options.pipeline_commands) +
                            " commands and " + std::to_string(options.pipeline_bytes) +
                            " bytes is used up, or the connection's, or the host's",
                        inflight.rate.retry_after_ms(inflight.bytes));
    Settled refused{.correlation = correlation,
                    .outcome = group::NotApplied{std::move(why), port_->leader()},
                    .used_credit = false};
    state_->client->refused_bytes += 8 * words_of(refused.outcome);
    add_ready(std::move(refused));
}

void PipelineServer::settle(const std::shared_ptr<PipelineState>& state, Settled settled) {
    state->client->give_back(settled.bytes + pipelined_bytes);
    if (state->owner == nullptr || state->owner->broken_) return;
    state->owner->add_ready(std::move(settled));
}

void PipelineServer::add_ready(Settled settled) {
    std::size_t bytes = 8 * words_of(settled.outcome);
    state_->client->answers->hold(bytes);
    state_->ready_bytes += bytes;
    state_->ready.push_back(std::move(settled));
    flush_later(state_);
}

// Once: what is settled later is dropped, as what is ready.
void PipelineServer::give_up(std::string_view why) {
    broken_ = true;
    state_->take_ready();
    state_->client->hang_up(why);
}

// After what is ready in this turn: a batch of commands that commits as one is answered as one.
void PipelineServer::flush_later(const std::shared_ptr<PipelineState>& state) {
    if (std::exchange(state->flush_posted, true)) return;
    state->client->loop.post([state] {
        state->flush_posted = false;
        if (state->owner != nullptr) state->owner->flush();
    });
}

// A few calls on their way at most: a client that reads slowly gets larger batches, not more calls.
// Each waits for its turn among all that the connection is told.
void PipelineServer::flush() {
    const GatewayOptions& options = state_->client->options;
    while (!broken_ && !state_->ready.empty() && !state_->awaits_turn &&
           pushing_ < options.pipeline_pushes) {
        state_->awaits_turn = true;
        std::size_t bytes = std::min(state_->ready_bytes, options.push_bytes);
        state_->client->answers->tell(bytes, [state = state_] {
            state->awaits_turn = false;
            if (state->owner != nullptr) state->owner->push();
        });
    }
}

void PipelineServer::push() {
    if (broken_ || state_->ready.empty()) return;
    std::vector<Settled> settled = state_->take_ready(state_->client->options.push_bytes);
    std::uint64_t words = 16;
    for (const Settled& one : settled) words += words_of(one.outcome);
    auto request = sink_.outcomesRequest(capnp::MessageSize{words, 0});
    auto list = request.initOutcomes(static_cast<unsigned>(settled.size()));
    for (unsigned i = 0; i < settled.size(); ++i) {
        list[i].setCorrelation(settled[i].correlation);
        encode(settled[i].outcome, list[i].initOutcome());
        // The credit is free again from here on, so that the client never knows of more than there
        // is.
        state_->commands -= settled[i].used_credit ? 1 : 0;
        state_->bytes -= settled[i].bytes;
    }
    ++pushing_;
    pushes_.add(request.send().ignoreResult().then([this] {
        --pushing_;
        state_->client->answers->progress();
        flush();
    }));
    flush();
}

}  // namespace

schema::Pipeline::Client make_pipeline(GatewayClientPtr client,
                                       std::shared_ptr<group::GroupPort> port,
                                       schema::PipelineSink::Client sink) {
    return kj::heap<PipelineServer>(std::move(client), std::move(port), kj::mv(sink));
}

}  // namespace quorate::rpc
