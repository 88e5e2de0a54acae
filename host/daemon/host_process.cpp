#include "host/daemon/host_process.hpp"

#include "host/base/log.hpp"
#include "host/daemon/installed_plugins.hpp"
#include "host/daemon/logging.hpp"
#include "host/daemon/notify.hpp"
#include "host/group/host.hpp"
#include "rpc/gateway.hpp"
#include "rpc/peers.hpp"
#include "rpc/scheduler.hpp"
#include "storage/disk_log_store.hpp"
#include "storage/identity.hpp"
#include "storage/posix_files.hpp"
#include "storage/snapshot_directory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <thread>
#include <vector>

namespace quorate::daemon {
namespace {

constexpr std::size_t background_threads = 2;

// What was not durable was never acknowledged; what is on the disk now nobody knows. Recovery is
// the tested path, so the process ends here and now.
[[noreturn]] void end_on_disk_failure(const Error& error) {
    log::error("disk_failed",
               to_string(error) + "; the host stops, restart it once the disk is sound");
    flush_log();
    std::_Exit(exit_disk_failed);
}

storage::DiskLogStore::Options log_options(const Config& config) {
    storage::DiskLogStore::Options options;
    options.log.directory = "log";
    options.log.file_bytes = config.wal_file_size;
    options.log.waiting_files = static_cast<std::uint32_t>(config.wal_waiting_files);
    options.log.max_files = std::max(options.log.max_files, options.log.waiting_files + 10);
    options.log.low_percent = static_cast<std::uint32_t>(config.disk_low_percent);
    options.log.low_bytes = config.disk_low_bytes;
    options.settled_directory = config.data_dir + "/log/settled";
    options.settled_cache_bytes = config.storage_cache_size;
    return options;
}

group::HostOptions host_options(const Config& config, const std::string& version) {
    group::HostOptions options;
    options.name = config.host_name;
    options.cluster = config.cluster_name;
    options.version = version;
    options.memory = {.cache_bytes = config.host_cache_bytes,
                      .unstored_bytes = config.unstored_bytes,
                      .reply_bytes = config.reply_bytes};
    group::GroupOptions& g = options.group;
    g.raft.election_timeout = config.election_timeout;
    g.raft.heartbeat_interval = config.heartbeat_interval;
    g.raft.hibernate_rounds = static_cast<std::uint32_t>(config.hibernate_rounds);
    g.raft.max_append_entries = static_cast<std::uint32_t>(config.max_append_entries);
    g.raft.max_append_bytes = config.max_append_bytes;
    g.raft.max_inflight_messages = static_cast<std::uint32_t>(config.max_inflight_messages);
    g.raft.max_inflight_bytes = config.max_inflight_bytes;
    g.max_command_bytes = config.max_command_bytes;
    g.max_queued_bytes = config.max_queued_bytes;
    g.max_queued_commands = static_cast<std::uint32_t>(config.max_queued_commands);
    g.commands_under_way = config.commands_under_way;
    g.cache_bytes = config.cache_bytes;
    g.snapshot_interval_entries = config.snapshot_interval_entries;
    g.retained_entries = config.snapshot_retained_entries;
    g.snapshots_kept = config.snapshots_kept;
    return options;
}

rpc::PeersOptions peers_options(const Config& config, const std::string& version,
                                std::size_t lane) {
    rpc::PeersOptions options;
    options.cluster = config.cluster_name;
    options.name = config.host_name;
    options.software = "quorate " + version;
    // All lanes are dialled at one address: lane 0 listens, and hands on what is for others.
    if (lane == 0) options.listen = config.listen_peer;
    options.advertise = config.advertise_peer;
    options.lane = static_cast<std::uint16_t>(lane);
    options.seeds = config.seeds;
    return options;
}

// The data directory: held by this process, and this host's.
struct DataDirectory {
    std::unique_ptr<storage::PosixFiles> files;
    storage::DirectoryLock lock;
    storage::ClaimedDirectory claimed;

    static Result<DataDirectory> open(const Config& config) {
        auto files = storage::PosixFiles::open(config.data_dir);
        if (!files.has_value()) return unusable(files.error());
        auto lock = storage::DirectoryLock::take(config.data_dir);
        if (!lock.has_value()) return unusable(lock.error());
        auto claimed = storage::claim_directory(**files, config.cluster_name, config.host_name,
                                                storage::random_incarnation());
        if (!claimed.has_value()) return within(config.data_dir, claimed.error());
        return DataDirectory{std::move(*files), std::move(*lock), std::move(*claimed)};
    }

 private:
    static Error unusable(Error error) {
        if (error.code == Errc::io || error.code == Errc::not_found) {
            error.hint = "host.data_dir must be a directory that this host can make and write to";
        }
        return error;
    }
};

}  // namespace

// One event loop and its connections. Members in the order in which they depend on each other.
struct ShardThread {
    explicit ShardThread(loop::WorkerPool& workers)
        : scheduler(loop, workers, storage::random_incarnation()) {}
    loop::EventLoop loop;
    rpc::LoopScheduler scheduler;
    std::unique_ptr<rpc::Peers> peers;
    std::thread thread;  // not shard 0's
};

class HostProcess::Impl {
 public:
    Impl(const Config& config, std::string version, DataDirectory directory)
        : config_(config), version_(std::move(version)), directory_(std::move(directory)) {}
    ~Impl();

    Result<void> open();
    void run();

 private:
    Result<void> open_storage();
    Result<void> open_shards();
    void serve();
    void stop(int signal);
    void stop_others();
    Result<void> partition(const std::vector<group::HostName>& hosts);

    const Config config_;
    const std::string version_;
    DataDirectory directory_;
    loop::WorkerPool workers_{background_threads};
    std::vector<std::unique_ptr<ShardThread>> shards_;
    std::unique_ptr<storage::DiskLogStore> log_;
    std::unique_ptr<storage::SnapshotDirectory> snapshots_;
    std::unique_ptr<InstalledPlugins> plugins_;
    std::unique_ptr<group::Host> host_;
    std::unique_ptr<rpc::Gateway> gateway_;
    bool stopping_ = false;
};

Result<void> HostProcess::Impl::open_storage() {
    TRY(log_,
        storage::DiskLogStore::open(log_options(config_), *directory_.files, end_on_disk_failure));
    TRY(snapshots_, storage::SnapshotDirectory::open(*directory_.files, "snapshots"));
    TRY(plugins_, InstalledPlugins::open(config_.data_dir + "/plugins", version_));
    if (directory_.claimed.is_new) {
        TRY_VOID(storage::finish_directory(*directory_.files, directory_.claimed.identity));
    }
    return {};
}

Result<void> HostProcess::Impl::open_shards() {
    std::size_t count =
        config_.shards != 0 ? config_.shards : std::max(1u, std::thread::hardware_concurrency());
    std::uint64_t incarnation = storage::random_incarnation();
    for (std::size_t i = 0; i < count; ++i) {
        auto shard = std::make_unique<ShardThread>(workers_);
        shard->loop.set_busy_poll(config_.busy_poll);
        rpc::PeersOptions options = peers_options(config_, version_, i);
        options.incarnation = incarnation;
        TRY(shard->peers, rpc::Peers::open(shard->loop, options));
        shards_.push_back(std::move(shard));
    }
    rpc::GatewayOptions gateway;
    gateway.listen = config_.listen_client;
    gateway.software = "quorate " + version_;
    gateway.token = config_.token;
    gateway.max_connections = config_.client_connections;
    gateway.max_inflight_bytes = config_.client_inflight_bytes;
    gateway.max_all_inflight_bytes = config_.inflight_bytes;
    if (config_.dev) gateway.partition = [this](const auto& hosts) { return partition(hosts); };
    TRY(gateway_, rpc::Gateway::open(shards_.front()->loop, gateway));
    return {};
}

Result<void> HostProcess::Impl::open() {
    TRY_VOID(open_storage());
    TRY_VOID(open_shards());
    std::vector<group::ShardLoop> loops;
    for (auto& shard : shards_) loops.push_back({&shard->scheduler, shard->peers.get()});
    host_ = std::make_unique<group::Host>(
        group::Host::Environment{*log_, *snapshots_, plugins_->machines(), *plugins_,
                                 *shards_.front()->peers},
        host_options(config_, version_), std::move(loops));
    return {};
}

// Each shard's connections are its own thread's; what the first hears of hosts is told to the others.
void HostProcess::Impl::serve() {
    std::string client_address =
        config_.advertise_client.empty() ? gateway_->address() : config_.advertise_client;
    for (std::size_t i = 1; i < shards_.size(); ++i) {
        ShardThread& shard = *shards_[i];
        group::PeerReceiver& receiver = host_->receiver(i);
        shard.loop.post(
            [&shard, &receiver, client_address] { shard.peers->start(receiver, client_address); });
        shard.thread = std::thread([&shard] { loop::EventLoop::Scope(shard.loop).run(); });
    }
    ShardThread& first = *shards_.front();
    first.peers->on_new_hosts([this](const std::vector<group::KnownHost>& hosts) {
        for (std::size_t i = 1; i < shards_.size(); ++i) {
            ShardThread& shard = *shards_[i];
            shard.loop.post([&shard, hosts] { shard.peers->meet(hosts); });
        }
    });
    first.peers->on_dialled([this](const group::HostName& host) {
        for (std::size_t i = 1; i < shards_.size(); ++i) {
            ShardThread& shard = *shards_[i];
            shard.loop.post([&shard, host] { shard.peers->hurry(host); });
        }
    });
    first.peers->start(host_->receiver(0), client_address);
    host_->start([this, client_address] {
        gateway_->start(host_->service(0));
        log::info("ready", "the host serves clients",
                  {{"clients", client_address}, {"peers", shards_.front()->peers->address()}});
        notify_manager("READY=1\nSTATUS=serving clients at " + client_address + "\n");
    });
}

void HostProcess::Impl::stop(int signal) {
    loop::EventLoop& loop = shards_.front()->loop;
    if (std::exchange(stopping_, true)) {
        log::warning("stop_cut_short", "a second signal: stopping without waiting");
        loop.stop();
        return;
    }
    log::info("stopping", "handing leaderships over", {{"signal", std::int64_t{signal}}});
    notify_manager("STOPPING=1\n");
    loop.at(loop.now() + config_.shutdown_timeout, [&loop] {
        log::warning("stop_cut_short", "host.shutdown_timeout is over: stopping without waiting");
        loop.stop();
    });
    host_->stop([&loop] { loop.stop(); });
}

Result<void> HostProcess::Impl::partition(const std::vector<group::HostName>& hosts) {
    for (auto& shard : shards_) {
        shard->loop.post([peers = shard->peers.get(), hosts] { peers->partition(hosts); });
    }
    return {};
}

void HostProcess::Impl::run() {
    loop::EventLoop& loop = shards_.front()->loop;
    loop::EventLoop::Scope scope(loop);
    loop.on_signals({SIGTERM, SIGINT}, [this](int signal) { stop(signal); });
    serve();
    scope.run();
    gateway_.reset();  // its connections are KJ's and end within the scope
    stop_others();
}

void HostProcess::Impl::stop_others() {
    for (auto& shard : shards_) {
        if (!shard->thread.joinable()) continue;
        shard->loop.stop();
        shard->thread.join();
    }
}

HostProcess::Impl::~Impl() {
    stop_others();
    gateway_.reset();
    host_.reset();
    log_.reset();  // reports to the loops until its end
}

HostProcess::HostProcess(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HostProcess::~HostProcess() = default;

Result<std::unique_ptr<HostProcess>> HostProcess::open(const Config& config, std::string version) {
    TRY(DataDirectory directory, DataDirectory::open(config));
    auto impl = std::make_unique<Impl>(config, std::move(version), std::move(directory));
    TRY_VOID(impl->open());
    return std::unique_ptr<HostProcess>(new HostProcess(std::move(impl)));
}

void HostProcess::run() {
    impl_->run();
}

}  // namespace quorate::daemon
