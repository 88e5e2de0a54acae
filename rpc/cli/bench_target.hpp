#pragma once

#include "rpc/cli/dev_cluster.hpp"
#include "rpc/cli/ending_signal.hpp"
#include "rpc/cli/verb.hpp"

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace quorate::cli {

// What `quorate bench` loads: hosts of its own, started for one run, or those that the command line names.
// Leaves neither the hosts nor its groups behind, also if a signal ends the run (a second one does not wait
// for that), and says which groups it could not remove. Thread: one, before it starts others.
class BenchTarget {
 public:
    // Starts --hosts in --dir, or connects to the endpoints within --timeout.
    static Result<std::unique_ptr<BenchTarget>> reach(Invocation& call);
    ~BenchTarget();
    BenchTarget(const BenchTarget&) = delete;

    // Groups of the bench machine with a member on each of members().
    Result<void> make_groups(const std::vector<std::string>& names);
    void remove_groups();
    void keep_groups() { kept_ = true; }

    client::Client& client() { return *client_; }
    const client::ClientOptions& connection() const { return connection_; }
    // The hosts that carry a member of each group.
    const std::vector<std::string>& members() const { return members_; }
    // Of the hosts; empty if they are not of this program's making.
    const std::vector<pid_t>& processes() const { return processes_; }

 private:
    BenchTarget() = default;
    Result<void> start_hosts(const std::string& directory, std::uint64_t hosts);
    Result<void> choose_members(Invocation& call);
    Result<void> make(const std::vector<std::string>& names);
    void clean_up();

    EndingSignalsHeld held_;  // those that come while hosts start wait until all are there
    std::optional<DevCluster> own_;
    client::ClientOptions connection_;
    std::unique_ptr<client::Client> client_;
    std::vector<std::string> members_;
    std::vector<pid_t> processes_;
    std::vector<std::string> groups_;  // that it made, or may have made
    std::atomic<bool> making_ = false;
    std::atomic<bool> kept_ = false;
    std::atomic<bool> ending_ = false;  // by a signal's thread: nothing more is made
    std::optional<OnEndingSignal> signals_;
};

}  // namespace quorate::cli
