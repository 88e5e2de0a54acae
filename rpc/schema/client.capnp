# What clients say to a host. Any Cap'n Proto implementation can speak it: no `stream`, no generics,
# no default capabilities. Every call that can fail answers with a union whose `failed` branch is
# a Failure; an RPC exception means that the connection or the host is gone, never an ordinary error.
@0xac1bb9d1c2804f96;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("quorate::schema");

const protocolVersion :UInt32 = 1;

# ---- values -----------------------------------------------------------------------------------

struct Failure {
  code @0 :UInt16;        # QR-<code>, stable
  name @1 :Text;          # snake_case, stable
  message @2 :Text;       # what happened, where and why
  hint @3 :Text;          # what to do
  retryable @4 :Bool;     # the same request may succeed later as it is
  retryAfterMs @5 :UInt32;  # of `overloaded`: when it is likely to, by how fast the queue empties; 0: not known
}

struct EntryId {
  term @0 :UInt64;
  index @1 :UInt64;
}

# A command's end: exactly one of three.
struct Outcome {
  union {
    applied :group {
      entry @0 :EntryId;
      reply @1 :Data;
    }
    notApplied :group {   # certainly not, now or later: safe to send again, anywhere
      why @2 :Failure;
      leader @3 :Text;    # host to ask, if known; empty if not
    }
    unknown @4 :Failure;  # it may have been applied, or may yet be
  }
}

struct Question {
  level @0 :ReadLevel;
  atLeast @1 :UInt64;     # as of Group.query
  query @2 :Data;
  timeoutMs @3 :UInt32;
}

struct Answer {           # of a query
  union {
    reply :group {
      data @0 :Data;
      at @1 :EntryId;     # the last entry applied to the state that was read
      leader @2 :Text;
    }
    failed @3 :Failure;
  }
}

enum ReadLevel {
  local @0;               # any member, possibly stale
  leader @1;              # the member that believes it leads
  linearizable @2;        # confirmed with a quorum (thesis 6.4)
}

enum VoteKind { voter @0; promotable @1; nonVoter @2; }
enum Role { follower @0; preCandidate @1; candidate @2; leader @3; }
enum MemberState {
  starting @0; running @1; recovering @2; waitingForPlugin @3;
  faulted @4; diverged @5; fenced @6; stopped @7;
}

struct MachineRef {
  plugin @0 :Text;
  build @1 :Text;         # SHA-256, hex
  machine @2 :Text;
  version @3 :UInt32;
}

struct PeerProgress {
  member @0 :UInt64;
  host @1 :Text;
  kind @2 :VoteKind;
  match @3 :UInt64;       # as the leader knows it; 0 elsewhere
  state @4 :Text;
}

struct MemberStatus {
  group @0 :UInt64;
  name @1 :Text;
  epoch @2 :UInt64;
  member @3 :UInt64;
  host @4 :Text;
  machine @5 :MachineRef;
  state @6 :MemberState;
  trouble @7 :Text;       # why it is not running; empty if it is
  role @8 :Role;
  kind @9 :VoteKind;
  term @10 :UInt64;
  leader @11 :Text;
  first @12 :UInt64;
  last @13 :UInt64;
  commit @14 :UInt64;
  applied @15 :UInt64;
  snapshot @16 :UInt64;
  outcomeHash @17 :UInt64;
  stateHash @18 :Text;    # empty unless asked for
  commands @19 :UInt64;
  queries @20 :UInt64;
  members @21 :List(PeerProgress);
}

struct MemberAnswer {
  host @0 :Text;
  union {
    status @1 :MemberStatus;
    failed @2 :Failure;
  }
}

struct GroupLocation {
  group @0 :UInt64;
  name @1 :Text;
  leader @2 :Text;
  hosts @3 :List(Text);
}

struct SnapshotSummary {
  host @0 :Text;
  last @1 :EntryId;
  bytes @2 :UInt64;
  rawBytes @3 :UInt64;
  machine @4 :Text;
  machineVersion @5 :UInt32;
}

struct PluginSummary {
  id @0 :Text;
  version @1 :Text;
  build @2 :Text;
  bytes @3 :UInt64;
  manifest @4 :Text;      # JSON
  machines @5 :List(Text);
  usage @6 :List(Text);
  host @7 :Text;
}

struct HostSummary {
  name @0 :Text;
  peerAddress @1 :Text;
  clientAddress @2 :Text;
  reachable @3 :Bool;
  roundTripUs @4 :UInt64;
  groups @5 :UInt64;
  leaders @6 :UInt64;
  version @7 :Text;
}

# ---- results: the value, or why not -------------------------------------------------------------

struct HostResult { union { host @0 :Host; failed @1 :Failure; } }
struct GroupResult { union { group @0 :Group; failed @1 :Failure; } }
struct AdminResult { union { admin @0 :Admin; failed @1 :Failure; } }
struct LocationResult { union { location @0 :GroupLocation; failed @1 :Failure; } }
struct DoneResult { union { done @0 :Void; failed @1 :Failure; } }
struct MembersResult { union { members @0 :List(MemberAnswer); failed @1 :Failure; } }
struct EntryResult { union { entry @0 :EntryId; failed @1 :Failure; } }
struct SnapshotsResult { union { snapshots @0 :List(SnapshotSummary); failed @1 :Failure; } }
struct PluginsResult { union { plugins @0 :List(PluginSummary); failed @1 :Failure; } }
struct HostsResult { union { hosts @0 :List(HostSummary); failed @1 :Failure; } }
struct PingResult { union { roundTripUs @0 :UInt64; failed @1 :Failure; } }

# ---- interfaces -------------------------------------------------------------------------------

# The bootstrap capability of a client connection.
interface Gate {
  # First call of every connection: both sides learn whom they talk to.
  hello @0 (protocol :UInt32, software :Text) -> (protocol :UInt32, software :Text, cluster :Text, host :Text);
  # Gives what this caller may use. An empty token is enough where the host allows it (loopback).
  login @1 (token :Text) -> HostResult;
}

interface Host {
  group @0 (name :Text, timeoutMs :UInt32) -> GroupResult;
  admin @1 () -> AdminResult;
  # The hosts of the cluster, by which a client finds the others.
  hosts @2 () -> (hosts :List(HostSummary));
}

# Lets its holder use one group. timeoutMs is the one deadline over all hops and redirects.
interface Group {
  describe @0 () -> (location :GroupLocation, machine :MachineRef);
  # `leader`, of every answer: the host that leads the group as far as this host knows, empty if it does
  # not. Whoever connects there next saves a hop.
  submit @1 (command :Data, timeoutMs :UInt32) -> (outcome :Outcome, leader :Text);
  query @2 (level :ReadLevel, atLeast :UInt64, query :Data, timeoutMs :UInt32) -> (answer :Answer);
  # Text forms, encoded and rendered by the machine's own descriptor. words[0] is the verb.
  submitText @3 (words :List(Text), timeoutMs :UInt32)
      -> (outcome :Outcome, text :Text, leader :Text);
  queryText @4 (words :List(Text), level :ReadLevel, atLeast :UInt64, timeoutMs :UInt32)
      -> (answer :Answer, text :Text);
  # Many commands in few calls.
  pipeline @5 () -> (pipeline :Pipeline, creditCommands :UInt32, creditBytes :UInt64);
  # Many queries in one call, answered when the last of them is: for those that are asked at the same time and will
  # wait equally long. The answers are to the first of the queries, in their order: to one at least, and to as many as
  # the host takes at once and one message holds. The rest was not asked, or changed nothing: ask again.
  queries @6 (queries :List(Question)) -> (answers :List(Answer));
}

interface Pipeline {
  # Submits commands with correlations first, first+1, ..., and waits until any command of the pipeline
  # has its outcome, be it of this write or of another. Outcomes come only as answers of writes, each
  # correlation exactly once while the connection lives: who has commands without an outcome keeps a write
  # waiting, if need be one without commands. Writes are answered in their order, at once if nothing is
  # left to wait for, and the oldest, perhaps with no outcomes, if too many of them wait.
  # The caller keeps at most creditCommands and creditBytes without an outcome; what exceeds them ends in
  # notApplied(overloaded).
  write @0 (first :UInt64, commands :List(Data), timeoutMs :UInt32)
      -> (leader :Text, outcomes :List(PipelineOutcome));
}

struct PipelineOutcome {
  correlation @0 :UInt64;
  outcome @1 :Outcome;
}

# Runs the cluster. Held by operators only.
interface Admin {
  createGroup @0 (name :Text, plugin :Text, machine :Text, hosts :List(Text), timeoutMs :UInt32)
      -> LocationResult;
  deleteGroup @1 (name :Text, timeoutMs :UInt32) -> DoneResult;
  # One answer per member that the reachable hosts carry, and one failure per host that is not.
  listMembers @2 (timeoutMs :UInt32)
      -> MembersResult;
  groupMembers @3 (name :Text, stateHash :Bool, timeoutMs :UInt32)
      -> MembersResult;
  addMember @4 (group :Text, host :Text, kind :VoteKind, timeoutMs :UInt32)
      -> EntryResult;
  removeMember @5 (group :Text, host :Text, timeoutMs :UInt32)
      -> EntryResult;
  transferLeadership @6 (group :Text, to :Text, timeoutMs :UInt32)
      -> DoneResult;
  takeSnapshot @7 (group :Text, host :Text, timeoutMs :UInt32)
      -> SnapshotsResult;
  listSnapshots @8 (group :Text, timeoutMs :UInt32)
      -> SnapshotsResult;
  installPlugin @9 (image :Data, timeoutMs :UInt32)
      -> PluginsResult;
  listPlugins @10 (timeoutMs :UInt32)
      -> PluginsResult;
  listHosts @11 (timeoutMs :UInt32)
      -> HostsResult;
  pingHost @12 (host :Text, timeoutMs :UInt32)
      -> PingResult;
  # Only where the host's configuration enables it (`quorate dev`): drop all traffic from and to these hosts.
  partition @13 (hosts :List(Text)) -> DoneResult;
  # One member: falls silent and keeps its data; starts again from it; campaigns.
  stopMember @14 (group :Text, host :Text, timeoutMs :UInt32) -> DoneResult;
  startMember @15 (group :Text, host :Text, timeoutMs :UInt32) -> DoneResult;
  triggerElection @16 (group :Text, host :Text, timeoutMs :UInt32) -> DoneResult;
}
