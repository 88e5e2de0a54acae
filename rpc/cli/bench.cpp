#include "rpc/bench/load.hpp"
#include "rpc/bench/usage.hpp"
#include "rpc/bench/verify.hpp"
#include "rpc/cli/bench_report.hpp"
#include "rpc/cli/bench_target.hpp"
#include "rpc/cli/verb.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string_view>
#include <sys/resource.h>
#include <unistd.h>

// `quorate bench`: loads a cluster, says how fast it was, and whether what it acknowledged is true.
namespace quorate::cli {
namespace {

using Kind = Parameter::Kind;

constexpr std::uint64_t payload_max = 16u << 20;
constexpr std::uint64_t batch_max = 64u << 20;  // the disk test's file

Result<bench::Workload> workload_of(const Invocation& call) {
    bench::Workload asked;
    TRY(std::uint64_t reads, call.number("reads", 0, 100));
    TRY(asked.level, call.read_level("level"));
    TRY(std::uint64_t clients, call.number("clients", 1, 4096));
    TRY(std::uint64_t threads, call.number("threads", 1, 64));
    TRY(std::uint64_t busy_poll_us, call.number("busy-poll", 0, 10'000));
    TRY(std::uint64_t window, call.number("window", 1, 4096));
    TRY(asked.payload, call.number("payload", bench::command_bytes_min, payload_max));
    TRY(std::uint64_t groups, call.number("groups", 1, 100'000));
    TRY(std::uint64_t rate, call.number("rate", 0, 100'000'000));
    TRY(std::uint64_t seconds, call.number("seconds", 1, 86'400));
    TRY(std::uint64_t warm_up, call.number("warm-up", 0, 3600));
    asked.reads = static_cast<double>(reads) / 100;
    asked.clients = static_cast<std::uint32_t>(clients);
    asked.threads = static_cast<std::uint32_t>(threads);
    asked.busy_poll = std::chrono::microseconds(busy_poll_us);
    asked.window = static_cast<std::uint32_t>(window);
    asked.rate = static_cast<double>(rate);
    asked.length = std::chrono::seconds(seconds);
    asked.warm_up = std::chrono::seconds(warm_up);
    for (std::uint64_t i = 1; i <= groups; ++i) {
        asked.groups.push_back(fmt::format("bench-{}-{}", ::getpid(), i));
    }
    return asked;
}

// ---- one run ----------------------------------------------------------------------------------

double own_cpu_seconds() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

std::optional<bench::Usage> usage_of(const BenchTarget& target) {
    if (target.processes().empty()) return std::nullopt;
    auto used = bench::usage_of(target.processes());
    if (used) used->cpu_seconds += own_cpu_seconds();
    return used;
}

// Of a run whose commands were counted: they are worth saying even if nobody can tell what they did.
void verify(BenchRun& run, client::Client& client, const std::vector<bench::Written>& written) {
    auto found = bench::verify(client, written);
    if (found) {
        run.wrong = *std::move(found);
    } else {
        run.unverified = found.error();
    }
}

Result<BenchRun> run_in(BenchTarget& target, const bench::Workload& workload) {
    TRY_VOID(target.make_groups(workload.groups));
    std::optional<bench::Usage> before;
    std::optional<bench::Usage> after;
    TRY(bench::Run run, bench::run(
                            workload, target.connection(), [&] { before = usage_of(target); },
                            [&] { after = usage_of(target); }));
    BenchRun done{workload, std::move(run.figures), target.members().size(), 0, {}, {}, {}, {}};
    for (const bench::Written& one : run.written) done.acknowledged += one.acknowledged.count;
    if (before && after && done.figures.latency.count() > 0) {
        double used = after->cpu_seconds - before->cpu_seconds;
        done.cpu_us_per_op = used * 1e6 / static_cast<double>(done.figures.latency.count());
        done.hosts_rss_mb = static_cast<double>(after->resident_bytes) / 1e6;
    }
    verify(done, target.client(), run.written);
    return done;
}

Error nothing_answered(const bench::Figures& figures) {
    if (figures.errors.empty()) {
        return fail(Errc::request_invalid,
                    "not one operation succeeded within the counted time, and none was refused",
                    "give it more --seconds, or look at the cluster: quorate host list");
    }
    return fail(Errc::request_invalid,
                fmt::format("not one operation succeeded; the first of {} reasons: {}",
                            figures.errors.size(), figures.errors.begin()->first),
                "mend what these reasons say, and run it again");
}

void print_doubts(const BenchRun& run) {
    if (!run.wrong.empty()) {
        fmt::print(stderr, "what was acknowledged is not what was applied:\n{}", run.wrong);
    }
    if (run.unverified) {
        fmt::print(stderr, "whether all that was acknowledged was applied is not known: {}\n",
                   to_string(*run.unverified));
    }
}

Result<int> bench_cluster(Invocation& call) {
    TRY(bench::Workload workload, workload_of(call));
    TRY(std::uint64_t repeat, call.number("repeat", 1, 1000));
    TRY(auto target, BenchTarget::reach(call));
    bool sound = true;
    for (std::uint64_t i = 0; i < repeat; ++i) {
        if (i > 0) target->remove_groups();
        TRY(BenchRun run, run_in(*target, workload));
        print_run(call.out().format(), run, i == 0, call.flag("histogram"));
        print_doubts(run);
        sound = sound && run.is_true();
        if (run.figures.latency.count() == 0) return nothing_answered(run.figures);
    }
    return sound ? 0 : 1;
}

// Groups that stay, for whoever looks at what they cost while nobody uses them.
Result<int> bench_create(Invocation& call) {
    TRY(std::uint64_t groups, call.number("groups", 1, 100'000));
    TRY(auto target, BenchTarget::reach(call));
    std::vector<std::string> names;
    for (std::uint64_t i = 1; i <= groups; ++i) names.push_back(fmt::format("bench-idle-{}", i));
    auto begin = std::chrono::steady_clock::now();
    TRY_VOID(target->make_groups(names));
    target->keep_groups();
    std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    call.out().answer(
        "bench.create", boost::json::object{{"groups", groups}, {"seconds", took.count()}},
        fmt::format("{} groups bench-idle-N created in {:.1f} s", groups, took.count()));
    return 0;
}

Result<int> bench_disk(Invocation& call) {
    TRY(std::uint64_t seconds, call.number("seconds", 1, 3600));
    std::vector<std::uint64_t> sizes{256, 4u << 10, 64u << 10, 1u << 20};
    std::vector<bool> files{true, false};
    if (!call.value("batch").empty()) {
        TRY(std::uint64_t only, call.number("batch", 1, batch_max));
        sizes = {only};
        files = {true};
    }
    bool first = true;
    for (bool prewritten : files) {
        for (std::uint64_t bytes : sizes) {
            bench::DiskTest test{call.value("dir"), bytes, prewritten,
                                 std::chrono::seconds(seconds)};
            TRY(bench::DiskFigures figures, bench::test_disk(test));
            print_disk(call.out().format(), test, figures, std::exchange(first, false));
        }
    }
    return 0;
}

struct Subject {
    std::string_view name;
    Result<int> (*run)(Invocation&);
    std::vector<std::string_view> ignores;  // options that say nothing to it
};

const std::vector<Subject>& subjects() {
    static const std::vector<Subject> all{
        {"cluster", bench_cluster, {"batch"}},
        {"disk",
         bench_disk,
         {"hosts", "clients", "threads", "busy-poll", "window", "payload", "groups", "members",
          "reads", "level", "rate", "warm-up", "repeat", "histogram"}},
        {"create",
         bench_create,
         {"hosts", "dir", "clients", "threads", "busy-poll", "window", "payload", "reads", "level",
          "rate", "seconds", "warm-up", "repeat", "batch", "histogram"}}};
    return all;
}

// What was asked for and would not be done is refused, so that no figure is of something else.
Result<void> refuse_ignored(const Invocation& call, const Subject& subject) {
    for (std::string_view option : subject.ignores) {
        if (!call.given(std::string(option))) continue;
        return fail(Errc::request_invalid,
                    fmt::format("bench {} takes no --{}", subject.name, option), "leave it out");
    }
    if (subject.name == "cluster" && call.given("level") && call.value("reads") == "0") {
        return fail(Errc::request_invalid,
                    "--level is that of queries, and --reads says there are none",
                    "say how many percent they are by --reads");
    }
    if (subject.name == "disk" && !call.settings().endpoints.empty()) {
        return fail(Errc::request_invalid, "bench disk asks no host: it takes no --endpoint",
                    "leave it out");
    }
    bool own = call.given("hosts");
    if (own && !call.settings().endpoints.empty()) {
        return fail(Errc::request_invalid, "--hosts starts hosts to load, --endpoint names others",
                    "leave one of them out");
    }
    if (subject.name == "cluster" && call.given("dir") && !own) {
        return fail(Errc::request_invalid,
                    "--dir says where the data of --hosts lies: there is no --hosts",
                    "a cluster that runs has its data where it is");
    }
    return {};
}

Result<int> run_bench(Invocation& call) {
    for (const Subject& subject : subjects()) {
        if (subject.name != call.value("what")) continue;
        TRY_VOID(refuse_ignored(call, subject));
        return subject.run(call);
    }
    return fail(Errc::request_invalid, "bench " + call.value("what") + ": cluster, disk or create");
}

}  // namespace

std::vector<Verb> bench_verbs() {
    auto number = [](std::string name, std::string help, std::string fallback) {
        return Parameter{std::move(name), std::move(help), Kind::optional, std::move(fallback),
                         "N"};
    };
    return {
        {"",
         "bench",
         "measure a cluster, or the device under it",
         {{"what", "cluster, disk, or create: --groups that stay, idle", Kind::optional,
           "cluster"}},
         {number("hosts", "start so many on loopback, and remove them afterwards", ""),
          {"dir", "where these hosts' data lies, or the disk's file", Kind::optional, ".", "DIR"},
          number("clients", "each with connections of its own", "1"),
          number("threads", "that do the clients' work; with --rate each client has one more", "1"),
          number("busy-poll", "microseconds that these look for answers before they sleep", "100"),
          number("window", "operations that each client has unanswered", "1"),
          number("payload", "bytes of a command", "256"),
          number("groups", "loaded alike if clients x window are as many; else some are idle", "1"),
          number("members", "of each group (default: one on every host)", ""),
          number("reads", "percent of the operations that are queries", "0"),
          {"level", "of the queries: local, leader or linearizable", Kind::optional, "linearizable",
           "LEVEL"},
          number("rate", "operations a second, begun in time; 0: as answers come", "0"),
          number("seconds", "counted", "5"),
          number("warm-up", "seconds before that", "1"),
          number("repeat", "runs", "1"),
          number("batch", "bytes of an append of the disk test (default: several)", ""),
          {"histogram", "the whole distribution, too", Kind::flag}},
         run_bench}};
}

}  // namespace quorate::cli
