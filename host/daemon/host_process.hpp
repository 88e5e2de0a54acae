#pragma once

#include "host/base/result.hpp"
#include "host/daemon/config.hpp"

#include <memory>
#include <string>

namespace quorate::daemon {

// One host, whole: its data directory, logs, snapshots, plugins, event loops, peers and gateway, put
// together from a configuration. This is the only place that knows them all.
//
// Thread: main's, which becomes shard 0's; the other shards have threads of their own.
class HostProcess {
 public:
    // Locks and claims the data directory, recovers what is in it, and binds the ports. Nothing is
    // served yet. Every error is for the operator: config, identity_mismatch, directory_in_use,
    // address_in_use, io ...
    static Result<std::unique_ptr<HostProcess>> open(const Config& config, std::string version);
    ~HostProcess();

    // Serves until SIGTERM or SIGINT, then hands leaderships over and stops; a second signal, or
    // shutdown_timeout, ends the wait. Tells the service manager READY=1 and STOPPING=1.
    void run();

 private:
    class Impl;
    explicit HostProcess(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// The exit code when the disk failed under a running host.
inline constexpr int exit_disk_failed = 3;

}  // namespace quorate::daemon
