#include "tests/sim/sim_host.hpp"

namespace quorate::sim {
namespace {

Owner next_owner() {
    static Owner last = 0;
    return ++last;
}

}  // namespace

struct SimHost::Life {
    Life(Environment& environment, const std::string& name, Random& random)
        : owner(next_owner()),
          scheduler(environment.loop, owner, random(), between(random, Duration(0s), Duration(3s))),
          transport(environment.network, name),
          machines(environment.plugins, environment.witness, name),
          plugins(environment.plugins) {}

    Owner owner;
    SimScheduler scheduler;
    SimTransport transport;
    WitnessMachines machines;
    SimPlugins plugins;
    std::unique_ptr<storage::SteppedLogStore> log;
    std::unique_ptr<WitnessLog> witnessed_log;
    std::unique_ptr<storage::SnapshotDirectory> snapshots;
    std::unique_ptr<group::Host> host;
    std::map<std::string, std::shared_ptr<group::GroupPort>> ports;
    bool serving = false;
};

SimHost::SimHost(Environment environment, std::string name, std::uint64_t seed)
    : environment_(std::move(environment)),
      name_(std::move(name)),
      random_(seed),
      files_(random_()) {
    environment_.network.add(name_);
}

SimHost::~SimHost() {
    if (alive()) crash(End::killed);
}

Owner SimHost::life() const {
    return life_ ? life_->owner : 0;
}
bool SimHost::serving() const {
    return life_ && life_->serving;
}
group::HostService& SimHost::service() {
    return life_->host->service();
}

// The log's writer: takes what is there after a while, as a disk does. Small batches, late syncs
// and stalls come of the wait.
void SimHost::schedule_step(Life& life, Duration wait) {
    environment_.loop.at(environment_.loop.now() + wait, life.owner, [this, &life] {
        life.log->step(environment_.loop.now());
        if (auto wake = life.log->wake_at()) {
            schedule_step(life, std::max<Duration>(*wake - environment_.loop.now(), 1ms));
        }
    });
}

void SimHost::start() {
    const Settings& settings = environment_.settings;
    life_ = std::make_unique<Life>(environment_, name_, random_);
    Life& life = *life_;
    auto on_work = [this, &life] {
        Duration wait =
            between(random_, environment_.settings.sync_low, environment_.settings.sync_high);
        if (chance(random_, environment_.settings.stall))
            wait += between(random_, Duration(100ms), Duration(1s));
        schedule_step(life, wait);
        environment_.on_write(*this);
    };
    auto on_failure = [this](const Error&) { environment_.on_disk_failure(*this); };
    auto log = storage::SteppedLogStore::open({settings.log, on_work, on_failure}, files_, home_);
    auto snapshots = storage::SnapshotDirectory::open(files_, "snapshots");
    if (!log.has_value() || !snapshots.has_value()) return environment_.on_disk_failure(*this);
    life.log = std::move(*log);
    life.witnessed_log = std::make_unique<WitnessLog>(*life.log, environment_.raft_witness);
    life.snapshots = std::move(*snapshots);
    for (const std::string& finding : life.log->findings())
        environment_.witness.report(name_ + ": a crash is taken for damage: " + finding);
    group::HostOptions options;
    options.name = name_;
    options.cluster = "sim";
    options.group = settings.group;
    life.host = std::make_unique<group::Host>(
        group::Host::Environment{*life.witnessed_log, *life.snapshots, life.machines, life.plugins,
                                 life.transport},
        options, std::vector<group::ShardLoop>{{&life.scheduler, &life.transport}});
    environment_.network.up(name_, life.owner, life.host->receiver());
    life.host->start([&life] { life.serving = true; });
}

void SimHost::crash(End end) {
    environment_.network.down(name_);
    end == End::power_cut ? files_.crash(random_) : files_.kill();
    // Nothing of this life runs any more; what its end schedules neither.
    environment_.loop.drop(life_->owner);
    Owner owner = life_->owner;
    life_->ports.clear();
    life_->host.reset();
    environment_.loop.drop(owner);
    life_.reset();
    environment_.loop.drop(owner);
    files_.restart();
    files_.heal();
}

void SimHost::with_group(const std::string& group, Time deadline,
                         std::function<void(Result<group::GroupPort*>)> use) {
    Life& life = *life_;
    if (auto found = life.ports.find(group); found != life.ports.end())
        return use(found->second.get());
    service().open_group(group, deadline,
                         [&life, group, use](Result<std::shared_ptr<group::GroupPort>> port) {
                             if (!port.has_value()) return use(port.error());
                             use((life.ports[group] = *port).get());
                         });
}

}  // namespace quorate::sim
