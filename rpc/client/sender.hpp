#pragma once

#include "host/base/mailbox.hpp"
#include "rpc/client/journey.hpp"
#include "rpc/client/pipeline.hpp"
#include "rpc/client/unanswered.hpp"
#include "rpc/client/window.hpp"

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace quorate::client {

// The part of a pipeline that lives on the client's thread: takes what was posted, writes it in
// batches over one connection at a time, and tells the outcomes.
//
// A command is in exactly one place: the inbox, `pending_` (never sent), or `sent_` (waiting for its
// outcome). Outcomes come with the answers to writes, so while a command waits a write does too, if need
// be one without commands. Thread: post() from the submitting thread, the rest from the client's; the
// destructor from any, once closed.
class Sender : public std::enable_shared_from_this<Sender> {
 public:
    Sender(Connections& connections, std::string group, PipelineOptions options,
           std::shared_ptr<Window> window);
    ~Sender();

    // Pre: the command was taken from the window, which gets it back with its outcome.
    void post(std::uint64_t correlation, Bytes command);
    // Ends everything that is unanswered. Nothing is told afterwards but to what is posted
    // afterwards.
    void close();

 private:
    using Command = PipelineCommand;
    // Outcomes to be told together.
    struct Ended {
        std::vector<PipelineOutcome> outcomes;
        std::uint64_t bytes = 0;
        void add(const Command& command, Outcome outcome);
    };
    // An open pipeline on a host.
    struct Line {
        LinkPtr link;
        schema::Pipeline::Client pipeline;
        std::uint64_t credit_commands = 1;
        std::uint64_t credit_bytes = 1;
        kj::Promise<void> watch = nullptr;  // for the end of the connection
    };
    // taking
    void collect();
    void end_inbox();
    // connecting
    void connect();
    kj::Promise<End<Line>> open_line(Time deadline);
    void connected(End<Line> end, Time deadline);
    void refuse(const Error& error, Time deadline);
    void lost(const Error& why);
    void hang_up();
    // writing
    void flush();
    std::vector<Command> next_batch();
    void write(std::vector<Command> batch);
    void ask();
    // answers
    void answered(schema::Pipeline::WriteResults::Reader answer);
    void learn(const std::string& leader);
    void receive(capnp::List<schema::PipelineOutcome>::Reader list);
    // ends
    void watch_time();
    void on_time();
    void end_late();
    void end_sent(const Error& error);
    void end_pending(const Error& error);
    void tell(Ended ended) noexcept;

    Connections& connections_;
    const std::string group_;
    PipelineOptions options_;
    std::shared_ptr<Window> window_;

    Mailbox<Command> inbox_;
    std::atomic<bool> collecting_ = false;  // collect() is on its way
    std::deque<Command> pending_;
    Unanswered sent_;

    std::optional<Line> line_;
    std::uint64_t generation_ = 0;  // of the line; what comes of a former one is not ours
    bool connecting_ = false;
    std::size_t writes_ = 0;  // that wait for an answer
    bool moving_ = false;     // to another line, once this one has answered all
    bool telling_ = false;
    bool closed_ = false;
    loop::TimerId timer_ = 0;  // for on_time()
    Connections::EndId end_id_ = 0;
};

}  // namespace quorate::client
