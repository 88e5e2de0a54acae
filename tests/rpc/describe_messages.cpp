#include "tests/rpc/random_messages.hpp"

#include <sstream>

// Written against the structs, not against the codec: a second, dumb view of every field.
namespace quorate::testing {
namespace {

class Text {
 public:
    template <class... Fields>
    void line(const char* kind, const Fields&... fields) {
        out_ << kind << '(';
        ((field(fields), out_ << ','), ...);
        out_ << ')';
    }
    std::string str() const { return out_.str(); }

    void field(std::uint64_t value) { out_ << value; }
    void field(std::uint32_t value) { out_ << value; }
    void field(bool value) { out_ << value; }
    void field(const std::string& value) { out_ << '"' << value << '"'; }
    void field(const Bytes& value) { out_ << '[' << value.text() << ']'; }
    void field(Index value) { out_ << value.value(); }
    void field(Term value) { out_ << value.value(); }
    void field(EntryId value) { line("entry", value.term, value.index); }
    template <class Tag>
    void field(Id<Tag> value) {
        out_ << value.value();
    }
    template <class Value>
    requires std::is_enum_v<Value>
    void field(Value value) { out_ << static_cast<unsigned>(value); }
    void field(Duration value) { out_ << value.count(); }
    template <class Value>
    void field(const std::optional<Value>& value) {
        if (value) field(*value);
    }
    template <class Value>
    void field(const std::vector<Value>& values) {
        for (const Value& value : values) field(value);
        out_ << ';';
    }
    template <class... Ts>
    void field(const std::variant<Ts...>& value) {
        out_ << value.index() << ':';
        std::visit([this](const auto& one) { field(one); }, value);
    }

    void field(const Error& e) {
        line("error", e.code, e.what, std::string(e.advice()), e.retry_after_ms);
    }
    void field(const raft::Member& m) { line("member", m.id, m.host, m.kind, m.promote_at); }
    void field(const raft::Membership& m) { line("membership", m.members); }
    void field(const raft::Entry& e) { line("log", e.id, e.kind, e.payload); }
    void field(const raft::VoteRequest& m) { line("vote", m.term, m.last, m.pre_vote, m.transfer); }
    void field(const raft::VoteReply& m) { line("voted", m.term, m.pre_vote, m.granted); }
    void field(const raft::AppendEntries& m) {
        line("append", m.term, m.prev, m.last, m.commit, m.leader_last, m.round, m.sleep,
             m.entries);
    }
    void field(const raft::AppendReply& m) {
        line("appended", m.term, m.accepted, m.recovering, m.match, m.hint, m.round, m.applied,
             m.asleep);
    }
    void field(const raft::SnapshotOffer& m) {
        line("offer", m.term, m.last, m.membership, m.round);
    }
    void field(const raft::TimeoutNow& m) { line("timeout", m.term); }
    void field(const raft::ReadIndexRequest& m) { line("read", m.term, m.id); }
    void field(const raft::ReadIndexReply& m) {
        line("index", m.term, m.id, m.index, m.leader_last);
    }
    void field(const group::RaftEnvelope& m) {
        line("raft", m.group, m.epoch, m.from, m.to, m.message);
    }
    void field(const group::SnapshotFetch& m) {
        line("fetch", m.group, m.from, m.to, m.snapshot, m.offset, m.max_bytes);
    }
    void field(const group::SnapshotPiece& m) {
        line("piece", m.group, m.from, m.to, m.snapshot, m.offset, m.total, m.bytes);
    }
    void field(const group::Request& m) { line("request", m.id, m.remaining, m.body); }
    void field(const group::Response& m) {
        if (m.failed) return line("failed", m.id, m.error);
        line("response", m.id, m.body);
    }
    void field(const group::Beat& m) { line("beat", m.incarnation, m.answer); }
    void field(const group::Leadership& m) { line("leads", m.group, m.leader, m.term); }
    void field(const group::LeaderCheck& m) { line("check", m.answer, m.of); }
    void field(const group::SubmitRequest& m) { line("submit", m.group, m.payload); }
    void field(const group::QueryRequest& m) {
        line("query", m.group, m.level, m.at_least, m.query);
    }
    void field(const group::LocateRequest& m) { line("locate", m.name); }
    void field(const group::StartMemberRequest& m) { line("start", m.registration, m.campaign); }
    void field(const group::DeleteMemberRequest& m) {
        line("delete", m.group, m.member, m.only_at.value_or(Index(~0ull)));
    }
    void field(const group::StatusRequest& m) { line("status", m.group, m.state_hash); }
    void field(const group::ChangeMemberRequest& m) { line("change", m.group, m.member, m.remove); }
    void field(const group::StopMemberRequest& m) { line("stop member", m.group); }
    void field(const group::RestartMemberRequest& m) { line("restart member", m.group); }
    void field(const group::CampaignRequest& m) { line("campaign", m.group); }
    void field(const group::TransferRequest& m) { line("transfer", m.group, m.to); }
    void field(const group::DeleteGroupRequest& m) { line("end", m.group); }
    void field(const group::TakeSnapshotRequest& m) { line("take", m.group); }
    void field(const group::ListSnapshotsRequest& m) { line("list", m.group); }
    void field(const group::PluginOfferRequest& m) { line("offer plugin", m.build, m.size); }
    void field(const group::PluginFetchRequest& m) {
        line("fetch", m.build, m.offset, m.max_bytes);
    }
    void field(const group::PluginListRequest&) { line("plugins"); }
    void field(const group::PingRequest&) { line("ping"); }
    void field(const group::ReserveNameRequest& m) {
        line("reserve", m.name, m.group, m.round, m.hold);
    }
    void field(const group::Done&) { line("done"); }
    void field(const group::Applied& m) { line("applied", m.entry, m.reply); }
    void field(const group::NotApplied& m) { line("not applied", m.error, m.leader); }
    void field(const group::Unknown& m) { line("unknown", m.error); }
    void field(const group::QueryAnswer& m) { line("answer", m.at, m.reply, m.leader); }
    void field(const group::GroupLocation& m) { line("at", m.group, m.name, m.leader, m.hosts); }
    void field(const machine::MachineRef& m) {
        line("machine", m.plugin, m.build, m.machine, m.version);
    }
    void field(const group::PeerProgress& m) {
        line("peer", m.id, m.host, m.kind, m.match, m.state);
    }
    void field(const group::MemberStatus& m) {
        line("member", m.group, m.name, m.epoch, m.member, m.host, m.machine, m.state, m.trouble);
        line("log", m.role, m.kind, m.term, m.leader, m.first, m.last, m.commit, m.applied,
             m.snapshot);
        line("more", m.outcome_hash, m.state_hash, m.commands, m.queries, m.members);
    }
    void field(const group::SnapshotSummary& m) {
        line("snapshot", m.host, m.last, m.bytes, m.raw_bytes, m.machine, m.machine_version);
    }
    void field(const group::PluginSummary& m) {
        line("plugin", m.id, m.version, m.build, m.bytes, m.manifest, m.machines, m.usage, m.host);
    }
    void field(const group::Piece& m) { line("piece", m.total, m.bytes); }

 private:
    std::ostringstream out_;
};

}  // namespace

std::string describe(const group::PeerMessage& message) {
    Text text;
    text.field(message);
    return text.str();
}

}  // namespace quorate::testing
