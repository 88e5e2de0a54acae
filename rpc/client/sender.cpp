#include "rpc/client/sender.hpp"

#include "host/base/check.hpp"
#include "rpc/client/decode.hpp"

#include <algorithm>

namespace quorate::client {
namespace {

constexpr std::size_t max_write_commands = 4096;
constexpr std::size_t max_write_bytes = 1u << 20;
// Unanswered at once: what gathers beyond that goes with the next, so that many commands never become
// many calls.
constexpr std::size_t max_writes = 8;
// Commands of one write share its timeout, which is that of the first: the others must not be much
// later.
constexpr int deadline_spread = 8;

}  // namespace

void Sender::Ended::add(const Command& command, Outcome outcome) {
    outcomes.push_back({command.correlation, std::move(outcome)});
    bytes += command.bytes.size();
}

Sender::Sender(Connections& connections, std::string group, PipelineOptions options,
               std::shared_ptr<Window> window)
    : connections_(connections),
      group_(std::move(group)),
      options_(std::move(options)),
      window_(std::move(window)) {
    options_.timeout = std::clamp(options_.timeout, Duration::zero(), longest_timeout);
}

Sender::~Sender() {
    end_inbox();
}

// ---- taking -------------------------------------------------------------------------------------

// Everything posted before the client's thread looks goes as one.
void Sender::post(std::uint64_t correlation, Bytes command) {
    inbox_.post({correlation, std::move(command), {}});
    if (collecting_.exchange(true)) return;
    bool taken = connections_.run([self = shared_from_this()] { self->collect(); });
    if (!taken) end_inbox();
}

// The client or the pipeline is closed: what was posted ends here, on whichever thread notices.
void Sender::end_inbox() {
    collecting_ = false;
    Ended ended;
    for (const Command& command : inbox_.take_all()) {
        ended.add(command, NotApplied{client_gone(), {}});
    }
    tell(std::move(ended));
}

void Sender::collect() {
    if (connections_.have_ended()) closed_ = true;
    if (closed_) return end_inbox();
    if (end_id_ == 0) {
        end_id_ = connections_.at_end([weak = weak_from_this()] {
            if (auto self = weak.lock()) self->close();
        });
    }
    collecting_ = false;
    Time deadline = connections_.now() + options_.timeout;
    Ended ended;
    for (Command& command : inbox_.take_all()) {
        if (auto error = too_large(connections_, command.bytes.size())) {
            ended.add(command, NotApplied{std::move(*error), {}});
        } else {
            command.deadline = deadline;
            pending_.push_back(std::move(command));
        }
    }
    tell(std::move(ended));
    flush();
    watch_time();
}

// ---- connecting ---------------------------------------------------------------------------------

void Sender::connect() {
    connecting_ = true;
    Time deadline = pending_.front().deadline;
    std::uint64_t generation = ++generation_;
    connections_.keep(
        open_line(deadline).then([self = shared_from_this(), deadline, generation](End<Line> end) {
            if (generation == self->generation_) self->connected(std::move(end), deadline);
        }));
}

kj::Promise<End<Sender::Line>> Sender::open_line(Time deadline) {
    auto journey = std::make_shared<Journey>(connections_, group_, deadline - connections_.now());
    Request<GroupCap, Line> request;
    request.open = [journey](const LinkPtr& link) {
        return journey->connections().group(link, journey->group(), journey->deadline());
    };
    request.call = [](const LinkPtr& link, const GroupCap& group) {
        return group->cap.pipelineRequest().send().then(
            [link](capnp::Response<schema::Group::PipelineResults> answer) {
                return Line{link, answer.getPipeline(),
                            std::max<std::uint64_t>(answer.getCreditCommands(), 1),
                            std::max<std::uint64_t>(answer.getCreditBytes(), 1)};
            });
    };
    request.repeatable = true;
    return travel(journey, std::move(request));
}

void Sender::connected(End<Line> end, Time deadline) {
    connecting_ = false;
    if (auto* line = std::get_if<Line>(&end)) {
        line_ = std::move(*line);
        auto ended = [weak = weak_from_this(), generation = generation_] {
            auto self = weak.lock();
            if (self && self->generation_ == generation)
                self->lost(fail(Errc::unreachable, self->line_->link->endpoint));
        };
        line_->watch =
            line_->link->gone.addBranch().then(kj::mv(ended)).eagerlyEvaluate([](kj::Exception&&) {
            });
    } else if (auto* unsent = std::get_if<NotSent>(&end)) {
        refuse(unsent->error, deadline);
    } else {
        refuse(std::get<Lost>(end).error, deadline);
    }
    flush();
}

// No connection could be had until `deadline`, or this error says that none can: then everything
// ends.
void Sender::refuse(const Error& error, Time deadline) {
    bool final = error.code != Errc::deadline_exceeded && !is_for_another(error.code);
    Ended ended;
    while (!pending_.empty() && (final || pending_.front().deadline <= deadline)) {
        ended.add(pending_.front(), NotApplied{error, {}});
        pending_.pop_front();
    }
    tell(std::move(ended));
}

// The connection broke: what was sent may or may not have been applied.
void Sender::lost(const Error& why) {
    connections_.broken(line_->link);
    hang_up();
    Error error = why;
    error.code = Errc::leadership_lost;
    error.what = "the connection was lost before the answer came: " + error.what;
    error.hint = "it may have been applied: look before you submit it again";
    end_sent(error);
    flush();
}

void Sender::hang_up() {
    ++generation_;
    connecting_ = false;
    writes_ = 0;
    moving_ = false;
    if (!line_) return;
    // This may be called from within what it waits for.
    connections_.keep(kj::evalLater([line = kj::mv(*line_)] {}));
    line_.reset();
}

// ---- writing ------------------------------------------------------------------------------------

void Sender::flush() {
    end_late();
    if (closed_ || connecting_) return;
    if (pending_.empty()) return ask();
    if (moving_ && !sent_.empty()) return ask();  // first all answers, so that the order holds
    if (moving_) hang_up();
    if (!line_) return connect();
    if (!line_->link->rpc->is_open()) return lost(fail(Errc::unreachable, line_->link->endpoint));
    while (writes_ < max_writes && !pending_.empty()) {
        std::vector<Command> batch = next_batch();
        if (batch.empty()) break;
        write(std::move(batch));
    }
    ask();
}

// For outcomes, if no write does.
void Sender::ask() {
    if (line_ && writes_ == 0 && !sent_.empty() && line_->link->rpc->is_open()) write({});
}

// As much as one write takes and the host's credit allows.
std::vector<Sender::Command> Sender::next_batch() {
    std::vector<Command> batch;
    std::size_t bytes = 0;
    Time latest = pending_.front().deadline + options_.timeout / deadline_spread;
    while (!pending_.empty() && batch.size() < max_write_commands) {
        const Command& next = pending_.front();
        bool credit = sent_.count() + batch.size() < line_->credit_commands &&
                      sent_.bytes() + bytes + next.bytes.size() <= line_->credit_bytes;
        // A command beyond all credit is sent alone: the host says no, in its own words.
        bool alone = sent_.empty() && batch.empty();
        bool fits = batch.empty() || bytes + next.bytes.size() <= max_write_bytes;
        if ((!credit && !alone) || !fits || next.deadline > latest) break;
        bytes += next.bytes.size();
        batch.push_back(std::move(pending_.front()));
        pending_.pop_front();
    }
    return batch;
}

void Sender::write(std::vector<Command> batch) {
    std::size_t words = 32;
    for (const Command& command : batch) words += 2 + command.bytes.size() / 8;
    auto request = line_->pipeline.writeRequest(capnp::MessageSize{words, 0});
    request.setFirst(sent_.next_serial());
    if (!batch.empty()) {
        request.setTimeoutMs(milliseconds_left(batch.front().deadline, connections_.now()));
        auto commands = request.initCommands(static_cast<unsigned>(batch.size()));
        for (unsigned i = 0; i < batch.size(); ++i) {
            commands.set(i, data_of(batch[i].bytes.view()));
        }
    }
    for (Command& command : batch) sent_.add(std::move(command));
    ++writes_;
    connections_.keep(request.send().then(
        [self = shared_from_this(),
         generation = generation_](capnp::Response<schema::Pipeline::WriteResults> answer) {
            if (generation == self->generation_) self->answered(answer);
        },
        [self = shared_from_this(), generation = generation_](kj::Exception&& e) {
            if (generation == self->generation_)
                self->lost(rpc_error(e, self->line_->link->endpoint));
        }));
}

// ---- answers ------------------------------------------------------------------------------------

// What on_outcomes submits goes with the next write, now, rather than by way of the loop.
void Sender::answered(schema::Pipeline::WriteResults::Reader answer) {
    --writes_;
    if (writes_ == 0 && !sent_.empty() && answer.getOutcomes().size() == 0) {
        return lost(fail(Errc::protocol, line_->link->endpoint + " owes outcomes and gives none"));
    }
    bool collects = !collecting_.exchange(true);
    learn(answer.getLeader().cStr());
    receive(answer.getOutcomes());
    if (collects) return collect();
    flush();
}

void Sender::learn(const std::string& leader) {
    Whereabouts& whereabouts = connections_.whereabouts();
    whereabouts.leads(group_, leader);
    bool elsewhere = !leader.empty() && leader != line_->link->server.host;
    if (elsewhere && !whereabouts.leader(group_, connections_.now()).empty()) moving_ = true;
}

void Sender::receive(capnp::List<schema::PipelineOutcome>::Reader list) {
    Ended ended;
    ended.outcomes.reserve(list.size());
    for (auto item : list) {
        std::optional<Command> command = sent_.take(item.getCorrelation());
        if (!command) continue;
        Outcome outcome = decode(item.getOutcome());
        auto* refused = std::get_if<NotApplied>(&outcome);
        if (refused != nullptr && refused->error.code == Errc::no_such_group) {
            // The group that we opened is no more, but one of its name may have been created since.
            line_->link->groups.erase(group_);
            moving_ = true;
        }
        ended.add(*command, std::move(outcome));
    }
    tell(std::move(ended));
}

// ---- ends ---------------------------------------------------------------------------------------

void Sender::close() {
    CHECK(!telling_, "a pipeline may not be destroyed from its own on_outcomes");
    closed_ = true;
    connections_.forget(std::exchange(end_id_, 0));
    connections_.cancel(std::exchange(timer_, 0));
    hang_up();
    end_sent(client_gone());
    end_pending(client_gone());
    end_inbox();
}

// One timer, for what ends first.
void Sender::watch_time() {
    if (timer_ != 0 || closed_ || (pending_.empty() && sent_.empty())) return;
    Time next = Time::max();
    if (!pending_.empty()) next = pending_.front().deadline;
    if (!sent_.empty()) next = std::min(next, sent_.first_deadline() + grace);
    timer_ = connections_.at(next, [weak = weak_from_this()] {
        if (auto self = weak.lock()) self->on_time();
    });
}

void Sender::on_time() {
    timer_ = 0;
    bool silent = line_ && !sent_.empty() && sent_.first_deadline() + grace <= connections_.now();
    if (silent) {
        lost(fail(Errc::deadline_exceeded, line_->link->endpoint + " did not answer in time"));
    } else {
        flush();
    }
    watch_time();
}

void Sender::end_late() {
    Ended ended;
    while (!pending_.empty() && pending_.front().deadline <= connections_.now()) {
        Error late = fail(Errc::deadline_exceeded,
                          "group '" + group_ + "': the command could not be sent in time");
        ended.add(pending_.front(), NotApplied{std::move(late), {}});
        pending_.pop_front();
    }
    tell(std::move(ended));
}

void Sender::end_sent(const Error& error) {
    Ended ended;
    for (const Command& command : sent_.take_all()) ended.add(command, Unknown{error});
    tell(std::move(ended));
}

void Sender::end_pending(const Error& error) {
    Ended ended;
    for (const Command& command : pending_) ended.add(command, NotApplied{error, {}});
    pending_.clear();
    tell(std::move(ended));
}

void Sender::tell(Ended ended) noexcept {
    if (ended.outcomes.empty()) return;
    telling_ = true;
    options_.on_outcomes(ended.outcomes);
    telling_ = false;
    window_->give_back(ended.outcomes.size(), ended.bytes);
}

}  // namespace quorate::client
