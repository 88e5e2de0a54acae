// Pipeline of client.capnp: many commands in few calls. A write waits for outcomes, and its answer takes
// all that are ready: a batch of commands that commits as one costs one call and one answer. Nothing here
// is made per command but its payload and the function that takes its outcome.

#include "host/group/command.hpp"
#include "rpc/gateway_client.hpp"

#include <algorithm>
#include <deque>
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

class PipelineServer final : public schema::Pipeline::Server {
 public:
    PipelineServer(GatewayClientPtr client, std::shared_ptr<group::GroupPort> port)
        : state_(std::make_shared<PipelineState>()), port_(std::move(port)), held_(client) {
        state_->owner = this;
        state_->client = std::move(client);
    }
    ~PipelineServer() noexcept { state_->owner = nullptr; }

    kj::Promise<void> write(WriteContext context) override;

 private:
    void submit(std::uint64_t correlation, ByteView command, std::int64_t wall_ms, Time deadline);
    void refuse(std::uint64_t correlation);
    static void settle(const std::shared_ptr<PipelineState>& state, Settled settled);
    void add_ready(Settled settled);
    void give_up(std::string_view why);
    static void flush_later(const std::shared_ptr<PipelineState>& state);
    // There is something to say, or nothing to wait for.
    bool may_answer() const { return !state_->ready.empty() || state_->commands == 0; }
    void flush();
    void answer_oldest();

    std::shared_ptr<PipelineState> state_;
    std::shared_ptr<group::GroupPort> port_;
    Held held_;
    std::deque<kj::Own<kj::PromiseFulfiller<std::vector<Settled>>>> writes_;  // not answered yet
    bool broken_ = false;
};

// What an answer of a write says.
struct WriteAnswer {
    std::vector<Settled> settled;
    group::HostName leader;

    capnp::MessageSize size() const {
        std::uint64_t words = 16 + leader.size() / 8;
        for (const Settled& one : settled) words += words_of(one.outcome);
        return {words, 0};
    }
    void encode_to(schema::Pipeline::WriteResults::Builder out) const {
        out.setLeader(leader);
        if (settled.empty()) return;
        auto list = out.initOutcomes(static_cast<unsigned>(settled.size()));
        for (unsigned i = 0; i < settled.size(); ++i) {
            list[i].setCorrelation(settled[i].correlation);
            encode(settled[i].outcome, list[i].initOutcome());
        }
    }
};

kj::Promise<void> PipelineServer::write(WriteContext context) {
    context.allowCancellation();
    auto params = context.getParams();
    Time deadline = state_->client->deadline(params.getTimeoutMs());
    std::int64_t wall_ms = state_->client->loop.wall_ms();
    std::uint64_t correlation = params.getFirst();
    for (capnp::Data::Reader command : params.getCommands()) {
        if (broken_) break;
        submit(correlation++, view(command), wall_ms, deadline);
    }
    context.releaseParams();
    auto pair = kj::newPromiseAndFulfiller<std::vector<Settled>>();
    writes_.push_back(kj::mv(pair.fulfiller));
    if (writes_.size() > state_->client->options.pipeline_writes) {
        writes_.front()->fulfill({});
        writes_.pop_front();
    }
    if (may_answer()) flush_later(state_);
    return pair.promise.then([context, port = port_](std::vector<Settled>&& settled) mutable {
        WriteAnswer answer{std::move(settled), port->leader()};
        answer.encode_to(context.getResults(answer.size()));
    });
}

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

// Each answer waits for its turn among all that the connection is told.
void PipelineServer::flush() {
    while (!broken_ && !writes_.empty() && may_answer() && !state_->awaits_turn) {
        state_->awaits_turn = true;
        std::size_t bytes =
            std::min(state_->ready_bytes, state_->client->options.pipeline_answer_bytes);
        state_->client->answers->tell(bytes, [state = state_] {
            state->awaits_turn = false;
            if (state->owner != nullptr) state->owner->answer_oldest();
        });
    }
}

void PipelineServer::answer_oldest() {
    // Its caller may have let go of it.
    while (!writes_.empty() && !writes_.front()->isWaiting()) writes_.pop_front();
    if (broken_ || writes_.empty()) return;
    auto write = kj::mv(writes_.front());
    writes_.pop_front();
    auto settled = state_->take_ready(state_->client->options.pipeline_answer_bytes);
    for (const Settled& one : settled) {
        // The credit is free again from here on, so that the client never knows of more than there
        // is.
        state_->commands -= one.used_credit ? 1 : 0;
        state_->bytes -= one.bytes;
    }
    write->fulfill(kj::mv(settled));
    flush();
}

}  // namespace

schema::Pipeline::Client make_pipeline(GatewayClientPtr client,
                                       std::shared_ptr<group::GroupPort> port) {
    return kj::heap<PipelineServer>(std::move(client), std::move(port));
}

}  // namespace quorate::rpc
