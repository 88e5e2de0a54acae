// What `./dev bench` asks of a cluster while it breaks it: fill a group's log, say when the first write
// is acknowledged, how long writes were out after a signal, how a load fares over time. One JSON line each.
//
//     probe fill   --endpoint A:P --group g --entries 1000000
//     probe first  --endpoint A:P --group g --since NANOSECONDS
//     probe outage --endpoint A:P --endpoint B:P --group g --pid PID --signal 9
//     probe load   --endpoint A:P --group g < until-this-ends
//
// NANOSECONDS are those of CLOCK_MONOTONIC, which all processes of a machine share.
#include "plugins/bench/protocol.hpp"
#include "rpc/client/client.hpp"
#include "tests/bench/beside.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <functional>
#include <limits>
#include <thread>

namespace {

using namespace quorate;  // as literals of time
using bench::nanoseconds;

struct Options {
    std::vector<std::string> endpoints;
    std::string group;
    std::size_t payload = 256;
    std::uint64_t entries = 1'000'000;
    std::uint32_t window = 4096;
    std::int64_t since = 0;
    double give_up = 60;  // seconds
    int pid = 0;
    int signal = SIGKILL;
};

[[noreturn]] void die(const std::string& what) {
    bench::die("probe", what);
}

double milliseconds_since(std::int64_t then) {
    return static_cast<double>(nanoseconds() - then) / 1e6;
}

std::unique_ptr<client::Client> connect(std::vector<std::string> endpoints) {
    return bench::connect("probe", std::move(endpoints));
}

// Writer `number`s of their own: a machine keeps an account of each.
std::string command_of(const Options& options, std::uint32_t writer, std::uint64_t number) {
    std::string command(options.payload, 'p');
    bench::write_command(command.data(), writer, number);
    return command;
}

// ---- fill -------------------------------------------------------------------------------------

std::unique_ptr<client::Pipeline> open_pipeline(
    client::Client& client, const Options& options,
    std::function<void(std::span<client::PipelineOutcome>)> told) {
    auto made =
        client.group(options.group)
            .pipeline({.on_outcomes = std::move(told), .window = options.window, .timeout = 30s});
    if (!made.has_value()) die(to_string(made.error()));
    return std::move(*made);
}

int fill(const Options& options) {
    auto client = connect(options.endpoints);
    std::atomic<std::uint64_t> lost = 0;
    auto pipeline = open_pipeline(*client, options, [&lost](auto outcomes) {
        for (auto& one : outcomes) lost += !std::holds_alternative<client::Applied>(one.outcome);
    });
    auto begin = nanoseconds();
    for (std::uint64_t i = 1; i <= options.entries; ++i)
        pipeline->submit(i, as_bytes(command_of(options, 1, i)));
    pipeline->drain();
    fmt::print(R"({{"entries":{},"payload":{},"seconds":{:.3f},"not_acknowledged":{}}})"
               "\n",
               options.entries, options.payload, milliseconds_since(begin) / 1000, lost.load());
    return lost == 0 ? 0 : 1;
}

// ---- a load over time -------------------------------------------------------------------------

// As many commands as the window allows, until standard input ends. Says how many were acknowledged
// in each tenth of a second.
int load(const Options& options) {
    constexpr std::int64_t slice = 100'000'000;
    auto client = connect(options.endpoints);
    auto begin = nanoseconds();
    std::vector<std::uint64_t> acknowledged;  // by the client's thread, read when it has ended
    auto pipeline = open_pipeline(*client, options, [&acknowledged, begin](auto outcomes) {
        auto now = static_cast<std::size_t>((nanoseconds() - begin) / slice);
        if (acknowledged.size() <= now) acknowledged.resize(now + 1);
        for (auto& one : outcomes)
            acknowledged[now] += std::holds_alternative<client::Applied>(one.outcome);
    });
    bench::Until until;
    for (std::uint64_t i = 1; !until.over(); ++i)
        pipeline->submit(i, as_bytes(command_of(options, 3, i)));
    pipeline->drain();
    fmt::print(R"({{"begin_ns":{},"acknowledged":[{}]}})"
               "\n",
               begin, fmt::join(acknowledged, ","));
    return 0;
}

// ---- the first write --------------------------------------------------------------------------

// Tries of 100 ms each until one is acknowledged or time is over; within one the client pauses by itself
// between hosts that refuse. When, in nanoseconds; the
// greatest number there is if never.
std::int64_t write_until_acknowledged(client::Client& client, const Options& options,
                                      std::uint32_t writer) {
    auto end = nanoseconds() + static_cast<std::int64_t>(options.give_up * 1e9);
    for (std::uint64_t number = 1; nanoseconds() < end; ++number) {
        auto outcome = client.group(options.group)
                           .submit(as_bytes(command_of(options, writer, number)), 100ms)
                           .get();
        if (std::holds_alternative<client::Applied>(outcome)) return nanoseconds();
    }
    return std::numeric_limits<std::int64_t>::max();
}

int first(const Options& options) {
    auto since = options.since != 0 ? options.since : nanoseconds();
    auto client = connect(options.endpoints);
    auto when = write_until_acknowledged(*client, options, 2);
    if (when == std::numeric_limits<std::int64_t>::max()) die("no write was acknowledged");
    fmt::print("{{\"first_ms\":{:.1f}}}\n", static_cast<double>(when - since) / 1e6);
    return 0;
}

// ---- an outage --------------------------------------------------------------------------------

// The first endpoint is the victim's. One ordinary client knows all of them; one more stands at each
// survivor.
int outage(const Options& options) {
    if (options.endpoints.size() < 2 || options.pid == 0)
        die("outage needs a victim and survivors");
    auto ordinary = connect(options.endpoints);
    std::vector<std::unique_ptr<client::Client>> at;
    for (std::size_t i = 1; i < options.endpoints.size(); ++i)
        at.push_back(connect({options.endpoints[i]}));
    std::uint32_t writer = 10;
    for (int warm = 0; warm < 20; ++warm) {
        write_until_acknowledged(*ordinary, options, ++writer);
        for (auto& survivor : at) write_until_acknowledged(*survivor, options, ++writer);
    }
    if (::kill(options.pid, options.signal) != 0) die("there is no process to signal");
    auto begin = nanoseconds();
    std::atomic<std::int64_t> earliest = std::numeric_limits<std::int64_t>::max();
    std::vector<std::thread> threads;
    for (auto& survivor : at) {
        threads.emplace_back([&options, &earliest, &survivor, who = ++writer] {
            auto when = write_until_acknowledged(*survivor, options, who);
            auto before = earliest.load();
            while (when < before && !earliest.compare_exchange_weak(before, when)) {
            }
        });
    }
    auto ours = write_until_acknowledged(*ordinary, options, ++writer);
    for (std::thread& thread : threads) thread.join();
    if (earliest == std::numeric_limits<std::int64_t>::max()) die("writes never came back");
    fmt::print("{{\"survivors_ms\":{:.1f},\"client_ms\":{:.1f}}}\n",
               static_cast<double>(earliest - begin) / 1e6,
               static_cast<double>(ours - begin) / 1e6);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app("What `./dev bench` asks of a cluster while it breaks it.");
    app.require_subcommand(1);
    app.add_option("--endpoint", options.endpoints)->required();
    app.add_option("--group", options.group)->required();
    app.add_option("--payload", options.payload)->check(CLI::Range(12, 1 << 20));
    app.add_option("--entries", options.entries);
    app.add_option("--window", options.window);
    app.add_option("--since", options.since, "CLOCK_MONOTONIC, nanoseconds");
    app.add_option("--give-up", options.give_up, "seconds");
    app.add_option("--pid", options.pid);
    app.add_option("--signal", options.signal);
    app.fallthrough();
    auto* filling = app.add_subcommand("fill", "put entries into the log");
    auto* waiting = app.add_subcommand("first", "until the first acknowledged write");
    auto* breaking = app.add_subcommand("outage", "signal a process; until writes are back");
    auto* loading = app.add_subcommand("load", "how many are acknowledged, over time");
    CLI11_PARSE(app, argc, argv);
    if (loading->parsed()) return load(options);
    if (filling->parsed()) return fill(options);
    if (waiting->parsed()) return first(options);
    return breaking->parsed() ? outage(options) : 1;
}
