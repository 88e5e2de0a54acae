#include "rpc/cli/dev_cluster.hpp"
#include "rpc/cli/dev_steps.hpp"
#include "rpc/cli/encode.hpp"
#include "rpc/cli/verb.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>

namespace quorate::cli {
namespace {

using Kind = Parameter::Kind;

Result<std::unique_ptr<client::Client>> connect(std::vector<std::string> endpoints) {
    return client::Client::connect({.endpoints = std::move(endpoints), .software = "quorate-dev"});
}

// The sample group: kv, named demo, on every host.
Result<void> create_demo(DevCluster& cluster) {
    TRY(std::string file, find_plugin("kv"));
    TRY(Bytes image, read_plugin(file));
    TRY(auto client, connect(cluster.endpoints()));
    TRY_VOID(wait_until_all_met(cluster));
    TRY_VOID(client->admin().install_plugin(image, 20s).get());
    std::vector<std::string> names;
    for (const DevHost& host : cluster.hosts()) names.push_back(host.name);
    TRY_VOID(client->admin().create_group("demo", "quorate.kv", "", names, 20s).get());
    return {};
}

Result<void> bring_up(DevCluster& cluster, std::size_t hosts, bool demo) {
    for (std::size_t i = 0; i < hosts; ++i) TRY_VOID(cluster.add_host());
    TRY_VOID(start_all(cluster));
    if (demo) TRY_VOID(create_demo(cluster));
    return {};
}

boost::json::array hosts_json(DevCluster& cluster) {
    boost::json::array list;
    for (const DevHost& host : cluster.hosts()) {
        list.push_back(boost::json::object{{"name", host.name},
                                           {"client", host.client_address},
                                           {"peer", host.peer_address},
                                           {"pid", host.pid},
                                           {"running", DevCluster::running(host)},
                                           {"log", host.log}});
    }
    return list;
}

// A new cluster.
Result<DevCluster> made(const std::string& quorated, std::size_t hosts, bool demo) {
    TRY(DevCluster cluster, DevCluster::create(quorated));
    auto ready = bring_up(cluster, hosts, demo);
    if (ready.has_value()) return cluster;
    TRY_VOID(cluster.stop_all(5s));
    TRY_VOID(cluster.remove_files());
    return ready.error();
}

// The one that `dev down --keep` left, with its data. On failure it lies there as before.
Result<DevCluster> brought_back(const std::string& quorated, std::optional<std::size_t> hosts) {
    TRY(DevCluster cluster, DevCluster::take_up(quorated));
    std::size_t kept = cluster.hosts().size();
    if (hosts && *hosts != kept) {
        return fail(Errc::directory_not_ours,
                    fmt::format("a development cluster of {} hosts is kept in {}, not of {}", kept,
                                cluster.path(), *hosts),
                    "leave out --hosts to start it again, or remove it first: quorate dev down");
    }
    auto ready = start_all(cluster);
    if (ready.has_value()) ready = wait_until_all_met(cluster);
    if (ready.has_value()) return cluster;
    TRY_VOID(cluster.stop_all(5s));
    return ready.error();
}

std::string described(DevCluster& cluster, bool kept, bool demo, Duration took) {
    std::string text = fmt::format("{} hosts{}, data in {}\n", cluster.hosts().size(),
                                   kept ? " that were kept are up again" : "", cluster.path());
    for (const DevHost& host : cluster.hosts()) {
        text += fmt::format("  {}  clients {}  peers {}  pid {}\n", host.name, host.client_address,
                            host.peer_address, host.pid);
    }
    text += fmt::format("Not for production: loopback only, no TLS. Ready in {:.1f} s.\n",
                        std::chrono::duration<double>(took).count());
    if (kept) return text + "See:  quorate overview     quorate dev down\n";
    if (demo) {
        text += "Try:  quorate submit demo put hello world     quorate query demo get hello\n";
    }
    return text + "      quorate dev kill 1     quorate member list demo     quorate dev down\n";
}

Result<int> up(Invocation& call) {
    std::optional<std::size_t> count;
    if (!call.value("hosts").empty()) {
        TRY(count, call.number("hosts", 1, 9));
    }
    TRY(std::string quorated, find_quorated());
    auto begin = std::chrono::steady_clock::now();
    bool kept = DevCluster::exists();
    bool demo = !call.flag("empty");
    TRY(DevCluster cluster,
        kept ? brought_back(quorated, count) : made(quorated, count.value_or(3), demo));
    Duration took = std::chrono::steady_clock::now() - begin;
    call.out().answer("dev.up", hosts_json(cluster), described(cluster, kept, demo, took));
    return 0;
}

Result<int> down(Invocation& call) {
    TRY(DevCluster cluster, DevCluster::load());
    TRY_VOID(cluster.stop_all(15s));
    if (!call.flag("keep")) TRY_VOID(cluster.remove_files());
    call.out().answer("dev.down", boost::json::object{{"directory", cluster.path()}},
                      call.flag("keep")
                          ? fmt::format("stopped; the data stays in {}, and `quorate dev up` "
                                        "brings it back",
                                        cluster.path())
                          : "stopped and removed");
    return 0;
}

Result<int> status(Invocation& call) {
    TRY(DevCluster cluster, DevCluster::load());
    Table table({"HOST", "CLIENTS", "PEERS", "PID", "STATE", "LOG"});
    for (const DevHost& host : cluster.hosts()) {
        table.row({host.name, host.client_address, host.peer_address, std::to_string(host.pid),
                   DevCluster::running(host) ? "running" : "DOWN", host.log});
    }
    call.out().answer("dev.status", hosts_json(cluster), table.text());
    return 0;
}

int report(Invocation& call, std::string_view verb, const DevHost& host, std::string_view done) {
    call.out().answer(fmt::format("dev.{}", verb),
                      boost::json::object{{"name", host.name}, {"pid", host.pid}},
                      fmt::format("{} {}", host.name, done));
    return 0;
}

Result<int> kill(Invocation& call) {
    TRY(DevCluster cluster, DevCluster::load());
    TRY(DevHost * host, cluster.find(call.value("host")));
    TRY_VOID(cluster.kill(*host));
    return report(call, "kill", *host, "killed with -9");
}

Result<int> restart(Invocation& call) {
    TRY(DevCluster cluster, DevCluster::load());
    TRY(DevHost * host, cluster.find(call.value("host")));
    TRY_VOID(cluster.kill(*host));
    TRY_VOID(cluster.start({host}, start_timeout));
    return report(call, "restart", *host, "is up");
}

Result<int> add(Invocation& call) {
    TRY(DevCluster cluster, DevCluster::load());
    TRY(DevHost * host, cluster.add_host());
    TRY_VOID(cluster.start({host}, start_timeout));
    TRY_VOID(wait_until_all_met(cluster));
    return report(call, "add", *host, "is up: quorate member add demo " + host->name);
}

// Tells every running host whom to ignore.
Result<void> cut(DevCluster& cluster, const std::vector<std::string>& apart, Duration timeout) {
    for (const DevHost& host : cluster.hosts()) {
        if (!DevCluster::running(host)) continue;
        bool inside = std::ranges::count(apart, host.name) > 0;
        std::vector<std::string> ignore;
        for (const DevHost& other : cluster.hosts()) {
            bool other_inside = std::ranges::count(apart, other.name) > 0;
            if (other_inside != inside) ignore.push_back(other.name);
        }
        TRY(auto client, connect({host.client_address}));
        TRY_VOID(client->admin().partition(ignore, timeout).get());
    }
    return {};
}

Result<int> partition(Invocation& call) {
    TRY(DevCluster cluster, DevCluster::load());
    std::vector<std::string> apart;
    for (const std::string& which : call.values("hosts")) {
        TRY(DevHost * host, cluster.find(which));
        apart.push_back(host->name);
    }
    TRY_VOID(cut(cluster, apart, call.timeout()));
    call.out().answer("dev.partition", boost::json::value_from(apart),
                      fmt::format("{} cut off from the others; quorate dev heal mends it",
                                  fmt::join(apart, ", ")));
    return 0;
}

Result<int> heal(Invocation& call) {
    TRY(DevCluster cluster, DevCluster::load());
    TRY_VOID(cut(cluster, {}, call.timeout()));
    call.out().answer("dev.heal", nullptr, "every host hears every other");
    return 0;
}

}  // namespace

std::vector<Verb> dev_verbs() {
    Parameter host{.name = "host", .help = "number or name: 1 or h1"};
    std::vector<Verb> verbs{
        {"dev",
         "up",
         "start hosts on loopback, with a kv group `demo`; or those that `down --keep` left",
         {},
         {{"hosts", "how many (default: 3, or as many as were kept)", Kind::optional, "", "1..9"},
          {"empty", "no plugin, no group", Kind::flag}},
         up},
        {"dev",
         "down",
         "stop them and remove their data",
         {},
         {{"keep", "keep the data, for the next `up`", Kind::flag}},
         down},
        {"dev", "status", "which hosts run, and where", {}, {}, status},
        {"dev", "kill", "kill -9 a host", {host}, {}, kill},
        {"dev", "restart", "start a host again, killing it first if it runs", {host}, {}, restart},
        {"dev", "add", "start one more host", {}, {}, add},
        {"dev",
         "partition",
         "cut hosts off from all the others",
         {{"hosts", "numbers or names", Kind::rest}},
         {},
         partition},
        {"dev", "heal", "end the partition", {}, {}, heal},
    };
    for (Verb& verb : verbs) {
        verb.run = [run = verb.run](Invocation& call) {
            call.out().cluster("dev");
            return run(call);
        };
    }
    return verbs;
}

}  // namespace quorate::cli
