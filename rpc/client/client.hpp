#pragma once

#include "rpc/client/operation.hpp"
#include "rpc/client/types.hpp"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

// The C++ client library. One Client per process is enough: it owns one thread with one event
// loop, and all its connections. Link quorate::client; nothing of the host comes along.
//
//     auto client = quorate::client::Client::connect({.endpoints = {"127.0.0.1:7700"}}).value();
//     auto demo = client->group("demo");
//     auto outcome = demo.submit(command, 5s).get();             // blocking
//     demo.submit(command, 5s).then([](auto outcome) { ... });   // callback, on the client's thread
//     auto outcome = co_await demo.submit(command, 5s);          // coroutine, resumed on that thread
namespace quorate::client {

struct ClientOptions {
    // host:port, tried in order until one answers; the others of the cluster are learnt from it.
    std::vector<std::string> endpoints;
    std::string token = {};  // for Gate.login; empty where the host allows it
    // Per endpoint and attempt, at most an equal share of the time that the operation has left.
    Duration connect_timeout = 2s;
    std::string software = "quorate-client";
};

class Connections;
class Pipeline;
struct PipelineOptions;

// One group, by name. Cheap to copy; must not outlive its Client.
//
// Every operation has one deadline over connecting, redirects and forwarding. A submit is sent again
// only when it certainly was not submitted; after that a lost connection makes it Unknown. Queries
// change nothing and are asked again elsewhere until the deadline.
// Errors within an Outcome or a Result: no_such_group, no_leader, no_quorum, overloaded,
// command_too_large, disk_full, deadline_exceeded, unreachable, leadership_lost, query_failed, plugin_fault.
// Thread: any.
class Group {
 public:
    Operation<Outcome> submit(ByteView command, Duration timeout);
    // Pre: at_least is 0 or an index that an Outcome or Answer gave: the answer then reflects it.
    Operation<Result<Answer>> query(ReadLevel level, ByteView query, Duration timeout,
                                    Index at_least = {});
    // words[0] is the verb; the machine's descriptor encodes and renders (`plugin show` lists the forms).
    Operation<TextOutcome> submit_text(std::vector<std::string> words, Duration timeout);
    Operation<Result<TextAnswer>> query_text(ReadLevel level, std::vector<std::string> words,
                                             Duration timeout, Index at_least = {});
    Result<std::unique_ptr<Pipeline>> pipeline(PipelineOptions options);
    const std::string& name() const { return name_; }

 private:
    friend class Client;
    Group(std::shared_ptr<Connections> connections, std::string name)
        : connections_(std::move(connections)), name_(std::move(name)) {}
    std::shared_ptr<Connections> connections_;
    std::string name_;
};

// Runs the cluster. Each call goes to any host that answers; a call that changes something is not repeated
// once it was sent. Thread: any.
class Admin {
 public:
    Operation<Result<GroupLocation>> create_group(std::string name, std::string plugin,
                                                  std::string machine,
                                                  std::vector<std::string> hosts, Duration timeout);
    Operation<Result<void>> delete_group(std::string name, Duration timeout);
    Operation<Result<std::vector<MemberAnswer>>> list_members(Duration timeout);
    Operation<Result<std::vector<MemberAnswer>>> group_members(std::string group, bool state_hash,
                                                               Duration timeout);
    Operation<Result<EntryId>> add_member(std::string group, std::string host, VoteKind kind,
                                          Duration timeout);
    Operation<Result<EntryId>> remove_member(std::string group, std::string host, Duration timeout);
    // to empty: the most up-to-date voter.
    Operation<Result<void>> transfer_leadership(std::string group, std::string to,
                                                Duration timeout);
    // host empty: every member.
    Operation<Result<std::vector<SnapshotSummary>>> take_snapshot(std::string group,
                                                                  std::string host,
                                                                  Duration timeout);
    Operation<Result<std::vector<SnapshotSummary>>> list_snapshots(std::string group,
                                                                   Duration timeout);
    Operation<Result<std::vector<PluginSummary>>> install_plugin(Bytes image, Duration timeout);
    Operation<Result<std::vector<PluginSummary>>> list_plugins(Duration timeout);
    Operation<Result<std::vector<HostSummary>>> list_hosts(Duration timeout);
    Operation<Result<std::uint64_t>> ping_host(std::string host, Duration timeout);  // microseconds
    // Only where the host's configuration enables it: drops its traffic from and to these hosts; empty: none.
    Operation<Result<void>> partition(std::vector<std::string> hosts, Duration timeout);
    Operation<Result<ServerInfo>> server(Duration timeout);

 private:
    friend class Client;
    explicit Admin(std::shared_ptr<Connections> connections)
        : connections_(std::move(connections)) {}
    std::shared_ptr<Connections> connections_;
};

class Client {
 public:
    // Starts the thread. Does not connect yet: the first operation does, so a host that is down
    // is an error of that operation. Errc::address_invalid for an endpoint that is not host:port,
    // request_invalid for none.
    static Result<std::unique_ptr<Client>> connect(ClientOptions options);
    // Waiting operations end in Unknown or cancelled first.
    ~Client();

    Group group(std::string name) { return {connections_, std::move(name)}; }
    Admin admin() { return Admin(connections_); }

 private:
    explicit Client(std::shared_ptr<Connections> connections)
        : connections_(std::move(connections)) {}
    std::shared_ptr<Connections> connections_;
};

}  // namespace quorate::client
