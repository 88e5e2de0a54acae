#pragma once

#include "host/base/bytes.hpp"
#include "host/base/result.hpp"
#include "host/base/strong.hpp"
#include "host/base/time.hpp"
#include "host/machine/machine.hpp"
#include "host/raft/types.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

// What commands, queries and questions about members answer.
namespace quorate::group {

// ---- outcome of a command: exactly one of three ---------------------------------------------

struct Applied {
    EntryId entry;
    Bytes reply;
};
// Certainly not applied, now or later: safe to send again, anywhere.
struct NotApplied {
    Error error;
    std::string leader;  // the host to ask, if known
};
// It may have been applied, or may yet be.
struct Unknown {
    Error error;
};
using Outcome = std::variant<Applied, NotApplied, Unknown>;

// ---- reads (DESIGN §8) ------------------------------------------------------------------------

enum class ReadLevel : std::uint8_t { local, leader, linearizable };

struct QueryAnswer {
    EntryId at;  // the state that was read: the last entry applied to it
    Bytes reply;
    std::string leader;  // as this member knows it
};

// ---- status -----------------------------------------------------------------------------------

enum class MemberState : std::uint8_t {
    starting,  // loading its snapshot
    running,
    recovering,          // lost log entries; catching up, not counted
    waiting_for_plugin,  // the build is not installed here: votes and replicates, does not apply
    faulted,   // the machine failed at `fault_index`: votes and replicates, does not apply
    diverged,  // its outcome hash differs from the leader's
    fenced,    // a broken invariant of ours: silent
    stopped,
};

struct PeerProgress {
    MemberId id;
    std::string host;
    raft::VoteKind kind = raft::VoteKind::voter;
    Index match;        // durable there, as the leader knows; 0 if told by another
    std::string state;  // probe, replicate, snapshot; empty unless told by the leader
};

struct MemberStatus {
    GroupId group;
    std::string name;
    Epoch epoch;
    MemberId member;
    std::string host;
    machine::MachineRef machine;
    MemberState state = MemberState::starting;
    std::string trouble;  // why it is not running; empty if it is
    raft::Role role = raft::Role::follower;
    raft::VoteKind kind = raft::VoteKind::voter;
    Term term;
    std::string leader;  // host; empty: none known
    Index first;
    Index last;
    Index commit;
    Index applied;
    Index snapshot;
    std::uint64_t outcome_hash = 0;         // at `applied`
    std::optional<std::string> state_hash;  // at `applied`; only when asked for
    std::uint64_t commands = 0;             // applied since start
    std::uint64_t queries = 0;
    std::vector<PeerProgress> members;  // the active membership
};

struct GroupLocation {
    GroupId group;
    std::string name;
    std::string leader;              // host, if known
    std::vector<std::string> hosts;  // of its members
};

struct SnapshotSummary {
    std::string host;
    EntryId last;
    std::uint64_t bytes = 0;
    std::uint64_t raw_bytes = 0;
    std::string machine;
    std::uint32_t machine_version = 0;
};

struct PluginSummary {
    std::string id;
    std::string version;
    std::string build;  // SHA-256, hex
    std::uint64_t bytes = 0;
    std::string manifest;  // JSON
    std::vector<std::string> machines;
    std::vector<std::string> usage;  // text commands and queries, a line each
    std::string host;
};

}  // namespace quorate::group
