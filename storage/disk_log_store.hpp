#pragma once

#include "storage/log_engine.hpp"
#include "storage/log_store.hpp"

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace quorate::storage {

// A log engine as a LogStore: calls become requests. What a group's own thread needs to know of its
// attachment is kept here; all else is the engine's. See LogEngine and LogStore.
//
// Executors given to it outlive it: what is durable may be reported up to its end.
class EngineLogStore : public LogStore {
 public:
    std::vector<RecoveredLog> take_recovered() override { return engine().take_recovered(); }
    void create(GroupId group, Bytes registration, Executor& on,
                std::function<void(Result<void>)> done) override;
    void update_registration(GroupId group, Bytes registration, Executor& on,
                             std::function<void(Result<void>)> done) override;
    void erase(GroupId group, Executor& on, std::function<void(Result<void>)> done) override;
    void attach(GroupId group, Executor& on, LogClient& client) override;
    void detach(GroupId group) override;
    void write(GroupId group, raft::Store store) override;
    void read(GroupId group, Index from, Index to, std::uint64_t max_bytes, Executor& on,
              ReadDone done) override;
    void recover(GroupId group, Executor& on, RecoverDone done) override;
    void release(GroupId group, EntryId up_to) override;
    void repaired(GroupId group) override;
    Space space() const override { return const_cast<EngineLogStore*>(this)->engine().space(); }
    // What the audit at open found wrong with the files; empty if nothing was.
    const std::vector<std::string>& findings() { return engine().findings(); }

 protected:
    virtual LogEngine& engine() = 0;
    virtual void submit(Request request) = 0;

 private:
    Guarded<std::unordered_map<GroupId, std::shared_ptr<Attachment>>> attachments_;
};

// The log on disk: one writer thread, which writes what is ready, and a thread each for preparing
// files, for settling and for reading what is not in memory.
//
// The destructor takes on everything called before, makes it durable and says in the watermark that
// the end was orderly. It settles nothing.
class DiskLogStore final : public EngineLogStore {
 public:
    struct Options {
        LogOptions log;
        // Where the settled log's directory is, as the operating system names it; its parent is there.
        std::string settled_directory;
        // WiredTiger's cache of settled entries; it evicts beyond.
        std::uint64_t settled_cache_bytes = std::uint64_t{64} * 1024 * 1024;
    };
    // `on_failure` runs on the writer thread, once, when a write or sync has failed: from then on
    // nothing is reported durable, and the process has to stop. Errors: Errc::io, disk_full,
    // format_unknown; damage is not an error but found in take_recovered() and findings().
    static Result<std::unique_ptr<DiskLogStore>> open(Options options, Files& files,
                                                      std::function<void(const Error&)> on_failure);
    ~DiskLogStore() override;

 protected:
    LogEngine& engine() override { return *engine_; }
    void submit(Request request) override { requests_.post(std::move(request)); }

 private:
    // One thread that runs tasks in order.
    class Worker {
     public:
        Worker();
        ~Worker();
        void run(Task task) { tasks_.post(std::move(task)); }
        enum class Rest : std::uint8_t { run, drop };
        // Ends the thread, after the task under way and, with Rest::run, those that wait.
        void stop(Rest rest);

     private:
        Mailbox<Task> tasks_;
        std::atomic<bool> drop_ = false;
        std::thread thread_;
    };
    class Threads final : public Aside {
     public:
        void run(Lane lane, Task task) override;
        void stop();

     private:
        std::array<Worker, 3> lanes_;
    };

    DiskLogStore() = default;
    void write_until_closed();
    void write_all();

    std::function<void(const Error&)> on_failure_;
    std::unique_ptr<SettledHome> home_;
    Mailbox<Request> requests_;
    Threads threads_;
    std::unique_ptr<LogEngine> engine_;
    bool broken_ = false;  // the writer's, read when that has ended
    std::thread writer_;
};

// The same log without threads, for the simulator: `on_work` is called when there is something for
// step() to do; step() does it, at once and inline. Thread: one.
class SteppedLogStore final : public EngineLogStore {
 public:
    struct Options {
        LogOptions log;
        std::function<void()> on_work;  // step() is wanted; not called again before it is run
        std::function<void(const Error&)> on_failure;
    };
    static Result<std::unique_ptr<SteppedLogStore>> open(Options options, Files& files,
                                                         SettledHome& home);
    ~SteppedLogStore() override = default;  // as a crash: what was not stepped was never written

    // Takes what was called so far as one batch (or the part of it that one batch may hold: then
    // on_work is called again), one write and one sync, and posts the reports.
    void step(Time now);
    // When step() is wanted although nothing was called.
    std::optional<Time> wake_at() const { return engine_->wake_at(); }
    // Orderly end. Pre: nothing waits for step(); no call follows.
    void close() { engine_->close(); }

 protected:
    LogEngine& engine() override { return *engine_; }
    void submit(Request request) override;

 private:
    SteppedLogStore() = default;

    Options options_;
    InlineAside aside_;
    std::vector<Request> early_;  // asked for by the engine while it opens
    bool said_ = false;
    std::unique_ptr<LogEngine> engine_;
};

}  // namespace quorate::storage
