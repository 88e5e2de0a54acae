# What hosts say to each other: frames, one way, on one TCP connection per direction. No calls: a
# request and its response are two messages with one id. docs/formats/peer.md tells the order of
# frames, the limits, and what a receiver refuses.
@0xb2d5cefa7d7cc7cb;

using Cxx = import "/capnp/c++.capnp";
using Client = import "client.capnp";
$Cxx.namespace("quorate::schema");

const peerProtocol :UInt16 = 1;        # what this build speaks best
const peerProtocolOldest :UInt16 = 1;  # the oldest that it still understands

struct PeerFrame {
  union {
    hello @0 :Hello;               # dialler, first
    welcome @1 :Welcome;           # acceptor, first
    batch @2 :List(PeerMessage);   # dialler: everything that was ready
    hosts @3 :List(KnownHost);     # either: hosts that the sender learnt of since its hello
    ping @4 :UInt64;               # dialler, when it has been silent; the answer repeats the number
    pong @5 :UInt64;               # acceptor
  }
}

# ---- who speaks --------------------------------------------------------------------------------

struct KnownHost {
  name @0 :Text;
  peerAddress @1 :Text;            # host:port
  clientAddress @2 :Text;
}

struct Hello {
  protocol @0 :UInt16;             # best; both sides then speak the smaller of the two
  protocolOldest @1 :UInt16;
  software @2 :Text;
  cluster @3 :Text;
  incarnation @4 :UInt64;          # random, of this run of the process
  self @5 :KnownHost;
  hosts @6 :List(KnownHost);
  lane @7 :UInt16;                 # a host may dial once per shard; each connection has its lane
}

struct Welcome {
  union {
    accepted @0 :Hello;
    refused @1 :Client.Failure;    # the connection ends after it
  }
}

# ---- messages ----------------------------------------------------------------------------------

struct PeerMessage {
  union {
    raft @0 :RaftEnvelope;
    snapshotFetch @1 :SnapshotFetch;
    snapshotPiece @2 :SnapshotPiece;
    request @3 :Request;
    response @4 :Response;
    beat @5 :Beat;
    leaderCheck @6 :LeaderCheck;
  }
}

# Whether a host is alive, for all groups that two hosts share.
struct Beat {
  incarnation @0 :UInt64;          # of the sender's process
  answer @1 :Bool;                 # else it asks for one
}

# Whether members of the receiver still lead: their followers at the sender sleep. As an answer: they do not.
struct LeaderCheck {
  answer @0 :Bool;
  of @1 :List(Leadership);
}

struct Leadership {
  group @0 :UInt64;
  leader @1 :UInt64;
  term @2 :UInt64;
}

struct RaftEnvelope {
  group @0 :UInt64;
  epoch @1 :UInt64;
  from @2 :UInt64;                 # incarnations of members
  to @3 :UInt64;
  term @4 :UInt64;                 # every message has one
  union {
    voteRequest @5 :VoteRequest;
    voteReply @6 :VoteReply;
    appendEntries @7 :AppendEntries;
    appendReply @8 :AppendReply;
    snapshotOffer @9 :SnapshotOffer;
    timeoutNow @10 :Void;
    readIndexRequest @11 :UInt64;  # the read's id
    readIndexReply @12 :ReadIndexReply;
  }
}

struct VoteRequest {
  lastTerm @0 :UInt64;
  lastIndex @1 :UInt64;
  preVote @2 :Bool;
  transfer @3 :Bool;
}

struct VoteReply {
  preVote @0 :Bool;
  granted @1 :Bool;
}

enum EntryKind { unset @0; command @1; noop @2; membership @3; host @4; }

# Its index is its place: prevIndex + 1 for the first, and so on.
struct Entry {
  term @0 :UInt64;
  kind @1 :EntryKind;
  payload @2 :Data;
}

struct AppendEntries {
  prevTerm @0 :UInt64;
  prevIndex @1 :UInt64;
  commit @2 :UInt64;
  leaderLast @3 :UInt64;
  round @4 :UInt64;
  entries @5 :List(Entry);
  sleep @6 :Bool;                  # nothing more will come; false from a host that does not know it
}

struct AppendReply {
  accepted @0 :Bool;
  recovering @1 :Bool;
  match @2 :UInt64;
  hintTerm @3 :UInt64;
  hintIndex @4 :UInt64;
  round @5 :UInt64;
  applied @6 :UInt64;              # by the sender's machine; 0 from a host that does not tell
  asleep @7 :Bool;                 # it does as it was told
}

struct SnapshotOffer {
  lastTerm @0 :UInt64;
  lastIndex @1 :UInt64;
  membership @2 :Data;             # as in a membership entry
  round @3 :UInt64;
}

struct ReadIndexReply {
  id @0 :UInt64;
  index @1 :UInt64;                # 0: refused
  leaderLast @2 :UInt64;           # the leader's last index as it answers
}

struct SnapshotFetch {
  group @0 :UInt64;
  from @1 :UInt64;
  to @2 :UInt64;
  term @3 :UInt64;
  index @4 :UInt64;
  offset @5 :UInt64;
  maxBytes @6 :UInt32;
}

struct SnapshotPiece {
  group @0 :UInt64;
  from @1 :UInt64;
  to @2 :UInt64;
  term @3 :UInt64;
  index @4 :UInt64;
  offset @5 :UInt64;
  total @6 :UInt64;                # 0: the sender no longer has this snapshot
  bytes @7 :Data;
}

# ---- requests and responses --------------------------------------------------------------------

struct Request {
  id @0 :UInt64;
  remainingUs @1 :UInt64;          # until the caller gives up
  union {
    submit :group {
      group @2 :UInt64;
      payload @3 :Data;
    }
    query @4 :Query;
    locate @5 :Text;
    startMember :group {
      registration @6 :Data;
      campaign @7 :Bool;
    }
    deleteMember :group {
      group @8 :UInt64;
      member @9 :UInt64;
      onlyAtNext @25 :UInt64;      # 0: at once; else only while its log's next index is this
    }
    status :group {
      group @10 :UInt64;
      stateHash @11 :Bool;
    }
    changeMember @12 :ChangeMember;
    transfer :group {
      group @13 :UInt64;
      to @14 :UInt64;
    }
    deleteGroup @15 :UInt64;
    takeSnapshot @16 :UInt64;
    listSnapshots @17 :UInt64;
    pluginOffer :group {
      build @18 :Text;
      size @19 :UInt64;
    }
    pluginFetch :group {
      build @20 :Text;
      offset @21 :UInt64;
      maxBytes @22 :UInt32;
    }
    pluginList @23 :Void;
    ping @24 :Void;
    reserveName :group {
      name @26 :Text;
      group @27 :UInt64;
      round @28 :UInt32;
      holdUs @29 :UInt64;          # 0: given up
    }
    stopMember @30 :UInt64;        # group, as in the next two
    restartMember @31 :UInt64;
    campaign @32 :UInt64;
  }
}

struct Query {
  group @0 :UInt64;
  level @1 :Client.ReadLevel;
  atLeast @2 :UInt64;
  query @3 :Data;
}

struct ChangeMember {
  group @0 :UInt64;
  member @1 :UInt64;
  host @2 :Text;
  kind @3 :Client.VoteKind;
  promoteAt @4 :UInt64;
  remove @5 :Bool;
}

struct Response {
  id @0 :UInt64;
  union {
    failed @1 :Client.Failure;
    done @2 :Void;
    outcome @3 :Client.Outcome;
    answer :group {
      at @4 :Client.EntryId;
      reply @5 :Data;
      leader @6 :Text;
    }
    location @7 :Client.GroupLocation;
    statuses @8 :List(Client.MemberStatus);
    snapshots @9 :List(Client.SnapshotSummary);
    plugins @10 :List(Client.PluginSummary);
    piece :group {
      total @11 :UInt64;
      bytes @12 :Data;
    }
    entry @13 :Client.EntryId;
  }
}
