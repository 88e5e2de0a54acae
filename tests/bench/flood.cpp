// What tests/bench/overload does to a cluster: far more than it can take, and clients that do not read.
// Each prints one JSON line.
//
//     flood load  --endpoint A:P --group g --rate 1000000 --seconds 60
//         an open loop, whatever the answers say; proves that what was acknowledged is true
//     flood watch --endpoint A:P --group g < until-this-ends
//         a polite write every few milliseconds
//     flood deaf  --endpoint A:P --group g < until-this-ends
//         asks for much and reads nothing
#include "rpc/bench/verify.hpp"
#include "tests/bench/beside.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <limits>
#include <memory>
#include <semaphore>
#include <thread>
#include <vector>

namespace {

using namespace quorate;
using bench::nanoseconds;

struct Options {
    std::vector<std::string> endpoints;
    std::string group;
    std::size_t payload = 256;
    std::uint32_t clients = 16;
    double rate = 100'000;  // a second, over all clients
    double seconds = 10;
    int pause_ms = 5;
};

constexpr std::uint32_t first_flooding_writer = 100;
constexpr std::uint32_t watching_writer = 50;
constexpr std::uint32_t filling_writer = 51;

[[noreturn]] void die(const std::string& what) {
    bench::die("flood", what);
}
std::unique_ptr<client::Client> connect(const Options& options) {
    return bench::connect("flood", options.endpoints);
}

// ---- far too much -----------------------------------------------------------------------------

// A client that begins commands at its times, whatever became of those before: only its own pipeline's
// window, as wide as a host gives credit, holds it back.
class Flooder {
 public:
    Flooder(const Options& options, std::uint32_t number)
        : options_(options), client_(connect(options)) {
        written_.group = options.group;
        written_.writer = first_flooding_writer + number;
        auto made = client_->group(options.group)
                        .pipeline({.on_outcomes = [this](auto outcomes) { ended(outcomes); },
                                   .window = 8192,
                                   .window_bytes = 16u << 20,
                                   .timeout = std::chrono::seconds(10)});
        if (!made.has_value()) die(to_string(made.error()));
        pipeline_ = std::move(*made);
    }
    Flooder(const Flooder&) = delete;

    void start() {
        thread_ = std::thread([this] { flood(); });
    }
    void stop_offering() { thread_.join(); }
    void drain() { pipeline_->drain(); }

    bench::Written& written() { return written_; }
    std::uint64_t offered = 0;
    std::uint64_t held_back = 0;  // due while the window was full
    std::uint64_t acknowledged = 0;
    std::uint64_t overloaded = 0;
    std::uint64_t without_hint = 0;  // of these
    std::uint64_t refused_otherwise = 0;
    std::uint32_t hint_min = std::numeric_limits<std::uint32_t>::max();
    std::uint32_t hint_max = 0;
    std::string last_error;

 private:
    void flood() {
        std::string command(options_.payload, 'f');
        double interval = 1e9 * options_.clients / options_.rate;
        auto begin = nanoseconds();
        auto end = static_cast<double>(begin) + options_.seconds * 1e9;
        for (double at = static_cast<double>(begin); at < end; at += interval) {
            wait_until_due(static_cast<std::int64_t>(at));
            ++offered;
            bench::write_command(command.data(), written_.writer, ++last_number_);
            if (pipeline_->try_submit(last_number_, as_bytes(command))) continue;
            ++held_back;
            if (static_cast<double>(nanoseconds()) >= end) break;
            // Until there may be room. What is due meanwhile is due in vain.
            while (told_.try_acquire()) {
            }
            (void)told_.try_acquire_for(std::chrono::milliseconds(1));
            auto now = static_cast<double>(nanoseconds());
            auto missed = static_cast<std::uint64_t>(std::max(0.0, (now - at) / interval));
            offered += missed;
            held_back += missed;
            at += static_cast<double>(missed) * interval;
        }
    }

    // Outcomes wake it early, and it goes on waiting.
    void wait_until_due(std::int64_t at) {
        constexpr std::int64_t soon = 1'000'000;
        for (auto early = at - nanoseconds(); early > soon; early = at - nanoseconds())
            (void)told_.try_acquire_for(std::chrono::nanoseconds(early));
    }

    void ended(std::span<client::PipelineOutcome> outcomes) {
        told_.release();
        for (auto& one : outcomes) {
            if (std::holds_alternative<client::Applied>(one.outcome)) {
                ++acknowledged;
                written_.acknowledged.add(one.correlation);
            } else if (auto* refused = std::get_if<client::NotApplied>(&one.outcome)) {
                note(refused->error);
            } else {
                ++written_.unknown;
                last_error = to_string(std::get<client::Unknown>(one.outcome).error);
            }
        }
    }
    void note(const Error& error) {
        if (error.code != Errc::overloaded) {
            ++refused_otherwise;
            last_error = to_string(error);
            return;
        }
        ++overloaded;
        if (error.retry_after_ms == 0) ++without_hint;
        hint_min = std::min(hint_min, error.retry_after_ms);
        hint_max = std::max(hint_max, error.retry_after_ms);
    }

    const Options& options_;
    std::unique_ptr<client::Client> client_;
    bench::Written written_;
    std::uint64_t last_number_ = 0;
    std::counting_semaphore<> told_{0};  // calls with outcomes
    std::unique_ptr<client::Pipeline> pipeline_;
    std::thread thread_;
};

int load(const Options& options) {
    std::vector<std::unique_ptr<Flooder>> flooders;
    for (std::uint32_t i = 0; i < options.clients; ++i)
        flooders.push_back(std::make_unique<Flooder>(options, i));
    auto begin = nanoseconds();
    for (auto& one : flooders) one->start();
    for (auto& one : flooders) one->stop_offering();
    auto end = nanoseconds();
    for (auto& one : flooders) one->drain();
    std::vector<bench::Written> written;
    std::uint64_t offered = 0, held_back = 0, acknowledged = 0, overloaded = 0, unhinted = 0;
    std::uint64_t refused = 0, unknown = 0;
    std::uint32_t hint_min = std::numeric_limits<std::uint32_t>::max(), hint_max = 0;
    std::string error;
    for (auto& one : flooders) {
        offered += one->offered;
        held_back += one->held_back;
        acknowledged += one->acknowledged;
        overloaded += one->overloaded;
        unhinted += one->without_hint;
        refused += one->refused_otherwise;
        unknown += one->written().unknown;
        hint_min = std::min(hint_min, one->hint_min);
        hint_max = std::max(hint_max, one->hint_max);
        if (!one->last_error.empty()) error = one->last_error;
        written.push_back(one->written());
    }
    flooders.clear();
    auto client = connect(options);
    auto wrong = bench::verify(*client, written);
    bool sound = wrong.has_value() && wrong->empty();
    if (!sound) {
        fmt::print(stderr, "flood: {}\n", wrong.has_value() ? *wrong : to_string(wrong.error()));
    }
    if (!error.empty()) fmt::print(stderr, "flood: among others: {}\n", error);
    fmt::print(R"({{"end_ns":{},"seconds":{:.2f},"offered":{},"held_back":{},"acknowledged":{},)"
               R"("overloaded":{},"without_hint":{},"hint_ms_min":{},"hint_ms_max":{},)"
               R"("refused_otherwise":{},"unknown":{},"verified":{}}})"
               "\n",
               end, static_cast<double>(end - begin) / 1e9, offered, held_back, acknowledged,
               overloaded, unhinted, overloaded > 0 ? hint_min : 0, hint_max, refused, unknown,
               sound);
    return sound ? 0 : 1;
}

// ---- somebody who behaves -----------------------------------------------------------------------

// When each write began, and after how many microseconds it was acknowledged; -1: it was not.
int watch(const Options& options) {
    auto client = connect(options);
    auto group = client->group(options.group);
    std::string command(options.payload, 'w');
    std::vector<std::pair<std::int64_t, std::int64_t>> seen;
    bench::Until until;
    std::uint64_t number = 0;
    do {
        auto begin = nanoseconds();
        bench::write_command(command.data(), watching_writer, ++number);
        auto outcome = group.submit(as_bytes(command), std::chrono::seconds(5)).get();
        bool fine = std::holds_alternative<client::Applied>(outcome);
        seen.emplace_back(begin, fine ? (nanoseconds() - begin) / 1000 : -1);
    } while (!until.over_within(std::chrono::milliseconds(options.pause_ms)));
    fmt::print("{{\"writes\":[");
    for (std::size_t i = 0; i < seen.size(); ++i)
        fmt::print("{}[{},{}]", i == 0 ? "" : ",", seen[i].first, seen[i].second);
    fmt::print("]}}\n");
    return 0;
}

// ---- somebody who does not read -------------------------------------------------------------------

// Asks for answers of a mebibyte, again and again, and blocks its own thread with the first of them: what
// the hosts send lies in their memory, or in the sockets'.
int deaf(const Options& options) {
    constexpr std::size_t large = 1u << 20;
    constexpr std::uint32_t slot = 7;
    auto client = connect(options);
    auto group = client->group(options.group);
    std::string value(large, 'd');
    bench::write_command(value.data(), filling_writer, slot);
    auto outcome = group.submit(as_bytes(value), std::chrono::seconds(10)).get();
    if (!std::holds_alternative<client::Applied>(outcome)) die("the large value was not taken");
    auto first = group
                     .query(client::ReadLevel::linearizable, as_bytes(bench::ask_slot(slot)),
                            std::chrono::seconds(10))
                     .get();
    if (!first.has_value()) die(to_string(first.error()));
    std::binary_semaphore end(0);
    std::atomic<std::uint64_t> told = 0;
    bool blocked = false;  // the client's thread only
    for (int i = 0; i < 4096; ++i) {
        group
            .query(client::ReadLevel::leader, as_bytes(bench::ask_slot(slot)),
                   std::chrono::hours(1))
            .then([&](const Result<client::Answer>&) {
                ++told;
                if (!std::exchange(blocked, true)) end.acquire();
            });
    }
    bench::Until().wait();
    auto before = told.load();
    end.release();
    fmt::print("{{\"asked\":4096,\"answer_bytes\":{},\"told_while_deaf\":{}}}\n",
               first->reply.size(), before);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app("What tests/bench/overload does to a cluster.");
    app.require_subcommand(1);
    app.add_option("--endpoint", options.endpoints)->required();
    app.add_option("--group", options.group)->required();
    app.add_option("--payload", options.payload)->check(CLI::Range(12, 1 << 20));
    app.add_option("--clients", options.clients)->check(CLI::Range(1, 1000));
    app.add_option("--rate", options.rate, "commands a second, over all clients");
    app.add_option("--seconds", options.seconds);
    app.add_option("--pause-ms", options.pause_ms, "between the writes of `watch`");
    app.fallthrough();
    auto* loading = app.add_subcommand("load", "an open loop, whatever the answers say");
    auto* watching = app.add_subcommand("watch", "a write every few milliseconds");
    app.add_subcommand("deaf", "asks for much and reads nothing");
    CLI11_PARSE(app, argc, argv);
    if (loading->parsed()) return load(options);
    return watching->parsed() ? watch(options) : deaf(options);
}
