#include "rpc/bench/load.hpp"
#include "rpc/bench/usage.hpp"
#include "rpc/bench/verify.hpp"
#include "rpc/cli/bench_report.hpp"
#include "rpc/cli/dev_steps.hpp"
#include "rpc/cli/ending_signal.hpp"
#include "rpc/cli/verb.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <sys/resource.h>
#include <unistd.h>

// `quorate bench`: loads a cluster, says how fast it was, and whether what it acknowledged is true.
namespace quorate::cli {
namespace {

namespace fs = std::filesystem;
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

// ---- the cluster ------------------------------------------------------------------------------

// Hosts that were started for one run, and leave nothing behind, also if a signal ends it.
class OwnCluster {
 public:
    explicit OwnCluster(DevCluster cluster) : cluster_(std::move(cluster)) {}
    ~OwnCluster() {
        signals_.reset();
        remove();
    }
    OwnCluster(const OwnCluster&) = delete;
    DevCluster& get() { return cluster_; }

    static Result<std::unique_ptr<OwnCluster>> start(const std::string& directory,
                                                     std::uint64_t hosts) {
        TRY(std::string quorated, find_quorated());
        std::string in = fs::absolute(directory) / fmt::format("quorate-bench-{}", ::getpid());
        TRY(DevCluster made, DevCluster::create(std::move(quorated), std::move(in)));
        auto own = std::make_unique<OwnCluster>(std::move(made));
        for (std::uint64_t i = 0; i < hosts; ++i) TRY_VOID(own->cluster_.add_host());
        TRY_VOID(start_all(own->cluster_));
        TRY_VOID(wait_until_all_met(own->cluster_));
        own->signals_.emplace([cluster = own.get()] { cluster->remove(); });
        return own;
    }

 private:
    void remove() {
        (void)cluster_.stop_all(10s);
        (void)cluster_.remove_files();
    }

    EndingSignalsHeld held_;  // those that come before all hosts are there wait
    DevCluster cluster_;
    std::optional<OnEndingSignal> signals_;
};

// What is loaded: hosts of ours, or those that the command line names.
struct Target {
    std::unique_ptr<OwnCluster> own;
    std::unique_ptr<client::Client> client;
    client::ClientOptions connection;
    std::vector<pid_t> processes;    // of the hosts, where they are known
    std::vector<std::string> hosts;  // that carry a member of each group
};

std::vector<pid_t> processes_of(DevCluster& cluster) {
    std::vector<pid_t> all;
    for (const DevHost& host : cluster.hosts()) all.push_back(host.pid);
    return all;
}

Result<Target> target_of(Invocation& call) {
    Target target;
    target.connection = call.connection();
    if (!call.value("hosts").empty()) {
        TRY(std::uint64_t hosts, call.number("hosts", 1, 9));
        TRY(target.own, OwnCluster::start(call.value("dir"), hosts));
        target.connection = {.endpoints = target.own->get().endpoints()};
        target.processes = processes_of(target.own->get());
    } else if (auto dev = DevCluster::load();
               dev.has_value() && dev->endpoints() == target.connection.endpoints) {
        target.processes = processes_of(*dev);
    }
    target.connection.software = "quorate-bench";
    TRY(target.client, client::Client::connect(target.connection));
    TRY(auto hosts, target.client->admin().list_hosts(10s).get());
    for (const client::HostSummary& host : hosts) {
        if (host.reachable) target.hosts.push_back(host.name);
    }
    if (call.value("members").empty()) return target;
    TRY(std::uint64_t members, call.number("members", 1, target.hosts.size()));
    target.hosts.resize(members);
    return target;
}

// So many calls are under way at a time: asked in a row, each would wait for the disk alone.
constexpr std::size_t calls_at_once = 32;

// begin(0) to begin(count - 1), each an operation, until ended(result) says of one that there are to be no
// more. Waits for all that it began.
template <class Begin, class Ended>
void some_at_once(std::size_t count, Begin begin, Ended ended) {
    std::deque<decltype(begin(std::size_t{}).future())> under_way;
    std::size_t begun = 0;
    while (begun < count || !under_way.empty()) {
        if (begun < count && under_way.size() < calls_at_once) {
            under_way.push_back(begin(begun++).future());
            continue;
        }
        if (!ended(under_way.front().get())) count = begun;
        under_way.pop_front();
    }
}

Result<void> make_groups(client::Client& client, const std::vector<std::string>& names,
                         const std::vector<std::string>& hosts) {
    TRY(std::string file, find_plugin("bench"));
    TRY(Bytes image, read_plugin(file));
    TRY_VOID(client.admin().install_plugin(image, 30s).get());
    Result<void> made;
    auto create = [&](std::size_t i) {
        return client.admin().create_group(names[i], "quorate.bench", "", hosts, 60s);
    };
    some_at_once(names.size(), create, [&made](const Result<client::GroupLocation>& created) {
        if (made && !created) made = created.error();
        return made.has_value();
    });
    return made;
}

// The groups of one run, deleted at its end.
class Groups {
 public:
    Groups(client::Client& client, const std::vector<std::string>& names)
        : client_(client), names_(names) {}
    ~Groups() {
        auto remove = [this](std::size_t i) {
            return client_.admin().delete_group(names_[i], 20s);
        };
        some_at_once(names_.size(), remove, [](const auto&) { return true; });
    }
    Groups(const Groups&) = delete;

    Result<void> make(const std::vector<std::string>& hosts) {
        return make_groups(client_, names_, hosts);
    }

 private:
    client::Client& client_;
    const std::vector<std::string>& names_;
};

// ---- one run ----------------------------------------------------------------------------------

double own_cpu_seconds() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

std::optional<bench::Usage> usage_of(const Target& target) {
    if (target.processes.empty()) return std::nullopt;
    auto used = bench::usage_of(target.processes);
    if (used) used->cpu_seconds += own_cpu_seconds();
    return used;
}

Result<BenchRun> run_once(const bench::Workload& workload, Target& target) {
    Groups groups(*target.client, workload.groups);
    TRY_VOID(groups.make(target.hosts));
    std::optional<bench::Usage> before;
    std::optional<bench::Usage> after;
    TRY(bench::Run run, bench::run(
                            workload, target.connection, [&] { before = usage_of(target); },
                            [&] { after = usage_of(target); }));
    BenchRun done{workload, std::move(run.figures), target.hosts.size(), 0, {}, {}, {}};
    for (const bench::Written& one : run.written) done.acknowledged += one.acknowledged.count;
    if (before && after && done.figures.latency.count() > 0) {
        double used = after->cpu_seconds - before->cpu_seconds;
        done.cpu_us_per_op = used * 1e6 / static_cast<double>(done.figures.latency.count());
        done.hosts_rss_mb = static_cast<double>(after->resident_bytes) / 1e6;
    }
    TRY(done.wrong, bench::verify(*target.client, run.written));
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

Result<int> bench_cluster(Invocation& call) {
    TRY(bench::Workload workload, workload_of(call));
    TRY(std::uint64_t repeat, call.number("repeat", 1, 1000));
    TRY(Target target, target_of(call));
    bool sound = true;
    for (std::uint64_t i = 0; i < repeat; ++i) {
        TRY(BenchRun run, run_once(workload, target));
        print_run(call.out().format(), run, i == 0);
        if (call.flag("histogram")) print_histogram(run.figures.latency);
        if (!run.wrong.empty()) {
            sound = false;
            fmt::print(stderr, "what was acknowledged is not what was applied:\n{}", run.wrong);
        }
        if (run.figures.latency.count() == 0) return nothing_answered(run.figures);
    }
    return sound ? 0 : 1;
}

// Groups that stay, for whoever looks at what they cost while nobody uses them.
Result<int> bench_create(Invocation& call) {
    TRY(std::uint64_t groups, call.number("groups", 1, 100'000));
    TRY(Target target, target_of(call));
    std::vector<std::string> names;
    for (std::uint64_t i = 1; i <= groups; ++i) names.push_back(fmt::format("bench-idle-{}", i));
    auto begin = std::chrono::steady_clock::now();
    TRY_VOID(make_groups(*target.client, names, target.hosts));
    std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    fmt::print("{} groups bench-idle-N created in {:.1f} s\n", groups, took.count());
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

Result<int> run_bench(Invocation& call) {
    const std::string& what = call.value("what");
    if (what.empty() || what == "cluster") return bench_cluster(call);
    if (what == "disk") return bench_disk(call);
    if (what == "create") return bench_create(call);
    return fail(Errc::request_invalid, "bench " + what + ": cluster, disk or create");
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
         {{"what", "cluster (default), disk, or create: --groups that stay, idle", Kind::optional}},
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
         run_bench,
         true}};
}

}  // namespace quorate::cli
