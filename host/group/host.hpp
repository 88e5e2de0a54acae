#pragma once

#include "host/group/group.hpp"
#include "host/group/plugins.hpp"
#include "host/group/service.hpp"
#include "host/group/transport.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace quorate::group {

// Limits and times of one host.
struct HostOptions {
    HostName name;
    std::string cluster;
    std::string version;        // the release, for list_hosts()
    GroupOptions group;         // of every member here
    HostMemory::Limits memory;  // of them all together

    Duration attempt_timeout = 1s;     // one question to another host, within a longer operation
    Duration backoff_first = 10ms;     // pause between attempts, doubled each time ...
    Duration backoff_longest = 250ms;  // ... up to this
    std::uint32_t redirects_in_a_row = 3;  // followed without a pause
    Duration undo_timeout = 5s;            // to take back what a failed operation began
    Duration request_time_max =
        1h;  // another host's request is given up after this, whatever it says

    std::uint32_t max_forwarded_commands =
        65536;  // per shard, sent on or waiting for a leader; more: overloaded
    std::uint64_t max_forwarded_bytes = 64ull << 20;  // likewise
    std::size_t max_members = 32;                     // of one group, when it is created
    std::uint32_t plugin_piece_bytes = 1u << 20;      // per PluginFetchRequest
    std::uint64_t max_plugin_bytes = 256ull << 20;    // larger images are refused
    Duration plugin_image_kept = 30s;   // in memory after its last piece was asked for
    std::size_t seen_requests = 16384;  // per host and shard, to drop what the network repeats
    // A name stays reserved past its creator's deadline, for what is still under way then.
    Duration name_held_after = 2s;
    std::size_t max_names_held = 4096;  // of groups that are being created; more: overloaded
    std::size_t max_errands = 1024;     // kept for hosts that are away; more are dropped
};

// One shard's thread and its connections.
struct ShardLoop {
    Scheduler* scheduler = nullptr;
    Transport* transport = nullptr;
};

struct HostContext;

// Everything of one host above a single member: its members, spread over the shards by group id;
// the registry of their names; its conversation with other hosts; and the operations on groups.
//
// Each shard has a door of its own, so that a caller stays on its thread: service(i) and
// receiver(i) are called from shard i's thread only, and answer there. Work for a group whose member
// lives on another shard is posted to it and back; with one shard nothing is posted. Transport i
// reports to receiver(i), connections included: shard i sends through transport i alone.
//
// A command is forwarded to its leader's host at most one step at a time, and sent again only when
// the former attempt certainly was not submitted (NotApplied).
//
// Thread: constructor, destructor and ignored_messages() while no loop runs, or from the only
// loop's; start() and stop() from shard 0's. Destroyed without stop() it stands for a crash: nothing
// is answered. Never destroy it from within a callback of it. GroupPorts must be gone before.
class Host {
 public:
    struct Environment {
        storage::LogStore& log;
        storage::SnapshotStore& snapshots;
        machine::MachineFactory& machines;
        PluginRegistry& plugins;
        const HostDirectory& directory;
    };
    // Pre: 1 to 256 shards; the log store has not been asked for what it recovered.
    Host(Environment environment, HostOptions options, std::vector<ShardLoop> shards);
    ~Host();
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;

    // Starts every member that the log store recovered, and removes snapshots of groups that it does not
    // know. `done` runs when all take part; until then calls are answered member_stopped, and
    // messages from other hosts are dropped. A registration that cannot be read is said in the log, and its
    // group stays on disk untouched.
    void start(std::function<void()> done);
    // Hands over the leaderships, stops every member, and answers every call that is open: commands
    // as they deserve, all else member_stopped.
    void stop(std::function<void()> done);

    std::size_t shard_count() const;
    HostService& service(std::size_t shard = 0);
    PeerReceiver& receiver(std::size_t shard = 0);
    // Consensus and snapshot messages for groups that have no member here.
    std::uint64_t ignored_messages() const;
    // What its members hold together. Thread: any.
    const HostMemory& memory() const;

 private:
    std::unique_ptr<HostContext> context_;
};

}  // namespace quorate::group
