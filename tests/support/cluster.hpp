#pragma once

#include "rpc/client/client.hpp"
#include "tests/support/process.hpp"

#include <memory>
#include <string>
#include <vector>

namespace quorate::testing {

// Where the programs under test lie.
std::string quorated_program();
std::string quorate_program();
std::string kv_plugin();
std::string counter_plugin();
std::string ledger_plugin();

struct ClusterOptions {
    std::size_t hosts = 3;
    // Further lines of every host's configuration, "key=value" as --set takes them; they override
    // the fast settings that a cluster has by itself.
    std::vector<std::string> settings = {};
};

// One host of a cluster: its place on the disk, its ports, and its process if it runs.
struct ClusterHost {
    std::string name;
    std::string config;  // file
    std::string data;    // directory
    std::string log;     // file
    ReservedPort client_port;
    ReservedPort peer_port;
    std::unique_ptr<NotifySocket> notify = {};
    std::unique_ptr<Process> process = {};
};

// Real quorated processes on loopback, in a directory of their own. Everything that does not come
// about in time throws. If the test failed, the end of each host's log is printed at the end.
// Thread: one.
class Cluster {
 public:
    // All hosts are up when it returns.
    explicit Cluster(ClusterOptions options = {});
    Cluster(const Cluster&) = delete;
    ~Cluster();

    std::size_t size() const { return hosts_.size(); }
    ClusterHost& host(std::size_t at) { return hosts_.at(at); }
    const ClusterHost& host(std::size_t at) const { return hosts_.at(at); }
    std::size_t at(const std::string& name) const;
    std::string path() const { return scratch_.path(); }

    // One more host, which knows the others as its seeds. Returns its place.
    std::size_t add_host();
    // Starts a process and returns when it said READY=1.
    void start(std::size_t at);
    void start(const std::vector<std::size_t>& hosts);
    // Starts a process that may not get ready; the caller looks at `process` and `log`.
    void launch(std::size_t at, const std::vector<std::string>& arguments = {});
    // Waits until every host reaches every other.
    void wait_until_met();
    void kill(std::size_t at) { kill(std::vector<std::size_t>{at}); }
    void kill(const std::vector<std::size_t>& hosts);  // SIGKILL, all before any is waited for
    int stop(std::size_t at);                          // SIGTERM; its exit code
    void pause(std::size_t at);                        // SIGSTOP
    void resume(std::size_t at);
    bool running(std::size_t at);

    std::vector<std::string> endpoints() const;
    client::Client& client() { return *client_; }
    client::Admin admin() { return client_->admin(); }

    void install(const std::string& plugin_file);
    void create_group(const std::string& name, const std::string& plugin);
    // The place of the host whose member leads; waits for one.
    std::size_t leader(const std::string& group);
    void transfer(const std::string& group, std::size_t to);
    // Waits until as many members as there are hosts run, and hold the same state by every hash.
    void wait_equal(const std::string& group, Duration timeout = 30s);
    void wait_equal(const std::string& group, std::size_t members, Duration timeout);

 private:
    void write_config(const ClusterHost& host) const;
    void print_logs() const;

    ClusterOptions options_;
    ScratchDirectory scratch_;
    std::vector<ClusterHost> hosts_;
    std::unique_ptr<client::Client> client_;
    int exceptions_before_;
};

// Empty if `members` members run as voters and hold the same state, else what is different.
std::string difference(const std::vector<client::MemberAnswer>& answers, std::size_t members);

}  // namespace quorate::testing
