// What each stage within a host costs a command: consensus, the log's bytes, the machine, the outcome.
// Sockets and messages: wire_bench.cpp. The disk: wal_bench.cpp.
#include "host/group/command.hpp"
#include "host/group/outcome_collector.hpp"
#include "host/group/submissions.hpp"
#include "host/machine/outcome_hash.hpp"
#include "host/machine/static_plugins.hpp"
#include "host/raft/core.hpp"
#include "plugins/bench/protocol.hpp"
#include "storage/log_engine_batch.hpp"
#include "tests/bench/per_command.hpp"
#include "tests/support/test_scheduler.hpp"

#include <benchmark/benchmark.h>

#include <string>
#include <utility>
#include <vector>

QR_DECLARE_STATIC_PLUGIN(bench);

namespace quorate {
namespace {

using bench::PerCommand;

constexpr std::size_t payload_bytes = 256;

Bytes command_payload(std::uint64_t number) {
    std::string text(payload_bytes, 'x');
    bench::write_command(text.data(), 1, number);
    return group::make_command({.time_ms = 1}, as_bytes(text));
}

// ---- consensus ----------------------------------------------------------------------------------

// The leader of three, in one thread with what its peers and its disk would answer.
class Leader {
 public:
    Leader() : core_(raft::Options{}, initial(), 1, now_) {
        core_.step(raft::Campaign{});
        settle();
        for (MemberId peer : {MemberId(2), MemberId(3)}) {
            receive(peer, raft::VoteReply{core_.term().next(), true, true});
        }
        settle();
        for (MemberId peer : {MemberId(2), MemberId(3)}) {
            receive(peer, raft::VoteReply{core_.term(), false, true});
        }
        settle();
        acknowledge();
    }

    // Proposes as one batch; returns when all of it is committed.
    void commit(std::vector<raft::Proposal> batch) {
        core_.step(raft::Propose{++batch_, std::move(batch)});
        settle();
        acknowledge();
        settle();
        core_.step(raft::Applied{core_.commit()});
        // As a driver does whose cache is bounded.
        core_.step(raft::CacheTrimmed{core_.commit().next()});
        if (core_.commit() != core_.last().index) std::abort();
    }

 private:
    static raft::Initial initial() {
        raft::Initial start;
        start.group = GroupId(1);
        start.epoch = Epoch(1);
        start.self = MemberId(1);
        for (std::uint64_t id : {1, 2, 3}) start.membership.members.push_back({MemberId(id), "h"});
        return start;
    }
    void receive(MemberId from, raft::Message message) {
        core_.step(raft::Receive{from, MemberId(1), Epoch(1), std::move(message)});
    }
    void settle() {
        raft::Output output = core_.take();
        if (output.store) core_.step(raft::Stored{output.store->ticket});
        benchmark::DoNotOptimize(output);
    }
    void acknowledge() {
        for (MemberId peer : {MemberId(2), MemberId(3)}) {
            receive(peer, raft::AppendReply{
                              .term = core_.term(), .accepted = true, .match = core_.last().index});
        }
    }

    Time now_{1h};
    raft::Core core_;
    std::uint64_t batch_ = 0;
};

void core_propose_append_acknowledge(benchmark::State& state) {
    Leader leader;
    Bytes payload = command_payload(1);
    PerCommand per(state, payload_bytes);
    for (auto _ : state) {
        std::vector<raft::Proposal> batch;
        batch.reserve(static_cast<std::size_t>(state.range(0)));
        for (std::int64_t i = 0; i < state.range(0); ++i)
            batch.push_back({raft::EntryKind::command, payload});
        leader.commit(std::move(batch));
    }
}
BENCHMARK(core_propose_append_acknowledge)->Arg(1)->Arg(64)->Arg(1024);

// ---- who waits for what ---------------------------------------------------------------------------

void submissions_add_append_answer(benchmark::State& state) {
    testing::TestScheduler scheduler;
    group::Deadlines deadlines(scheduler);
    group::Submissions submissions(scheduler, deadlines, 3s);
    Bytes payload = command_payload(1);
    std::uint64_t answered = 0;
    Index next(1);
    std::uint64_t id = 0;
    PerCommand per(state, payload_bytes);
    for (auto _ : state) {
        for (std::int64_t i = 0; i < state.range(0); ++i) {
            submissions.add(payload, scheduler.now() + 5s,
                            [&answered](const group::Outcome&) { ++answered; });
        }
        auto batch = submissions.take_batch(++id);
        submissions.appended({.id = id, .first = {Term(1), next}});
        for (std::int64_t i = 0; i < state.range(0); ++i, next = next.next())
            submissions.applied({Term(1), next}, {});
    }
    if (answered == 0) std::abort();
}
BENCHMARK(submissions_add_append_answer)->Arg(1)->Arg(64)->Arg(1024);

// ---- the log's bytes ------------------------------------------------------------------------------

void log_encode(benchmark::State& state) {
    storage::LogBatch batch;
    Bytes payload = command_payload(1);
    std::uint64_t index = 0;
    PerCommand per(state, payload_bytes);
    for (auto _ : state) {
        for (std::int64_t i = 0; i < state.range(0); ++i) {
            auto placed = batch.add({.kind = storage::RecordKind::entry,
                                     .detail = 1,
                                     .file = 1,
                                     .batch = 1,
                                     .group = GroupId(1),
                                     .index = Index(++index),
                                     .term = Term(1)},
                                    payload, 4096);
            benchmark::DoNotOptimize(placed);
        }
        batch.clear();
    }
}
BENCHMARK(log_encode)->Arg(1)->Arg(64)->Arg(1024);

// ---- the machine ----------------------------------------------------------------------------------

class Nowhere final : public machine::ApplySink {
 public:
    void reply(std::size_t, ByteView bytes) override { benchmark::DoNotOptimize(bytes.data()); }
    void effect(std::size_t, ByteView) override {}
};

std::vector<machine::Command> commands_of(const std::vector<Bytes>& payloads) {
    std::vector<machine::Command> commands(payloads.size());
    for (std::size_t i = 0; i < payloads.size(); ++i) {
        commands[i].id = {Term(1), Index(i + 1)};
        commands[i].payload = group::parse_command(payloads[i].view())->command;
    }
    return commands;
}

std::vector<Bytes> payloads(std::int64_t count) {
    std::vector<Bytes> all;
    for (std::int64_t i = 1; i <= count; ++i)
        all.push_back(command_payload(static_cast<std::uint64_t>(i)));
    return all;
}

// The bench machine behind the C ABI; `sink` gets what it says.
void apply(benchmark::State& state, machine::ApplySink& sink,
           const std::function<void(std::span<const machine::Command>)>& before,
           const std::function<void(std::size_t)>& after) {
    machine::StaticPlugins plugins;
    plugins.add(QR_STATIC_ENTRY(bench)).value();
    auto made =
        std::move(plugins.create(plugins.resolve("quorate.bench", "").value(), GroupId(1)).value());
    std::vector<Bytes> bytes = payloads(state.range(0));
    std::vector<machine::Command> commands = commands_of(bytes);
    PerCommand per(state, payload_bytes);
    for (auto _ : state) {
        before(commands);
        if (!made->apply(commands, sink).has_value()) std::abort();
        after(commands.size());
        for (machine::Command& command : commands)
            command.id.index = command.id.index + commands.size();
    }
}

void apply_through_the_abi(benchmark::State& state) {
    Nowhere sink;
    apply(
        state, sink, [](auto) {}, [](auto) {});
}
BENCHMARK(apply_through_the_abi)->Arg(1)->Arg(64)->Arg(256);

// The same, its replies kept and chained as on a leader.
void apply_and_keep_outcomes(benchmark::State& state) {
    group::ReplyRoom room(std::make_shared<group::HostMemory>(group::HostMemory::Limits{}));
    group::OutcomeCollector outcomes(GroupId(1), room);
    apply(
        state, outcomes,
        [&outcomes](std::span<const machine::Command> batch) {
            outcomes.begin(batch);
            for (std::size_t i = 0; i < batch.size(); ++i) outcomes.want(i);
        },
        [&outcomes](std::size_t count) {
            outcomes.end(count);
            for (std::size_t i = 0; i < count; ++i)
                benchmark::DoNotOptimize(outcomes.take_reply(i));
        });
}
BENCHMARK(apply_and_keep_outcomes)->Arg(1)->Arg(64)->Arg(256);

void outcome_chain(benchmark::State& state) {
    machine::OutcomeHash hash;
    std::string reply(static_cast<std::size_t>(state.range(1)), 'r');
    Index index(1);
    PerCommand per(state, reply.size());
    for (auto _ : state) {
        for (std::int64_t i = 0; i < state.range(0); ++i, index = index.next()) {
            hash.begin(index);
            hash.reply(as_bytes(reply));
        }
        benchmark::DoNotOptimize(hash.value());
    }
}
BENCHMARK(outcome_chain)->ArgNames({"", "reply"})->Args({64, 8})->Args({64, 256})->Args({64, 4096});

}  // namespace
}  // namespace quorate

BENCHMARK_MAIN();
