#pragma once

#include "rpc/client/io_thread.hpp"
#include "rpc/client/operation.hpp"
#include "rpc/client/pipeline.hpp"
#include "rpc/client/types.hpp"

#include <memory>
#include <string>
#include <vector>

// The C++ client library. One Client per process is enough: it has one thread with one event loop, and
// all its connections. Several Clients may share a thread (io_thread.hpp). Link quorate::client;
// nothing of the host comes along.
//
//     auto client = quorate::client::Client::connect({.endpoints = {"127.0.0.1:7700"}}).value();
//     auto demo = client->group("demo");
//     auto outcome = demo.submit(command, 5s).get();        // blocking
//     auto outcome = co_await demo.submit(command, 5s);     // resumed on the client's thread
//     demo.submit(command, 5s).then([](auto outcome) {});   // called on the client's thread
//     auto pipeline = demo.pipeline({.on_outcomes = ...});  // many commands, batched by themselves
namespace quorate::client {

// Of an operation that is given none.
inline constexpr Duration default_timeout = std::chrono::seconds(5);

struct ClientOptions {
    // host:port, tried in order until one answers; the others of the cluster are learnt from it.
    // One that fails is put behind the others for 1 s, and for up to 30 s if it goes on failing.
    std::vector<std::string> endpoints;
    std::string token = {};  // what the hosts' listen.token says; empty where they have none
    Duration connect_timeout =
        std::chrono::seconds(2);  // of one attempt at one endpoint, login included
    // A command, query or plugin that does not fit is refused here (command_too_large).
    // Hosts close a connection on more than 64 MiB, and with it everything on its way there.
    std::uint64_t max_message_bytes = 64ull << 20;
    // A host that is not the leader may name another: followed so often in a row, then after a
    // pause.
    std::uint32_t max_redirects = 4;
    // A submit or query that is refused as overloaded is asked again after the time that the refusal
    // names (Error::retry_after_ms, and a little more, different for each), as long as its deadline
    // is not before that. Off, because many clients that insist are what keeps a host overloaded.
    // Never of a pipeline, whose order it would break.
    bool retry_overloaded = false;
    std::string software = "quorate-client";
    // Where the Client does its work and its completions run. Null: on a thread of its own.
    std::shared_ptr<IoThread> io_thread = nullptr;
};

class Connections;

// One group, by name. Cheap to copy; must not outlive its Client.
//
// Every operation has one deadline over connecting, redirects and forwarding; its host is given
// half a second more to say what became of it. A timeout of 0 or less ends at once: nothing is
// sent. More than a year is a year.
//
// A submit is sent again, to any host and until the deadline, only while it certainly was not
// submitted: no connection, or a host that says so (not_leader, no_leader, member_stopped, ...).
// Once it was sent, a lost connection or silence makes it Unknown. Queries change nothing and are
// asked again until the deadline. Who leads is remembered, so that the next operation goes straight
// there.
//
// Errors within NotApplied, or of a query:
//   deadline_exceeded, unreachable: no host took it in time; the text says what each endpoint did
//   no_leader, no_quorum, member_stopped: the group could not take it in time; try again later
//   overloaded: wait for retry_after_ms of the error (0: not known), then try again;
//       ClientOptions::retry_overloaded does it
//   disk_full: wait, then try again
//   no_such_group, command_too_large, request_invalid, access_denied, cluster_mismatch,
//       version_mismatch: correct the cause
//   query_failed, plugin_fault, plugin_not_found: the machine's own; see the text
//   cancelled: the Client was destroyed
// Errors within Unknown: leadership_lost (the leader or the connection was lost),
// deadline_exceeded, cancelled, member_stopped. It may have been applied: look, by a query, before
// submitting it again.
//
// Thread: any.
class Group {
 public:
    Operation<Outcome> submit(ByteView command, Duration timeout = default_timeout);
    // The answer reflects at least what was applied at `at_least`: an index that an Outcome or
    // Answer gave; 0: any.
    Operation<Result<Answer>> query(ReadLevel level, ByteView query,
                                    Duration timeout = default_timeout, Index at_least = {});
    // words[0] is the verb; the machine's descriptor encodes and renders (`plugin show` lists the
    // forms). Also command_text_invalid.
    Operation<TextOutcome> submit_text(std::vector<std::string> words,
                                       Duration timeout = default_timeout);
    Operation<Result<TextAnswer>> query_text(ReadLevel level, std::vector<std::string> words,
                                             Duration timeout = default_timeout,
                                             Index at_least = {});
    // request_invalid for a window of nothing or without on_outcomes. Connects with the first
    // command.
    Result<std::unique_ptr<Pipeline>> pipeline(PipelineOptions options);
    const std::string& name() const { return name_; }

 private:
    friend class Client;
    Group(std::shared_ptr<Connections> connections, std::string name)
        : connections_(std::move(connections)), name_(std::move(name)) {}
    std::shared_ptr<Connections> connections_;
    std::string name_;
};

// Runs the cluster. Each call goes to any host that answers, and finds its way from there. One that
// changes something is not repeated once it was sent: leadership_lost and deadline_exceeded then
// mean that it may have been done, so look first. unreachable: nothing was asked. Thread: any.
class Admin {
 public:
    // plugin: its id, id@version, or the beginning of a build's SHA-256. machine empty: the
    // plugin's only one. Also group_exists, group_not_formed, name_invalid, plugin_not_found,
    // machine_not_found, no_such_host.
    Operation<Result<GroupLocation>> create_group(std::string name, std::string plugin,
                                                  std::string machine,
                                                  std::vector<std::string> hosts,
                                                  Duration timeout = default_timeout);
    Operation<Result<void>> delete_group(std::string name, Duration timeout = default_timeout);
    // Of every member of every group, and why of every host that does not answer.
    Operation<Result<std::vector<MemberAnswer>>> list_members(Duration timeout = default_timeout);
    // state_hash: also a hash over the machine's whole state, which takes a while on a large one.
    Operation<Result<std::vector<MemberAnswer>>> group_members(std::string group, bool state_hash,
                                                               Duration timeout = default_timeout);
    // Ends when the change is committed; with a promotable, as soon as it is a member. Also
    // already_member, not_member, change_not_permitted, will_break_quorum.
    Operation<Result<EntryId>> add_member(std::string group, std::string host, VoteKind kind,
                                          Duration timeout = default_timeout);
    Operation<Result<EntryId>> remove_member(std::string group, std::string host,
                                             Duration timeout = default_timeout);
    // to empty: the most up-to-date voter. Also already_leader, not_voter, transfer_failed.
    Operation<Result<void>> transfer_leadership(std::string group, std::string to,
                                                Duration timeout = default_timeout);
    // The member on that host falls silent and keeps its data, until start_member() or the host's next
    // start; a leader hands over first. Fine if it was stopped. Also not_member, no_such_host.
    // ra:stop_server.
    Operation<Result<void>> stop_member(std::string group, std::string host,
                                        Duration timeout = default_timeout);
    // It starts again, from its data. Also already_started. ra:restart_server.
    Operation<Result<void>> start_member(std::string group, std::string host,
                                         Duration timeout = default_timeout);
    // It campaigns now, pre-vote included, if it does not lead; does not wait for the outcome. A leader
    // that the others hear goes on: transfer_leadership() moves that. Also not_voter,
    // member_stopped.
    // ra:trigger_election.
    Operation<Result<void>> trigger_election(std::string group, std::string host,
                                             Duration timeout = default_timeout);
    // host empty: every member.
    Operation<Result<std::vector<SnapshotSummary>>> take_snapshot(
        std::string group, std::string host, Duration timeout = default_timeout);
    Operation<Result<std::vector<SnapshotSummary>>> list_snapshots(
        std::string group, Duration timeout = default_timeout);
    // The library's bytes; goes to every host that can be reached. One summary per host that has
    // it. Installing the same build again changes nothing, so this is repeated. Errc::plugin_*.
    Operation<Result<std::vector<PluginSummary>>> install_plugin(
        Bytes image, Duration timeout = default_timeout);
    Operation<Result<std::vector<PluginSummary>>> list_plugins(Duration timeout = default_timeout);
    Operation<Result<std::vector<HostSummary>>> list_hosts(Duration timeout = default_timeout);
    // Microseconds, from the host we are connected to. Errc::no_such_host.
    Operation<Result<std::uint64_t>> ping_host(std::string host,
                                               Duration timeout = default_timeout);
    // Only where the host's configuration enables it: drops its traffic from and to these hosts;
    // empty: none.
    Operation<Result<void>> partition(std::vector<std::string> hosts,
                                      Duration timeout = default_timeout);
    // The host that we are connected to.
    Operation<Result<ServerInfo>> server(Duration timeout = default_timeout);

 private:
    friend class Client;
    explicit Admin(std::shared_ptr<Connections> connections)
        : connections_(std::move(connections)) {}
    std::shared_ptr<Connections> connections_;
};

// Thread: any. The destructor waits for the client's thread, so it is not called on a client's thread,
// be it another's: from a completion it ends the process.
class Client {
 public:
    // Starts the thread, if none is given. Does not connect yet: the first operation does, so a host
    // that is down is an error of that operation. Errc::address_invalid for an endpoint that is not
    // host:port, request_invalid for none.
    static Result<std::unique_ptr<Client>> connect(ClientOptions options);
    // What is under way ends first: commands in Unknown, everything else in cancelled. No
    // completion runs after this returned. Other Clients on the thread notice nothing.
    ~Client();

    Group group(std::string name) { return {connections_, std::move(name)}; }
    Admin admin() { return Admin(connections_); }

 private:
    Client(std::shared_ptr<IoThread> io_thread, std::shared_ptr<Connections> connections)
        : io_thread_(std::move(io_thread)), connections_(std::move(connections)) {}
    std::shared_ptr<IoThread> io_thread_;  // outlives all that is done on it
    std::shared_ptr<Connections> connections_;
};

}  // namespace quorate::client
