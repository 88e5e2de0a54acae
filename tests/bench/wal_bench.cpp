// The log beside a raw, prewritten file that takes the same batches: what a batch of the log costs
// over the write and the sync that it cannot do without. Counters: entries per second, and the ratio of
// that to the raw file's. Run on the disk that is meant (TMPDIR), on an idle machine.
#include "storage/disk_log_store.hpp"
#include "storage/posix_files.hpp"

#include <benchmark/benchmark.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace quorate::storage {
namespace {

constexpr std::size_t entry_bytes = 256;
constexpr std::uint64_t file_bytes = std::uint64_t{64} * 1024 * 1024;
constexpr std::uint64_t group_count = 16;

class Directory {
 public:
    Directory() {
        path_ = (std::filesystem::temp_directory_path() / "quorate-bench-XXXXXX").string();
        if (::mkdtemp(path_.data()) == nullptr) std::abort();
    }
    Directory(const Directory&) = delete;
    ~Directory() { std::filesystem::remove_all(path_); }
    const std::string& path() const { return path_; }

 private:
    std::string path_;
};

// Entries per second of the raw file, by entries per batch.
std::map<std::int64_t, double>& raw_rates() {
    static std::map<std::int64_t, double> rates;
    return rates;
}

double processor_seconds() {
    return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

void report(benchmark::State& state, double seconds, double processor, bool is_raw) {
    double entries = static_cast<double>(state.iterations()) * static_cast<double>(state.range(0));
    double rate = entries / seconds;
    state.counters["entries/s"] = rate;
    state.counters["cpu ns/entry"] = processor * 1e9 / entries;
    if (is_raw) raw_rates()[state.range(0)] = rate;
    if (!is_raw) state.counters["of raw"] = rate / raw_rates()[state.range(0)];
}

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void raw_file(benchmark::State& state) {
    Directory directory;
    auto files = PosixFiles::open(directory.path()).value();
    auto file = files->open("raw", Files::Mode::create_new).value();
    file->allocate(file_bytes).value();
    file->sync().value();
    std::string batch(static_cast<std::size_t>(state.range(0)) * entry_bytes, 'x');
    std::uint64_t offset = 0;
    double processor = processor_seconds();
    auto start = std::chrono::steady_clock::now();
    for (auto _ : state) {
        if (offset + batch.size() > file_bytes) offset = 0;
        ByteView part = as_bytes(batch);
        file->write_at(offset, {&part, 1}).value();
        file->sync().value();
        offset += batch.size();
    }
    report(state, seconds_since(start), processor_seconds() - processor, true);
}

class WaitingExecutor final : public Executor {
 public:
    void post(Task task) override { tasks_.post(std::move(task)); }
    void wait_and_run() {
        for (Task& task : tasks_.wait_all()) task();
    }

 private:
    Mailbox<Task> tasks_;
};

class Counter final : public LogClient {
 public:
    void stored(Ticket ticket) override { last = ticket.value(); }
    std::uint64_t last = 0;
};

// A few groups that append an entry each in turn, and release as if they took snapshots.
class Load {
 public:
    explicit Load(const std::string& path) : files_(PosixFiles::open(path).value()) {
        DiskLogStore::Options options;
        options.settled_directory = path + "/log/settled";
        store_ = DiskLogStore::open(std::move(options), *files_, [](const Error&) {
                     std::abort();
                 }).value();
        for (std::uint64_t id = 1; id <= group_count; ++id) {
            store_->create(GroupId(id), Bytes::copy_of("r"), executor_, [](auto) {});
            store_->attach(GroupId(id), executor_, clients_[id - 1]);
        }
    }
    void submit(std::int64_t entries) {
        for (; entries > 0; --entries) {
            std::uint64_t id = submitted_ % group_count + 1;
            std::uint64_t index = submitted_ / group_count + 1;
            raft::Store store{.ticket = Ticket(index)};
            store.entries.push_back({.id = {Term(1), Index(index)}, .payload = payload_});
            store_->write(GroupId(id), std::move(store));
            if (index % 1024 == 0) store_->release(GroupId(id), {Term(1), Index(index - 100)});
            ++submitted_;
        }
    }
    void wait_for(std::uint64_t entries) {
        while (stored() < entries) executor_.wait_and_run();
    }
    std::uint64_t submitted() const { return submitted_; }

 private:
    std::uint64_t stored() const {
        std::uint64_t sum = 0;
        for (const Counter& client : clients_) sum += client.last;
        return sum;
    }

    WaitingExecutor executor_;
    std::array<Counter, group_count> clients_;
    std::unique_ptr<PosixFiles> files_;
    std::unique_ptr<DiskLogStore> store_;
    Bytes payload_ = Bytes::take(std::string(entry_bytes, 'x'));
    std::uint64_t submitted_ = 0;
};

// `ahead` further batches are handed over while one is written: 0 waits for each, as one client would.
void log_store(benchmark::State& state, std::uint64_t ahead) {
    Directory directory;
    Load load(directory.path());
    auto batch = static_cast<std::uint64_t>(state.range(0));
    double processor = processor_seconds();
    auto start = std::chrono::steady_clock::now();
    for (auto _ : state) {
        load.submit(state.range(0));
        if (load.submitted() > ahead * batch) load.wait_for(load.submitted() - ahead * batch);
    }
    load.wait_for(load.submitted());
    report(state, seconds_since(start), processor_seconds() - processor, false);
}

void log_one_at_a_time(benchmark::State& state) {
    log_store(state, 0);
}
void log_one_ahead(benchmark::State& state) {
    log_store(state, 1);
}

BENCHMARK(raw_file)->Arg(1)->Arg(16)->Arg(128)->Arg(1024)->UseRealTime();
BENCHMARK(log_one_at_a_time)->Arg(1)->Arg(16)->Arg(128)->Arg(1024)->UseRealTime();
BENCHMARK(log_one_ahead)->Arg(1)->Arg(16)->Arg(128)->Arg(1024)->UseRealTime();

}  // namespace
}  // namespace quorate::storage

BENCHMARK_MAIN();
