#pragma once

#include "host/group/host.hpp"
#include "storage/disk_log_store.hpp"
#include "storage/settled_memory.hpp"
#include "storage/snapshot_directory.hpp"
#include "tests/sim/sim_network.hpp"
#include "tests/sim/witness_log.hpp"
#include "tests/sim/witness_machines.hpp"
#include "tests/support/sim_files.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace quorate::sim {

// One simulated host: a disk that lasts, and lives that come and go. A life is the very code that
// the daemon runs: Host, Group, core, log engine, snapshot store, machine.
class SimHost {
 public:
    struct Environment {
        SimLoop& loop;
        SimNetwork& network;
        Witness& witness;
        RaftWitness& raft_witness;
        machine::StaticPlugins& plugins;
        const Settings& settings;
        std::function<void(SimHost&)> on_disk_failure;
        std::function<void(SimHost&)> on_write;  // a batch waits for the disk
    };
    SimHost(Environment environment, std::string name, std::uint64_t seed);
    ~SimHost();

    const std::string& name() const { return name_; }
    bool alive() const { return life_ != nullptr; }
    // A number that no other life has; 0: dead.
    Owner life() const;
    // Begins a life on what the disk holds.
    void start();
    enum class End : std::uint8_t { power_cut, killed };
    void crash(End end);
    // The disk fails in the midst of one of its next operations; on_disk_failure() or the caller
    // then ends this life.
    void fail_disk_soon() {
        files_.fail_operation(between(random_, 1, 12), SimFiles::Failing::from_then_on);
    }
    bool serving() const;
    group::HostService& service();
    // An opened group, kept for this life.
    void with_group(const std::string& group, Time deadline,
                    std::function<void(Result<group::GroupPort*>)> use);

 private:
    struct Life;
    void schedule_step(Life& life, Duration wait);

    Environment environment_;
    std::string name_;
    Random random_;
    SimFiles files_;
    storage::MemorySettledHome home_;
    std::unique_ptr<Life> life_;
};

}  // namespace quorate::sim
