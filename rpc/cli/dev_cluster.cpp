#include "rpc/cli/dev_cluster.hpp"

#include "rpc/cli/dev_process.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <signal.h>
#include <unistd.h>

namespace quorate::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

Error file_error(const std::string& path, const std::error_code& error) {
    return fail(Errc::io, fmt::format("{}: {}", path, error.message()));
}

std::string state_file(const std::string& directory) {
    return directory + "/dev.json";
}

Result<void> write_file(const std::string& path, const std::string& text) {
    std::string aside = path + ".new";
    {
        std::ofstream file(aside);
        file << text;
        if (!file.flush()) return fail(Errc::io, "cannot write " + aside);
    }
    std::error_code error;
    fs::rename(aside, path, error);
    if (error) return file_error(path, error);
    return {};
}

std::string configuration(const DevHost& host, const std::string& data,
                          const std::vector<DevHost>& all) {
    std::vector<std::string> seeds;
    for (const DevHost& other : all) seeds.push_back(fmt::format("\"{}\"", other.peer_address));
    return fmt::format(
        "# Written by `quorate dev`.\n[host]\nname = \"{}\"\ndata_dir = \"{}\"\ndev = true\nshards "
        "= 1\n\n"
        "[cluster]\nname = \"dev\"\nseeds = [{}]\n\n[listen]\nclient = \"{}\"\npeer = \"{}\"\n\n"
        "[raft]\nelection_timeout = \"500ms\"\nheartbeat_interval = \"50ms\"\n\n"
        "[wal]\nfile_size = \"16MiB\"\n\n[limits]\ndisk_low_bytes = \"64MiB\"\n",
        host.name, data, fmt::join(seeds, ", "), host.client_address, host.peer_address);
}

// One that no host of the cluster has, also of those that are down.
Result<std::string> free_address(const std::vector<DevHost>& all) {
    for (;;) {
        TRY(std::uint16_t port, free_port());
        std::string address = fmt::format("127.0.0.1:{}", port);
        bool taken = std::ranges::any_of(all, [&address](const DevHost& host) {
            return host.client_address == address || host.peer_address == address;
        });
        if (!taken) return address;
    }
}

DevHost host_from_json(const json::object& o) {
    auto text = [&o](const char* key) { return std::string(o.at(key).as_string()); };
    return {text("name"),   text("client"), text("peer"),
            text("config"), text("log"),    static_cast<pid_t>(o.at("pid").to_number<int>())};
}

}  // namespace

std::string DevCluster::directory() {
    if (const char* chosen = std::getenv("QUORATE_DEV_DIR"); chosen != nullptr && *chosen != '\0') {
        return fs::absolute(chosen).string();
    }
    const char* runtime = std::getenv("XDG_RUNTIME_DIR");
    return fmt::format("{}/quorate-dev-{}",
                       runtime != nullptr && *runtime != '\0' ? runtime : "/tmp", ::getuid());
}

Result<DevCluster> DevCluster::load() {
    DevCluster cluster;
    cluster.directory_ = directory();
    std::ifstream file(state_file(cluster.directory_));
    if (!file) {
        return fail(Errc::not_found, "there is no development cluster in " + cluster.directory_,
                    "start one: quorate dev up");
    }
    std::string text{std::istreambuf_iterator<char>(file), {}};
    try {
        json::object state = json::parse(text).as_object();
        cluster.quorated_ = std::string(state.at("quorated").as_string());
        for (const json::value& host : state.at("hosts").as_array()) {
            cluster.hosts_.push_back(host_from_json(host.as_object()));
        }
    } catch (const std::exception& e) {
        return fail(
            Errc::corrupt,
            fmt::format("{} does not describe a development cluster: {}",
                        state_file(cluster.directory_), e.what()),
            "if `quorate dev up` made this directory, remove it and start anew; else choose "
            "another in QUORATE_DEV_DIR");
    }
    return cluster;
}

Result<DevCluster> DevCluster::create(std::string quorated, std::string in) {
    DevCluster cluster;
    cluster.directory_ = std::move(in);
    cluster.quorated_ = std::move(quorated);
    if (fs::exists(state_file(cluster.directory_))) {
        return fail(Errc::directory_not_ours, "a development cluster is in " + cluster.directory_,
                    "use it, or end it first: quorate dev down");
    }
    std::error_code error;
    fs::create_directories(cluster.directory_, error);
    if (error) return file_error(cluster.directory_, error);
    bool empty = fs::is_empty(cluster.directory_, error);
    if (error) return file_error(cluster.directory_, error);
    if (!empty) {
        return fail(Errc::directory_not_ours,
                    cluster.directory_ + " holds files that are not of a development cluster",
                    "choose an empty directory, or one that is not there yet, in QUORATE_DEV_DIR");
    }
    return cluster;
}

bool DevCluster::exists() {
    return fs::exists(state_file(directory()));
}

Result<DevCluster> DevCluster::take_up(std::string quorated) {
    TRY(DevCluster cluster, load());
    for (const DevHost& host : cluster.hosts_) {
        if (!running(host)) continue;
        return fail(Errc::directory_not_ours,
                    fmt::format("a development cluster is in {}, and {} runs", cluster.directory_,
                                host.name),
                    "use it, start what is down by `quorate dev restart HOST`, or end it first: "
                    "quorate dev down");
    }
    cluster.quorated_ = std::move(quorated);
    return cluster;
}

Result<DevHost*> DevCluster::add_host() {
    DevHost host;
    host.name = fmt::format("h{}", hosts_.size() + 1);
    host.config = fmt::format("{}/{}.toml", directory_, host.name);
    host.log = fmt::format("{}/{}.log", directory_, host.name);
    TRY(host.client_address, free_address(hosts_));
    hosts_.push_back(host);
    TRY(host.peer_address, free_address(hosts_));
    hosts_.back() = host;
    // The seeds of every host name all, from its next start: one that comes back empty knows whom it
    // has not asked yet.
    for (const DevHost& each : hosts_) {
        TRY_VOID(
            write_file(each.config, configuration(each, directory_ + "/" + each.name, hosts_)));
    }
    TRY_VOID(save());
    return &hosts_.back();
}

Result<void> DevCluster::start(const std::vector<DevHost*>& hosts, Duration timeout) {
    std::vector<ReadySocket> ready;
    for (DevHost* host : hosts) {
        if (running(*host)) {
            return fail(Errc::directory_in_use,
                        fmt::format("{} runs already, as process {}", host->name, host->pid));
        }
        TRY(ReadySocket socket,
            ReadySocket::open(fmt::format("{}/{}.ready", directory_, host->name)));
        TRY(host->pid, spawn({quorated_, "--config", host->config}, host->log, socket.path()));
        ready.push_back(std::move(socket));
    }
    TRY_VOID(save());
    for (std::size_t i = 0; i < hosts.size(); ++i) {
        const DevHost& host = *hosts[i];
        if (ready[i].wait_ready(host.pid, timeout)) continue;
        return fail(Errc::unreachable,
                    fmt::format("{} did not get ready; the end of {}:\n{}", host.name, host.log,
                                tail(host.log, 8)),
                    "the log says why");
    }
    return {};
}

Result<void> DevCluster::kill(DevHost& host) {
    if (!running(host)) return {};
    TRY_VOID(send_signal(host.pid, SIGKILL));
    wait_until_gone(host.pid, host.config, 10s);
    return {};
}

Result<void> DevCluster::stop_all(Duration timeout) {
    for (DevHost& host : hosts_) {
        if (running(host)) TRY_VOID(send_signal(host.pid, SIGTERM));
    }
    for (DevHost& host : hosts_) {
        if (running(host) && !wait_until_gone(host.pid, host.config, timeout)) TRY_VOID(kill(host));
    }
    return {};
}

// Only what is ours: somebody may have put other things there since.
Result<void> DevCluster::remove_files() {
    std::vector<std::string> ours{state_file(directory_)};
    for (const DevHost& host : hosts_) {
        std::string base = directory_ + "/" + host.name;
        ours.insert(ours.end(), {base, base + ".ready", host.config, host.log});
    }
    std::error_code error;
    for (const std::string& path : ours) {
        fs::remove_all(path, error);
        if (error) return file_error(path, error);
    }
    if (fs::is_empty(directory_, error)) fs::remove(directory_, error);
    if (error) return file_error(directory_, error);
    return {};
}

Result<void> DevCluster::save() const {
    json::array hosts;
    for (const DevHost& host : hosts_) {
        hosts.push_back(json::object{{"name", host.name},
                                     {"client", host.client_address},
                                     {"peer", host.peer_address},
                                     {"config", host.config},
                                     {"log", host.log},
                                     {"pid", host.pid}});
    }
    return write_file(
        state_file(directory_),
        json::serialize(json::object{{"quorated", quorated_}, {"hosts", std::move(hosts)}}));
}

Result<DevHost*> DevCluster::find(const std::string& which) {
    for (std::size_t i = 0; i < hosts_.size(); ++i) {
        if (hosts_[i].name == which || std::to_string(i + 1) == which) return &hosts_[i];
    }
    return fail(Errc::no_such_host, fmt::format("the development cluster has no host '{}'", which),
                "quorate dev status shows them");
}

bool DevCluster::running(const DevHost& host) {
    return is_process(host.pid, host.config);
}

std::vector<std::string> DevCluster::endpoints() const {
    std::vector<std::string> list;
    for (const DevHost& host : hosts_) {
        if (running(host)) list.push_back(host.client_address);
    }
    if (list.empty() && !hosts_.empty()) list.push_back(hosts_.front().client_address);
    return list;
}

}  // namespace quorate::cli
