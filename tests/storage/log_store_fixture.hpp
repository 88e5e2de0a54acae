#pragma once

#include "host/base/mailbox.hpp"
#include "storage/disk_log_store.hpp"
#include "storage/log_store.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace quorate::storage {

// Runs what is posted when the test says so, on the test's thread.
class TestExecutor final : public Executor {
 public:
    void post(Task task) override { tasks_.post(std::move(task)); }
    bool run_ready() { return run(tasks_.take_all()); }
    bool wait_and_run(std::chrono::milliseconds limit) { return run(tasks_.wait_all_for(limit)); }
    std::size_t posts() const { return posts_; }

 private:
    bool run(std::vector<Task> tasks) {
        posts_ += tasks.size();
        for (Task& task : tasks) task();
        return !tasks.empty();
    }

    Mailbox<Task> tasks_;
    std::size_t posts_ = 0;
};

// Remembers what it was told.
class TestClient final : public LogClient {
 public:
    void stored(Ticket ticket) override {
        if (ticket <= last) ADD_FAILURE() << "reported out of order";
        last = ticket;
        ++reports;
    }
    Ticket last;
    int reports = 0;
};

inline raft::Entry entry(std::uint64_t index, std::uint64_t term, std::string payload,
                         raft::EntryKind kind = raft::EntryKind::command) {
    return {
        .id = {Term(term), Index(index)}, .kind = kind, .payload = Bytes::take(std::move(payload))};
}

// "<term>:<payload>" of each, for comparing and for failures that can be read.
inline std::vector<std::string> texts(const std::vector<raft::Entry>& entries) {
    std::vector<std::string> all;
    for (const raft::Entry& e : entries) {
        all.push_back(std::to_string(e.id.index.value()) + "/" + std::to_string(e.id.term.value()) +
                      ":" + std::string(e.payload.text()));
    }
    return all;
}

// One engine with what it needs to live, to be driven and to be opened again.
class LogStoreUnderTest {
 public:
    virtual ~LogStoreUnderTest() = default;
    virtual LogStore& store() = 0;
    // What is durable is opened again. Clients are gone.
    virtual void reopen() = 0;
    // Lets the engine work for a while; false if it seems to have nothing to do.
    virtual bool drive() = 0;

    TestExecutor executor;
};

struct LogStoreKind {
    const char* name;
    std::function<std::unique_ptr<LogStoreUnderTest>()> make;
    friend std::ostream& operator<<(std::ostream& out, const LogStoreKind& kind) {
        return out << kind.name;
    }
};

// A group's life in a few words, whatever the engine.
class GroupOf {
 public:
    GroupOf(LogStoreUnderTest& host, std::uint64_t id) : host_(&host), id_(id) {}

    GroupId id() const { return id_; }
    TestClient client;
    Ticket ticket;

    Result<void> create(std::string registration = "registration");
    Result<void> update(std::string registration);
    Result<void> erase();
    void attach() { host_->store().attach(id_, host_->executor, client); }
    // Hands over a store; flush() waits until it is durable.
    void write(raft::Store store);
    void append(std::uint64_t from, std::uint64_t to, std::uint64_t term, std::size_t bytes = 0);
    bool flush();
    Result<std::vector<raft::Entry>> read(std::uint64_t from, std::uint64_t to,
                                          std::uint64_t max_bytes = 1 << 30);
    std::vector<std::string> read_texts(std::uint64_t from, std::uint64_t to);
    Result<RecoveredLog> recover();
    void release(std::uint64_t index, std::uint64_t term) {
        host_->store().release(id_, {Term(term), Index(index)});
    }

    // The payload that append() gives an entry.
    static std::string payload(std::uint64_t index, std::uint64_t term, std::size_t bytes = 0);

 private:
    template <class Done>
    void wait_for(Done done);
    template <class Call>
    Result<void> call(Call what);

    LogStoreUnderTest* host_;
    GroupId id_;
};

// What take_recovered() says of a group, or nothing.
const RecoveredLog* find(const std::vector<RecoveredLog>& logs, GroupId group);

// ---- the engines ----------------------------------------------------------------------------

// Small files, so that a short test fills several.
LogOptions small_files();

}  // namespace quorate::storage
