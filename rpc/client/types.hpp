#pragma once

#include "host/base/bytes.hpp"
#include "host/base/result.hpp"
#include "host/base/strong.hpp"
#include "host/base/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

// The values that the client library gives and takes. Plain structs; bytes are shared, not copied.
namespace quorate::client {

// ---- a command's end: exactly one of three ---------------------------------------------------

struct Applied {
    EntryId entry;
    Bytes reply;
};
// Certainly not applied, now or later: safe to send again, to any host.
struct NotApplied {
    Error error;
    std::string leader;  // host to ask; empty: not known
};
// It may have been applied, or may yet be, even long after its deadline: it may be in a log that a
// later leader commits. Sending it again may apply it twice.
struct Unknown {
    Error error;
};
using Outcome = std::variant<Applied, NotApplied, Unknown>;

// ---- reads ------------------------------------------------------------------------------------

enum class ReadLevel : std::uint8_t { local, leader, linearizable };

struct Answer {
    EntryId at;  // the last entry applied to the state that was read
    Bytes reply;
    std::string leader;
};

// ---- administration -----------------------------------------------------------------------------

enum class VoteKind : std::uint8_t { voter, promotable, non_voter };

struct MachineRef {
    std::string plugin;
    std::string build;  // SHA-256, hex
    std::string machine;
    std::uint32_t version = 0;
};

struct PeerProgress {
    MemberId member;
    std::string host;
    VoteKind kind = VoteKind::voter;
    Index match;  // as the leader knows it; 0 elsewhere
    std::string state;
};

struct MemberStatus {
    GroupId group;
    std::string name;
    std::uint64_t epoch = 0;
    MemberId member;
    std::string host;
    MachineRef machine;
    std::string state;    // running, starting, recovering, waiting_for_plugin, faulted, ...
    std::string trouble;  // why it is not running; empty if it is
    std::string role;     // leader, follower, candidate, pre_candidate
    VoteKind kind = VoteKind::voter;
    Term term;
    std::string leader;
    Index first;
    Index last;
    Index commit;
    Index applied;
    Index snapshot;
    std::uint64_t outcome_hash = 0;
    std::string state_hash;  // empty unless asked for
    std::uint64_t commands = 0;
    std::uint64_t queries = 0;
    std::vector<PeerProgress> members;
};

// What one host said of its member, or why nothing came.
struct MemberAnswer {
    std::string host;
    std::optional<MemberStatus> status;
    std::optional<Error> error;
};

struct GroupLocation {
    GroupId group;
    std::string name;
    std::string leader;
    std::vector<std::string> hosts;
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
    std::string build;
    std::uint64_t bytes = 0;
    std::string manifest;  // JSON
    std::vector<std::string> machines;
    std::vector<std::string> usage;
    std::string host;
};

struct HostSummary {
    std::string name;
    std::string peer_address;
    std::string client_address;
    bool reachable = false;
    std::uint64_t round_trip_us = 0;
    std::uint64_t groups = 0;
    std::uint64_t leaders = 0;
    std::string version;
};

struct ServerInfo {
    std::uint32_t protocol = 0;
    std::string software;
    std::string cluster;
    std::string host;
    std::string endpoint;
};

// A reply and its rendering by the machine's own descriptor.
struct TextOutcome {
    Outcome outcome;
    std::string text;
};
struct TextAnswer {
    Answer answer;
    std::string text;
};

}  // namespace quorate::client
