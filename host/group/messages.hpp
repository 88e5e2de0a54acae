#pragma once

#include "host/base/result.hpp"
#include "host/group/status.hpp"
#include "host/raft/types.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

// What hosts say to each other. Values only; rpc/codec turns them into Cap'n Proto and back and
// refuses what is malformed. Everything may be lost, repeated, or arrive late.
namespace quorate::group {

using HostName = std::string;

// A message of a group's consensus core, from one incarnation to another.
struct RaftEnvelope {
    GroupId group;
    Epoch epoch;
    MemberId from;
    MemberId to;
    raft::Message message;
};

// Snapshot transfer is pulled by the receiver, which makes it resumable and windowed by nature.
struct SnapshotFetch {
    GroupId group;
    MemberId from;
    MemberId to;
    EntryId snapshot;
    std::uint64_t offset = 0;
    std::uint32_t max_bytes = 0;
};
struct SnapshotPiece {
    GroupId group;
    MemberId from;
    MemberId to;
    EntryId snapshot;
    std::uint64_t offset = 0;
    std::uint64_t total = 0;  // size of the whole; 0: the sender no longer has this snapshot
    Bytes bytes;
};

// ---- whether hosts and leaders are there (docs/protocol.md §12) ------------------------------

// Asks whether the host is alive; it answers at once, with its own incarnation.
struct Beat {
    std::uint64_t incarnation = 0;  // of the sender's process
    bool answer = false;
};

// A member and the term that it leads.
struct Leadership {
    GroupId group;
    MemberId leader;
    Term term;
};
// Asks a host whether these members of it still lead: their followers here sleep and hear nothing of
// them. The answer, also unasked, names those that do not.
struct LeaderCheck {
    bool answer = false;
    std::vector<Leadership> of;
};

// ---- requests between hosts: one request, at most one response ------------------------------

struct SubmitRequest {  // to the host of the group's leader
    GroupId group;
    Bytes payload;  // with its command header (command.hpp)
};
struct QueryRequest {
    GroupId group;
    ReadLevel level = ReadLevel::linearizable;
    Index at_least;
    Bytes query;
};
struct LocateRequest {  // who carries this group?
    std::string name;
};
struct StartMemberRequest {
    Bytes registration;
    bool campaign = false;  // the creator's choice of first leader
};
struct DeleteMemberRequest {
    GroupId group;
    MemberId member;
    // Only while its log ends here. Who asks saw that nobody needs it; since then it may have been
    // made use of.
    std::optional<Index> only_at;
};
struct StatusRequest {  // of one group's local member; group 0: of all
    GroupId group;
    bool state_hash = false;
};
struct ChangeMemberRequest {  // to the leader
    GroupId group;
    raft::Member member;  // add: the new member; remove: its id
    bool remove = false;
};
struct TransferRequest {  // to the leader
    GroupId group;
    MemberId to;  // 0: any
};
struct DeleteGroupRequest {  // to the leader
    GroupId group;
};
struct StopMemberRequest {  // this and the next two: to whoever carries the member
    GroupId group;
};
struct RestartMemberRequest {
    GroupId group;
};
struct CampaignRequest {
    GroupId group;
};
struct TakeSnapshotRequest {
    GroupId group;
};
struct ListSnapshotsRequest {
    GroupId group;
};
struct PluginOfferRequest {  // fetch this build from the sender and install it
    std::string build;       // SHA-256, hex
    std::uint64_t size = 0;
};
struct PluginFetchRequest {
    std::string build;
    std::uint64_t offset = 0;
    std::uint32_t max_bytes = 0;
};
struct PluginListRequest {};
struct PingRequest {};
// Whoever creates a group asks this of all hosts before it starts members, so that of two who want the
// name at once at most one has a majority. A reservation ends when it is given up (hold 0), when
// the group's member starts, or when `hold` and a margin have passed; a host that restarts forgets it.
struct ReserveNameRequest {
    std::string name;
    GroupId group;
    std::uint32_t round = 0;  // of the asker's attempts: giving one up does not end a later one
    Duration hold{};
};

using RequestBody =
    std::variant<SubmitRequest, QueryRequest, LocateRequest, StartMemberRequest,
                 DeleteMemberRequest, StatusRequest, ChangeMemberRequest, TransferRequest,
                 DeleteGroupRequest, TakeSnapshotRequest, ListSnapshotsRequest, PluginOfferRequest,
                 PluginFetchRequest, PluginListRequest, PingRequest, ReserveNameRequest,
                 StopMemberRequest, RestartMemberRequest, CampaignRequest>;

struct Done {};
struct Piece {
    std::uint64_t total = 0;
    Bytes bytes;
};
using ResponseBody =
    std::variant<Done, Outcome, QueryAnswer, GroupLocation, std::vector<MemberStatus>,
                 std::vector<SnapshotSummary>, std::vector<PluginSummary>, Piece, EntryId>;

struct Request {
    std::uint64_t id = 0;
    Duration remaining{};  // until the caller gives up; no wall clocks are compared
    RequestBody body;
};
// `error` tells whether `body` or the error holds. An error says that the request was not carried out,
// unless it is a submit: that always answers with an Outcome.
struct Response {
    std::uint64_t id = 0;
    bool failed = false;
    Error error{Errc::internal, {}, {}};
    ResponseBody body;
};

using PeerMessage =
    std::variant<RaftEnvelope, SnapshotFetch, SnapshotPiece, Request, Response, Beat, LeaderCheck>;

}  // namespace quorate::group
