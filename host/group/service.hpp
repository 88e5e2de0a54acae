#pragma once

#include "host/group/status.hpp"
#include "host/group/transport.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

// What a host offers to the outside, without saying over which wire. Implemented by Host, called by
// the gateway.
// Every call is answered exactly once, on the executor of the shard that called, at the
// latest at its deadline. Thread: any shard.
namespace quorate::group {

template <class T>
using Reply = std::function<void(Result<T>)>;

// One group, found once and used many times.
class GroupPort {
 public:
    virtual ~GroupPort() = default;
    virtual GroupId id() const = 0;
    virtual const std::string& name() const = 0;
    virtual const machine::MachineRef& machine() const = 0;
    // The host that leads it, as far as is known here without asking; empty: not known. A client that
    // goes there next saves the way through this host.
    virtual HostName leader() const = 0;
    // Pre: `payload` came from make_command(). Goes to the leader wherever it is; waits for one to be
    // elected until the deadline. Never sent twice unless it certainly was not submitted.
    virtual void submit(Bytes payload, Time deadline, std::function<void(Outcome)> done) = 0;
    virtual void query(ReadLevel level, Index at_least, Bytes query, Time deadline,
                       Reply<QueryAnswer> done) = 0;
    // Text to payload and back, by the machine's own descriptor.
    virtual Result<Bytes> encode_command(std::span<const std::string> words) = 0;
    virtual Result<Bytes> encode_query(std::span<const std::string> words) = 0;
    virtual std::string render_reply(std::span<const std::string> words, ByteView reply) = 0;
};

struct CreateGroup {
    std::string name;
    std::string plugin;           // id, id@version or the first characters of a build's SHA-256
    std::string machine;          // empty: the plugin's only one
    std::vector<HostName> hosts;  // one member each
};

struct HostSummary {
    KnownHost host;
    bool reachable = false;
    Duration round_trip{};
    std::uint64_t groups = 0;  // members it carries
    std::uint64_t leaders = 0;
    std::string version;
};

struct MemberAnswer {  // of one member's host; error set if it did not answer
    HostName host;
    std::optional<MemberStatus> status;
    std::optional<Error> error;
};

class HostService {
 public:
    virtual ~HostService() = default;
    virtual const HostName& name() const = 0;
    virtual const std::string& cluster() const = 0;
    virtual std::vector<KnownHost> known_hosts() const = 0;
    // Answers that nobody has read take all the room that they may: groups wait for those to be read.
    virtual bool is_short_of_room() const { return false; }

    virtual void open_group(const std::string& name, Time deadline,
                            Reply<std::shared_ptr<GroupPort>> done) = 0;

    virtual void create_group(CreateGroup request, Time deadline, Reply<GroupLocation> done) = 0;
    virtual void delete_group(const std::string& name, Time deadline, Reply<Done> done) = 0;
    // Cluster-wide: what every reachable host carries, one status per member.
    virtual void list_members(Time deadline, Reply<std::vector<MemberAnswer>> done) = 0;
    // Every member of one group, those that do not answer included.
    virtual void group_members(const std::string& name, bool state_hash, Time deadline,
                               Reply<std::vector<MemberAnswer>> done) = 0;
    // Answers when the change is committed; with a promotable, as soon as it is a member.
    virtual void add_member(const std::string& group, const HostName& host, raft::VoteKind kind,
                            Time deadline, Reply<EntryId> done) = 0;
    virtual void remove_member(const std::string& group, const HostName& host, Time deadline,
                               Reply<EntryId> done) = 0;
    // To the named host's member, or (empty) to the most up-to-date. Answers when it leads.
    virtual void transfer_leadership(const std::string& group, const HostName& to, Time deadline,
                                     Reply<Done> done) = 0;
    // The named host's member falls silent, keeps its data, and stays so until start_member() or the
    // host's next start; a leader hands over first. Fine if it was stopped. ra:stop_server.
    virtual void stop_member(const std::string& group, const HostName& host, Time deadline,
                             Reply<Done> done) = 0;
    // ... starts again, from its data. Errc::already_started. ra:restart_server.
    virtual void start_member(const std::string& group, const HostName& host, Time deadline,
                              Reply<Done> done) = 0;
    // ... campaigns, as if it had not heard of a leader for an election timeout; answers at once. Fine if it
    // leads. A leader that the others hear goes on, unlike ra's: transfer_leadership() moves that.
    // Errc::not_voter. ra:trigger_election.
    virtual void trigger_election(const std::string& group, const HostName& host, Time deadline,
                                  Reply<Done> done) = 0;
    // On the named host, or on all members (empty).
    virtual void take_snapshot(const std::string& group, const HostName& host, Time deadline,
                               Reply<std::vector<SnapshotSummary>> done) = 0;
    virtual void list_snapshots(const std::string& group, Time deadline,
                                Reply<std::vector<SnapshotSummary>> done) = 0;

    // Installs here, then has every reachable host fetch it; answers with one summary per host that has it.
    virtual void install_plugin(Bytes image, Time deadline,
                                Reply<std::vector<PluginSummary>> done) = 0;
    virtual void list_plugins(Time deadline, Reply<std::vector<PluginSummary>> done) = 0;

    virtual void list_hosts(Time deadline, Reply<std::vector<HostSummary>> done) = 0;
    virtual void ping_host(const HostName& host, Time deadline, Reply<Duration> done) = 0;
};

}  // namespace quorate::group
