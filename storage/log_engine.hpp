#pragma once

#include "host/base/mailbox.hpp"
#include "host/base/time.hpp"
#include "storage/audit.hpp"
#include "storage/log_engine_batch.hpp"
#include "storage/log_engine_files.hpp"
#include "storage/log_engine_read.hpp"
#include "storage/log_engine_reports.hpp"
#include "storage/log_engine_request.hpp"
#include "storage/settled_settler.hpp"

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace quorate::storage {

// Limits of one log engine, and what happens at each.
struct LogOptions {
    std::string directory = "log";  // below the root of the file layer
    // Size of a log file; a record that is larger gets a file of its own size. A full file settles.
    std::uint64_t file_bytes = std::uint64_t{64} * 1024 * 1024;
    // What one batch takes on; the rest waits for the next.
    std::uint64_t max_batch_bytes = std::uint64_t{16} * 1024 * 1024;
    // Files that have not settled; at this many the writer waits for settling.
    std::uint32_t max_files = 16;
    // Full files that wait before the oldest settles: what a snapshot releases meanwhile is never written
    // again. None wait while space is low. Below max_files.
    std::uint32_t waiting_files = 2;
    // Settled files kept for use again; more are removed.
    std::uint32_t max_free_files = 2;
    // The watermark is written at most this often while batches flow.
    Duration watermark_interval = 100ms;
    // Space::low below this part of the disk, or two files if they are more, but at low_bytes at most; plenty
    // again a quarter above it. Looked at every second while batches flow or space is low, and with each
    // new file.
    std::uint32_t low_percent = 10;
    std::uint64_t low_bytes = std::uint64_t{1024} * 1024 * 1024;
};

// Runs what is slow beside the engine: each lane one thing after another. In the simulator
// everything runs at once, on the spot.
class Aside {
 public:
    enum class Lane : std::uint8_t { files, settling, reading };
    virtual ~Aside() = default;
    virtual void run(Lane lane, Task task) = 0;
};

class InlineAside final : public Aside {
 public:
    void run(Lane, Task task) override { task(); }
};

// The log of all groups of a system, driven step by step: queue() what is asked, then run_once() takes
// everything queued, by all groups, as one write and one sync, and reports.
//
// Invariants: what was reported durable is in the files or in a checkpoint of the settled log.
// A group's entries above `last - recent.size()` are in `recent`; those below, down to its base,
// have settled. Files up to `settled_file_` may be used again.
//
// Thread: one, but for what runs aside, which sees the engine only through `events_`.
class LogEngine {
 public:
    struct Environment {
        Files& files;
        SettledHome& home;
        Aside& aside;
        // Puts a request into the queue, from any thread, and has run_once() called soon.
        std::function<void(Request)> post;
        // A write or sync failed. Called once, on the thread that drives the engine.
        std::function<void(const Error&)> on_failure;
    };

    // Audits and puts in order what is there (audit.hpp), or makes a new log.
    static Result<std::unique_ptr<LogEngine>> open(LogOptions options, Environment environment);
    LogEngine(const LogEngine&) = delete;
    // Without close(): as a crash.
    ~LogEngine();

    // Once; empties what it returns.
    std::vector<RecoveredLog> take_recovered() { return std::move(recovered_); }
    // What the audit found wrong with the files.
    const std::vector<std::string>& findings() const { return findings_; }

    void queue(Request request) { queue_.push_back(std::move(request)); }
    bool has_work() const { return !queue_.empty(); }
    // Takes what is queued, up to the batch's limit, makes it durable and reports. With nothing
    // queued it does only what wake_at() was for.
    void run_once(Time now);
    // When to call run_once() although nothing is queued.
    std::optional<Time> wake_at() const;
    bool failed() const { return failed_; }
    Space space() const { return space_.load(std::memory_order_relaxed); }

    // Orderly end: says in the watermark that nothing came after it. Pre: nothing queued, nothing
    // running aside; no other call follows.
    void close();

 private:
    struct Group {
        EntryId base;
        Index last;
        raft::HardState hard;
        std::uint64_t chain = 0;
        Recent recent;
        std::shared_ptr<Attachment> attachment;
        std::uint64_t touched_file = 0;  // the file whose list of touched groups names it
        std::uint64_t truncated_in = 0;  // the last file that cuts off entries of earlier ones
        bool in_watermark = true;        // unchanged since the watermark was last written
        bool refused = false;            // a store broke the contract: none after it counts
        std::unique_ptr<const RecoveredLog::Damage> damage;  // until it is repaired
    };

    LogEngine(LogOptions options, Environment environment, AuditedLog&& log);
    Result<void> begin(AuditedLog& log);
    Result<void> begin_file(AuditedLog& log);

    // Requests, in log_engine_requests.cpp.
    void on(request::Create&& create);
    void on(request::Update&& update);
    void on(request::Erase&& erase);
    void on(request::Attach&& attach);
    void on(request::Detach&& detach);
    void on(request::Write&& write);
    void on(request::Read&& read) { reads_.push_back(std::move(read)); }
    void on(request::Recover&& recover) { recoveries_.push_back(std::move(recover)); }
    void on(request::Release&& release);
    void on(request::Repaired&& repaired);
    void on(request::Nudge&&) {}
    void done_when_durable(Executor* on, request::Done done, Result<void> result);
    bool accepts(const Group& group, const raft::Store& store) const;
    void write_store(GroupId id, Group& group, raft::Store& store);
    void write_entry(GroupId id, Group& group, raft::Entry& entry, std::uint8_t flags);
    void serve_reads();
    void serve(request::Read&& read);
    ReadPlan plan(Group& group, request::Read&& read);
    void serve(request::Recover&& recover);
    // Runs `find` aside; what it gives goes to whoever asked, or the request is made again.
    template <class Request, class Find>
    void find_aside(const Request& request, Find find);

    // Files, in log_engine.cpp.
    void append(GroupId id, Group& group, RecordHeader header, const Bytes& payload = {});
    void append_twice(GroupId id, Group& group, RecordHeader header, const Bytes& payload = {});
    void make_room(std::uint64_t bytes);
    void next_file(std::uint64_t bytes);
    void flush();
    void fail_with(const Error& error);
    void touch(GroupId id, Group& group);
    void take_batch();
    void wait_for_settling();

    // What runs aside.
    struct Settled {
        Result<SettledMark> mark;
        std::vector<std::uint64_t> files;
    };
    struct MarkWritten {
        Result<void> result;
    };
    using Event = std::variant<Result<WalFile>, Settled, MarkWritten>;
    void handle(Event event);
    void not_prepared(const Error& why);
    void handle_settled(Settled settled);
    void handle_events();
    void wait_for_event();
    void prepare_next();
    void settle();
    void drop_free_files();
    void write_watermark(Time now);
    WatermarkChange take_watermark_change(bool all);
    void look_at_space(Time now);

    const LogOptions options_;
    const LogPaths paths_;
    Environment environment_;
    std::vector<RecoveredLog> recovered_;
    std::vector<std::string> findings_;
    std::deque<Request> queue_;
    std::unordered_map<GroupId, Group> groups_;
    LogReports reports_;
    // Of this batch: served once all of it is in the files.
    std::vector<request::Read> reads_;
    std::vector<request::Recover> recoveries_;

    WalFile current_;
    std::uint64_t offset_ = 0;  // in the current file, where the batch will be written
    std::uint64_t batch_ = 0;   // number of the batch being made
    LogBatch pending_;
    std::optional<WalFile> next_;
    bool preparing_ = false;
    bool needs_next_ = false;          // the current one is full
    std::vector<std::uint64_t> full_;  // sealed, waiting to settle, ascending
    std::vector<std::uint64_t> free_;  // settled, not used again yet
    std::uint64_t settled_file_ = 0;
    bool settling_ = false;
    bool said_waiting_ = false;
    std::unordered_map<std::uint64_t, std::vector<GroupId>> touched_;  // by file

    std::vector<GroupId> changed_;  // since the watermark was last written; erased ones too
    bool writing_watermark_ = false;
    std::optional<Time> watermark_at_;  // when it may be written again
    std::optional<Time> space_at_;
    std::atomic<Space> space_ = Space::plenty;
    bool failed_ = false;

    std::unique_ptr<SettledLog> settled_;
    std::unique_ptr<Settler> settler_;            // settling lane
    std::unique_ptr<LogReader> reader_;           // reading lane
    std::unique_ptr<WatermarkKeeper> watermark_;  // files lane
    Mailbox<Event> events_;
};

}  // namespace quorate::storage
