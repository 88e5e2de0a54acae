#include "rpc/cli/bench_report.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <utility>
#include <vector>

namespace quorate::cli {
namespace {

namespace json = boost::json;

double micros(std::uint64_t nanoseconds) {
    return static_cast<double>(nanoseconds / 100) / 10;
}
double tenths(double value) {
    return std::round(value * 10) / 10;
}

std::string_view level_name(client::ReadLevel level) {
    switch (level) {
        case client::ReadLevel::local:
            return "local";
        case client::ReadLevel::leader:
            return "leader";
        case client::ReadLevel::linearizable:
            return "linearizable";
    }
    return "";
}

std::int64_t whole(double value) {
    return std::llround(value);
}

void put_latency(json::object& out, const bench::Histogram& latency) {
    out["p50_us"] = whole(micros(latency.quantile(0.5)));
    out["p90_us"] = whole(micros(latency.quantile(0.9)));
    out["p99_us"] = whole(micros(latency.quantile(0.99)));
    out["p999_us"] = whole(micros(latency.quantile(0.999)));
    out["max_us"] = whole(micros(latency.max()));
}

json::value or_null(const std::optional<double>& value) {
    return value ? json::value(tenths(*value)) : json::value(nullptr);
}

json::object to_json(const BenchRun& run) {
    const bench::Workload& asked = run.workload;
    json::object out{
        {"system", "quorate"},
        {"workload", name_of(asked)},
        {"clients", asked.clients},
        {"client_threads", std::min(asked.threads, asked.clients)},
        {"window", asked.window},
        {"payload", asked.payload},
        {"groups", asked.groups.size()},
        {"members", run.members},
        {"rate", asked.rate > 0 ? json::value(whole(asked.rate)) : json::value(nullptr)},
        {"ops_s", whole(run.figures.operations_a_second())}};
    put_latency(out, run.figures.latency);
    out["cpu_us_per_op"] = or_null(run.cpu_us_per_op);
    out["rss_mb"] = or_null(run.hosts_rss_mb);
    out["sync"] = "every member";
    out["acknowledged"] = run.acknowledged;
    out["refused"] = run.figures.refused;
    out["unknown"] = run.figures.unknown;
    out["not_begun"] = run.figures.not_begun;
    out["verified"] = run.is_true();
    return out;
}

// Shares of all operations, and the latency that each did not exceed: half, three quarters, and so on.
std::vector<std::pair<double, double>> distribution_of(const bench::Histogram& latency) {
    std::vector<std::pair<double, double>> all;
    for (double rest = 1; rest * static_cast<double>(latency.count()) >= 1; rest /= 2) {
        all.emplace_back(1 - rest, micros(latency.quantile(1 - rest)));
    }
    all.emplace_back(1, micros(latency.max()));
    return all;
}

json::array to_json(const std::vector<std::pair<double, double>>& distribution) {
    json::array all;
    for (const auto& [share, at_most] : distribution) {
        all.push_back(json::object{{"share", share}, {"at_most_us", at_most}});
    }
    return all;
}

std::string text_of(const std::optional<double>& value) {
    return value ? fmt::format("{:.1f}", *value) : "-";
}

void print_text(const BenchRun& run, bool first) {
    constexpr auto row =
        "{:<23} {:>7} {:>7} {:>8} {:>6} {:>7} {:>9} {:>8} {:>8} {:>8} {:>8} {:>9} {:>8} {:>7}\n";
    if (first) {
        fmt::print(row, "WORKLOAD", "CLIENTS", "WINDOW", "PAYLOAD", "GROUPS", "MEMBERS", "OPS/S",
                   "P50 us", "P90 us", "P99 us", "P99.9 us", "MAX us", "CPU us", "RSS MB");
    }
    const bench::Workload& asked = run.workload;
    const bench::Histogram& latency = run.figures.latency;
    auto at = [&latency](double q) { return fmt::format("{:.0f}", micros(latency.quantile(q))); };
    fmt::print(row, name_of(asked), asked.clients, asked.window, asked.payload, asked.groups.size(),
               run.members, fmt::format("{:.0f}", run.figures.operations_a_second()), at(0.5),
               at(0.9), at(0.99), at(0.999), fmt::format("{:.0f}", micros(latency.max())),
               text_of(run.cpu_us_per_op), text_of(run.hosts_rss_mb));
    if (run.figures.refused + run.figures.unknown > 0) {
        fmt::print("  {} refused, {} unknown\n", run.figures.refused, run.figures.unknown);
    }
    if (run.figures.not_begun > 0) {
        fmt::print(
            "  {} were due and not begun: with this window the cluster takes less than the rate, "
            "and "
            "latencies are those of an overloaded one\n",
            run.figures.not_begun);
    }
    for (const auto& [what, times] : run.figures.errors) fmt::print("  {} x {}\n", times, what);
}

void print_distribution(const std::vector<std::pair<double, double>>& distribution) {
    fmt::print("{:>12}{:>12}\n", "SHARE", "AT MOST us");
    for (const auto& [share, at_most] : distribution) {
        fmt::print("{:>12.6f}{:>12.1f}\n", share, at_most);
    }
}

}  // namespace

std::string name_of(const bench::Workload& workload) {
    if (workload.reads <= 0) return "write";
    if (workload.reads >= 1) return fmt::format("read-{}", level_name(workload.level));
    return fmt::format("mixed-{:.0f}-{}", workload.reads * 100, level_name(workload.level));
}

void print_run(Format format, const BenchRun& run, bool first, bool distribution) {
    if (format == Format::json) {
        json::object line = to_json(run);
        if (distribution) line["histogram"] = to_json(distribution_of(run.figures.latency));
        fmt::print("{}\n", json::serialize(line));
    } else {
        print_text(run, first);
        if (distribution) print_distribution(distribution_of(run.figures.latency));
    }
    std::fflush(stdout);  // what follows takes a while, and may be interrupted
}

void print_disk(Format format, const bench::DiskTest& test, const bench::DiskFigures& figures,
                bool first) {
    double syncs = static_cast<double>(figures.latency.count()) / figures.seconds;
    double megabytes = syncs * static_cast<double>(test.batch_bytes) / 1e6;
    const char* file = test.prewritten ? "prewritten" : "growing";
    if (format == Format::json) {
        json::object out{{"system", "device"},    {"workload", "append-sync"},
                         {"file", file},          {"batch", test.batch_bytes},
                         {"ops_s", whole(syncs)}, {"mb_s", tenths(megabytes)}};
        put_latency(out, figures.latency);
        fmt::print("{}\n", json::serialize(out));
        return;
    }
    constexpr auto row = "{:<12}{:>12}{:>10}{:>10}{:>10}{:>10}{:>10}\n";
    if (first) {
        fmt::print(row, "FILE", "BATCH", "SYNCS/S", "MB/S", "P50 us", "P99 us", "MAX us");
    }
    auto at = [&figures](double q) {
        return fmt::format("{:.0f}", micros(figures.latency.quantile(q)));
    };
    fmt::print(row, file, bytes_text(test.batch_bytes), fmt::format("{:.0f}", syncs),
               fmt::format("{:.1f}", megabytes), at(0.5), at(0.99), at(1));
}

}  // namespace quorate::cli
