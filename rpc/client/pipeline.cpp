#include "rpc/client/pipeline.hpp"

#include "rpc/client/calls.hpp"
#include "rpc/client/decode.hpp"

#include <algorithm>
#include <atomic>
#include <deque>

namespace quorate::client {
namespace {

constexpr std::size_t max_write_commands = 4096;
constexpr std::size_t max_write_bytes = 1u << 20;

struct Waiting {
    std::uint64_t correlation = 0;
    Bytes command;
    Time deadline;
};

// Counts what is unanswered; the submitting thread waits on it, the client's thread gives back.
class Window {
 public:
    Window(std::uint64_t commands, std::uint64_t bytes)
        : max_commands_(commands), max_bytes_(bytes) {}

    void take(std::uint64_t bytes) {
        // One command always fits, however large.
        for (std::uint64_t held = commands_; held != 0; held = commands_) {
            if (held < max_commands_ && bytes_ + bytes <= max_bytes_) break;
            commands_.wait(held);
        }
        commands_ += 1;
        bytes_ += bytes;
    }
    void give_back(std::uint64_t commands, std::uint64_t bytes) {
        bytes_ -= bytes;
        commands_ -= commands;
        commands_.notify_all();
    }
    void wait_empty() {
        for (std::uint64_t held = commands_; held != 0; held = commands_) commands_.wait(held);
    }

 private:
    const std::uint64_t max_commands_;
    const std::uint64_t max_bytes_;
    std::atomic<std::uint64_t> commands_ = 0;
    std::atomic<std::uint64_t> bytes_ = 0;
};

// The part on the client's thread. `pending` was not sent; `sent` was, and waits for its outcome, in order of
// sending with serial numbers of this connection, which is what the host sees as correlations.
class Sender : public std::enable_shared_from_this<Sender> {
 public:
    Sender(Connections& connections, std::string group, PipelineOptions options,
           std::shared_ptr<Window> window)
        : connections_(connections),
          group_(std::move(group)),
          options_(std::move(options)),
          window_(std::move(window)) {}

    // What was sent, and what was not, ends here if the client is closed.
    ~Sender() {
        end_sent(client_gone());
        end_pending(client_gone());
        end_inbox();
    }

    // From the submitting thread: everything posted before the client's thread looks goes as one.
    void post(std::uint64_t correlation, Bytes command) {
        inbox_.post({correlation, std::move(command), {}});
        if (scheduled_.exchange(true)) return;
        bool taken = connections_.run([self = shared_from_this()] { self->collect(); });
        if (!taken) end_inbox();
    }

    // The client is closed: what was posted ends here, on whichever thread notices.
    void end_inbox() {
        std::vector<PipelineOutcome> ended;
        std::uint64_t bytes = 0;
        for (Waiting& waiting : inbox_.take_all()) {
            ended.push_back({waiting.correlation, NotApplied{client_gone(), {}}});
            bytes += waiting.command.size();
        }
        if (ended.empty()) return;
        if (options_.on_outcomes) options_.on_outcomes(ended);
        window_->give_back(ended.size(), bytes);
    }

    void outcomes(capnp::List<schema::PipelineOutcome>::Reader list) {
        std::vector<PipelineOutcome> ended;
        ended.reserve(list.size());
        for (auto item : list) {
            auto found = sent_.find(item.getCorrelation());
            if (found == sent_.end()) continue;
            ended.push_back({found->second.correlation, decode(item.getOutcome())});
            ended_bytes_ += found->second.command.size();
            sent_.erase(found);
        }
        report(std::move(ended));
        flush();
    }

    // Nobody waits for outcomes any more.
    void close() {
        closed_ = true;
        end_sent(client_gone());
        end_pending(client_gone());
        end_inbox();
        disconnect();
    }

 private:
    class Sink;

    bool connected() const { return link_ != nullptr; }

    void collect() {
        scheduled_ = false;
        if (closed_) return end_inbox();
        Time deadline = connections_.now() + options_.timeout;
        for (Waiting& waiting : inbox_.take_all()) {
            waiting.deadline = deadline;
            pending_.push_back(std::move(waiting));
        }
        flush();
    }

    // Sends what is pending, unless a write is on its way: what gathers meanwhile goes with the next.
    void flush() {
        if (closed_ || writing_ || pending_.empty()) return;
        end_late();
        if (pending_.empty()) return;
        if (migrate_ && !sent_.empty()) return;  // drains first, so that order holds
        if (migrate_) disconnect();
        if (!connected()) return connect();
        std::vector<Waiting> batch = next_batch();
        if (batch.empty()) return;
        write(std::move(batch));
    }

    // As much as one write takes and the host's credit allows.
    std::vector<Waiting> next_batch() {
        std::vector<Waiting> batch;
        std::size_t bytes = 0;
        while (!pending_.empty() && batch.size() < max_write_commands) {
            bool credit = sent_.size() + batch.size() < credit_commands_ &&
                          sent_bytes_ + bytes < credit_bytes_;
            bool fits = batch.empty() || bytes + pending_.front().command.size() <= max_write_bytes;
            if (!credit || !fits) break;
            bytes += pending_.front().command.size();
            batch.push_back(std::move(pending_.front()));
            pending_.pop_front();
        }
        return batch;
    }

    void write(std::vector<Waiting> batch) {
        std::size_t words = 32;
        for (const Waiting& w : batch) words += 2 + w.command.size() / 8;
        auto request = pipeline_.writeRequest(capnp::MessageSize{words, 0});
        request.setFirst(next_serial_);
        request.setTimeoutMs(milliseconds_left(batch.front().deadline, connections_.now()));
        auto commands = request.initCommands(static_cast<unsigned>(batch.size()));
        for (unsigned i = 0; i < batch.size(); ++i) {
            ByteView bytes = batch[i].command.view();
            commands.set(i, {reinterpret_cast<const capnp::byte*>(bytes.data()), bytes.size()});
        }
        for (Waiting& w : batch) {
            sent_bytes_ += w.command.size();
            sent_.emplace(next_serial_++, std::move(w));
        }
        writing_ = true;
        auto self = shared_from_this();
        std::uint64_t generation = generation_;
        connections_.keep(request.send().then(
            [self, generation](capnp::Response<schema::Pipeline::WriteResults> answer) {
                if (generation != self->generation_) return;
                self->writing_ = false;
                self->follow_leader(answer.getLeader().cStr());
                self->flush();
            },
            [self, generation](kj::Exception&& e) { self->broken(generation, e); }));
    }

    // The next connection goes to the leader's host, once this one has no answers under way.
    void follow_leader(const std::string& leader) {
        connections_.learn_leader(group_, leader);
        std::string endpoint = connections_.leader_endpoint(group_);
        migrate_ = link_ && !leader.empty() && leader != link_->server.host && !endpoint.empty();
    }

    void connect() {
        writing_ = true;
        auto self = shared_from_this();
        std::uint64_t generation = ++generation_;
        connections_.keep(open(pending_.front().deadline, generation)
                              .then([self, generation](Result<LinkPtr> link) {
                                  if (generation == self->generation_)
                                      self->opened(std::move(link));
                              }));
    }

    void opened(Result<LinkPtr> link) {
        writing_ = false;
        if (link.has_value()) {
            link_ = *link;
            watch();
        } else {
            refuse(link.error());
        }
        flush();
    }

    kj::Promise<Result<LinkPtr>> open(Time deadline, std::uint64_t generation);

    // No connection could be had: what waits longest ends; the rest is tried anew.
    void refuse(const Error& error) {
        bool final = error.code != Errc::unreachable && error.code != Errc::deadline_exceeded;
        std::vector<PipelineOutcome> ended;
        while (!pending_.empty() &&
               (final || pending_.front().deadline <= connections_.now() + 100ms)) {
            ended.push_back({pending_.front().correlation, NotApplied{error, {}}});
            ended_bytes_ += pending_.front().command.size();
            pending_.pop_front();
        }
        report(std::move(ended));
    }

    // The connection broke: what was sent may or may not have been applied.
    void broken(std::uint64_t generation, const kj::Exception& e) {
        if (generation != generation_) return;
        Error error = rpc_error(e, link_ ? link_->endpoint : group_);
        if (link_) connections_.drop(link_);
        disconnect();
        error.code = Errc::leadership_lost;
        error.hint = "the connection was lost before the answer came";
        end_sent(error);
        flush();
    }

    void disconnect() {
        ++generation_;
        writing_ = false;
        migrate_ = false;
        link_.reset();
        pipeline_ = nullptr;
    }

    // Ends what was never sent and is out of time, and gives a host up that does not answer in time.
    void end_late() {
        Time now = connections_.now();
        std::vector<PipelineOutcome> ended;
        while (!pending_.empty() && pending_.front().deadline <= now) {
            ended.push_back({pending_.front().correlation,
                             NotApplied{fail(Errc::deadline_exceeded, "not sent in time"), {}}});
            ended_bytes_ += pending_.front().command.size();
            pending_.pop_front();
        }
        report(std::move(ended));
    }

    void watch();

    void end_sent(const Error& error) {
        std::vector<PipelineOutcome> ended;
        for (auto& [serial, waiting] : sent_) {
            ended.push_back({waiting.correlation, Unknown{error}});
            ended_bytes_ += waiting.command.size();
        }
        sent_.clear();
        report(std::move(ended));
    }

    void end_pending(const Error& error) {
        std::vector<PipelineOutcome> ended;
        for (Waiting& waiting : pending_) {
            ended.push_back({waiting.correlation, NotApplied{error, {}}});
            ended_bytes_ += waiting.command.size();
        }
        pending_.clear();
        report(std::move(ended));
    }

    void report(std::vector<PipelineOutcome> ended) {
        if (ended.empty()) return;
        sent_bytes_ = sent_.empty() ? 0 : sent_bytes_ - std::min(sent_bytes_, ended_bytes_);
        if (options_.on_outcomes) options_.on_outcomes(ended);
        window_->give_back(ended.size(), std::exchange(ended_bytes_, 0));
    }

    Connections& connections_;
    std::string group_;
    PipelineOptions options_;
    std::shared_ptr<Window> window_;

    Mailbox<Waiting> inbox_;
    std::atomic<bool> scheduled_ = false;  // collect() is on its way
    std::deque<Waiting> pending_;
    std::map<std::uint64_t, Waiting> sent_;  // by serial
    std::uint64_t next_serial_ = 1;
    std::uint64_t sent_bytes_ = 0;
    std::uint64_t ended_bytes_ = 0;

    LinkPtr link_;
    schema::Pipeline::Client pipeline_ = nullptr;
    std::uint64_t credit_commands_ = 0;
    std::uint64_t credit_bytes_ = 0;
    std::uint64_t generation_ = 0;  // of the connection; answers of former ones are not ours
    bool writing_ = false;          // a write, or a connection attempt, is under way
    bool migrate_ = false;
    bool watching_ = false;
    bool closed_ = false;
};

class Sender::Sink final : public schema::PipelineSink::Server {
 public:
    Sink(std::weak_ptr<Sender> sender, std::uint64_t generation)
        : sender_(std::move(sender)), generation_(generation) {}

    kj::Promise<void> outcomes(OutcomesContext context) override {
        auto sender = sender_.lock();
        if (sender && sender->generation_ == generation_)
            sender->outcomes(context.getParams().getOutcomes());
        return kj::READY_NOW;
    }

 private:
    std::weak_ptr<Sender> sender_;
    std::uint64_t generation_;
};

kj::Promise<Result<LinkPtr>> Sender::open(Time deadline, std::uint64_t generation) {
    auto self = shared_from_this();
    Ask<LinkPtr> ask = [self, deadline, generation](LinkPtr link) {
        return self->connections_.group(link, self->group_, deadline)
            .then([self, link, generation](Result<GroupCap> group) -> kj::Promise<Result<LinkPtr>> {
                if (!group.has_value()) return Result<LinkPtr>(group.error());
                auto request = (*group)->pipelineRequest();
                request.setSink(kj::heap<Sink>(self, generation));
                return request.send().then(
                    [self, link](capnp::Response<schema::Group::PipelineResults> answer) {
                        self->pipeline_ = answer.getPipeline();
                        self->credit_commands_ =
                            std::max<std::uint64_t>(answer.getCreditCommands(), 1);
                        self->credit_bytes_ = std::max<std::uint64_t>(answer.getCreditBytes(), 1);
                        return Result<LinkPtr>(link);
                    });
            });
    };
    return ask_some_host<LinkPtr>(connections_, connections_.leader_endpoint(group_), deadline,
                                  Repeat::freely, ask);
}

// A host that is silent past a command's deadline: its connection is given up, so that the command ends.
void Sender::watch() {
    if (watching_) return;
    watching_ = true;
    std::weak_ptr<Sender> weak = weak_from_this();
    connections_.keep(connections_.sleep_until(connections_.now() + grace).then([weak] {
        auto self = weak.lock();
        if (!self || self->closed_) return;
        self->watching_ = false;
        self->end_late();
        bool silent = !self->sent_.empty() &&
                      self->sent_.begin()->second.deadline + grace < self->connections_.now();
        if (silent) {
            self->broken(self->generation_, KJ_EXCEPTION(DISCONNECTED, "the host is silent"));
        }
        if (self->link_ || !self->sent_.empty()) self->watch();
    }));
}

class PipelineImpl final : public Pipeline {
 public:
    PipelineImpl(std::shared_ptr<Connections> connections, std::string group,
                 PipelineOptions options)
        : connections_(std::move(connections)),
          window_(std::make_shared<Window>(options.window, options.window_bytes)),
          sender_(std::make_shared<Sender>(*connections_, std::move(group), std::move(options),
                                           window_)) {
        std::weak_ptr<Sender> weak = sender_;
        connections_->at_end([weak] {
            if (auto sender = weak.lock()) sender->close();
        });
    }

    ~PipelineImpl() override {
        auto sender = std::exchange(sender_, nullptr);
        connections_->run([sender] { sender->close(); });
    }

    void submit(std::uint64_t correlation, ByteView command) override {
        window_->take(command.size());
        sender_->post(correlation, Bytes::copy_of(command));
    }

    void drain() override { window_->wait_empty(); }

 private:
    std::shared_ptr<Connections> connections_;
    std::shared_ptr<Window> window_;
    std::shared_ptr<Sender> sender_;
};

}  // namespace

Result<std::unique_ptr<Pipeline>> Group::pipeline(PipelineOptions options) {
    if (options.window == 0 || options.window_bytes == 0) {
        return fail(Errc::request_invalid, "a pipeline's window must be at least 1");
    }
    return std::unique_ptr<Pipeline>(new PipelineImpl(connections_, name_, std::move(options)));
}

}  // namespace quorate::client
