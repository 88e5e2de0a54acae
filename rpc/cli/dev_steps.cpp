#include "rpc/cli/dev_steps.hpp"

#include "rpc/client/client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

namespace quorate::cli {
namespace {

namespace fs = std::filesystem;

// The first of them that lies there, seen from this program's folder.
Result<std::string> beside(std::vector<std::string> candidates) {
    std::error_code error;
    fs::path home = fs::read_symlink("/proc/self/exe", error).parent_path();
    for (const std::string& candidate : candidates) {
        fs::path path = (home / candidate).lexically_normal();
        if (fs::exists(path)) return path.string();
    }
    return fail(Errc::not_found,
                fmt::format("cannot find {} beside {}", candidates.front(), home.string()),
                "build or install all of Quorate");
}

// Until a host reaches as many as there are.
Result<void> wait_until_met(const DevHost& host, std::size_t hosts) {
    TRY(auto client,
        client::Client::connect({.endpoints = {host.client_address}, .software = "quorate-dev"}));
    auto end = std::chrono::steady_clock::now() + start_timeout;
    while (std::chrono::steady_clock::now() < end) {
        TRY(auto known, client->admin().list_hosts(5s).get());
        auto reachable = std::ranges::count(known, true, &client::HostSummary::reachable);
        if (static_cast<std::size_t>(reachable) == hosts) return {};
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return fail(Errc::unreachable, host.name + " is up, but does not reach the others");
}

}  // namespace

Result<std::string> find_quorated() {
    return beside({"quorated", "../sbin/quorated"});
}

Result<std::string> find_plugin(const std::string& name) {
    return beside({"../plugins/" + name + ".so", "../lib/quorate/plugins/" + name + ".so"});
}

Result<Bytes> read_plugin(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(file), {}};
    if (!file || bytes.empty()) return fail(Errc::plugin_unreadable, "cannot read " + path);
    return Bytes::take(std::move(bytes));
}

Result<void> start_all(DevCluster& cluster) {
    std::vector<DevHost*> all;
    for (DevHost& host : cluster.hosts()) all.push_back(&host);
    return cluster.start(all, start_timeout);
}

Result<void> wait_until_all_met(DevCluster& cluster) {
    auto runs = [](const DevHost& host) { return DevCluster::running(host); };
    auto running = static_cast<std::size_t>(std::ranges::count_if(cluster.hosts(), runs));
    for (const DevHost& host : cluster.hosts()) {
        if (runs(host)) TRY_VOID(wait_until_met(host, running));
    }
    return {};
}

}  // namespace quorate::cli
