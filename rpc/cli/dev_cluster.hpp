#pragma once

#include "host/base/result.hpp"
#include "host/base/time.hpp"

#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace quorate::cli {

// One host of a development cluster: a `quorated` process of this machine.
struct DevHost {
    std::string name;
    std::string client_address;
    std::string peer_address;
    std::string config;  // file
    std::string log;     // file
    pid_t pid = 0;       // as last started
};

// A cluster of real processes on loopback, described by a file (dev.json) in its directory:
// $QUORATE_DEV_DIR, else quorate-dev-<uid> under $XDG_RUNTIME_DIR or /tmp.
class DevCluster {
 public:
    static std::string directory();
    // Errc::not_found if there is none.
    static Result<DevCluster> load();
    // A new, empty one. Errc::directory_not_ours if anything is there already.
    static Result<DevCluster> create(std::string quorated, std::string in = directory());
    // The one in directory(), none of whose hosts may run, with this program from now on.
    // Errc::directory_not_ours if one does.
    static Result<DevCluster> take_up(std::string quorated);
    // Whether there is one in directory().
    static bool exists();

    // Chooses free ports, writes the host's configuration and starts it.
    Result<DevHost*> add_host();
    // Starts a process for each, side by side, and returns once all have said that they are ready.
    Result<void> start(const std::vector<DevHost*>& hosts, Duration timeout);
    // SIGKILL, and waits until it is gone. Fine if it was.
    Result<void> kill(DevHost& host);
    // SIGTERM to all, then waits; SIGKILL after `timeout`.
    Result<void> stop_all(Duration timeout);
    // And the directory, if nothing else is in it.
    Result<void> remove_files();
    Result<void> save() const;

    // By number ("1") or name ("h1").
    Result<DevHost*> find(const std::string& which);
    // Its process lives, and is the one that we started.
    static bool running(const DevHost& host);
    std::vector<std::string> endpoints() const;
    std::vector<DevHost>& hosts() { return hosts_; }
    const std::string& path() const { return directory_; }

 private:
    std::string directory_;
    std::string quorated_;  // the program
    std::vector<DevHost> hosts_;
};

}  // namespace quorate::cli
