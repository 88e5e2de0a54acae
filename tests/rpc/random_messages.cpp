#include "tests/rpc/random_messages.hpp"

#include "host/raft/membership.hpp"

#include <set>

namespace quorate::testing {
namespace {

template <class Variant, std::size_t... I>
Variant alternative(std::size_t which, std::index_sequence<I...>) {
    Variant out;
    ((which == I ? void(out.template emplace<I>()) : void()), ...);
    return out;
}

}  // namespace

std::string RandomMessages::text(std::size_t longest) {
    std::string out(number(longest + 1), ' ');
    for (char& letter : out) letter = static_cast<char>('a' + number(26));
    return out;
}

Bytes RandomMessages::bytes(std::size_t longest) {
    std::string out(number(longest + 1), ' ');
    for (char& byte : out) byte = static_cast<char>(number(256));
    return out.empty() ? Bytes() : Bytes::take(out);
}

Error RandomMessages::error() {
    auto all = error_catalogue();
    return {all[number(all.size())].code, text(40), "hint " + text(10),
            static_cast<std::uint32_t>(number(1u << 30))};
}

EntryId RandomMessages::entry_id(std::uint64_t max_term) {
    if (number(8) == 0 || max_term == 0) return {};
    return {Term(number(max_term) + 1), Index(number(1u << 20) + 1)};
}

raft::Membership RandomMessages::membership() {
    raft::Membership out;
    std::set<std::uint64_t> ids;
    for (std::size_t i = 0; i < 1 + number(5); ++i) ids.insert(number(1u << 30) + 1);
    for (std::uint64_t one : ids) {
        auto kind = out.members.empty() ? raft::VoteKind::voter : raft::VoteKind(number(3));
        Index promote_at = kind == raft::VoteKind::promotable ? index() : Index();
        out.members.push_back({MemberId(one), "h" + text(8), kind, promote_at});
    }
    return out;
}

raft::AppendEntries RandomMessages::append_entries() {
    Term term(number(50) + 1);
    raft::AppendEntries out{.term = term, .prev = entry_id(term.value()), .round = number(1000)};
    out.sleep = coin();
    EntryId last = out.prev;
    for (std::uint64_t left = number(6); left > 0; --left) {
        last.index = last.index.next();
        std::uint64_t floor = std::max<std::uint64_t>(1, last.term.value());
        last.term = Term(floor + number(term.value() - floor + 1));
        auto kind = raft::EntryKind(1 + number(4));
        Bytes payload = kind == raft::EntryKind::noop         ? Bytes()
                        : kind == raft::EntryKind::membership ? raft::encode(membership())
                                                              : bytes(300);
        out.entries.push_back({last, kind, payload});
    }
    out.last = last.index;
    out.commit = Index(number(last.index.value() + 1));
    out.leader_last = last.index + number(100);
    return out;
}

raft::Message RandomMessages::raft_message(std::size_t kind) {
    Term term(number(50) + 1);
    switch (kind) {
        case 0:
            return raft::VoteRequest{term, entry_id(term.value()), coin(), coin()};
        case 1:
            return raft::VoteReply{term, coin(), coin()};
        case 2:
            return append_entries();
        case 3:
            return raft::AppendReply{term,         coin(),     coin(),  index(),
                                     entry_id(50), number(99), index(), coin()};
        case 4: {
            EntryId last{Term(number(term.value()) + 1), Index(number(1000) + 1)};
            return raft::SnapshotOffer{term, last, membership(), number(99)};
        }
        case 5:
            return raft::TimeoutNow{term};
        case 6:
            return raft::ReadIndexRequest{term, id<ReadId>()};
        default:
            return raft::ReadIndexReply{term, id<ReadId>(), index(), index()};
    }
}

group::RequestBody RandomMessages::request_body(std::size_t kind) {
    auto body = alternative<group::RequestBody>(
        kind, std::make_index_sequence<std::variant_size_v<group::RequestBody>>());
    struct Fill {
        RandomMessages& from;
        void operator()(group::SubmitRequest& r) { r = {from.id<GroupId>(), from.bytes(500)}; }
        void operator()(group::QueryRequest& r) {
            r = {from.id<GroupId>(), group::ReadLevel(from.number(3)), from.index(),
                 from.bytes(100)};
        }
        void operator()(group::LocateRequest& r) { r = {from.text(40)}; }
        void operator()(group::StartMemberRequest& r) { r = {from.bytes(100), from.coin()}; }
        void operator()(group::DeleteMemberRequest& r) {
            r = {from.id<GroupId>(), from.id<MemberId>(), {}};
            if (from.coin()) r.only_at = Index(from.number(1000));
        }
        void operator()(group::StatusRequest& r) { r = {GroupId(from.number(2)), from.coin()}; }
        void operator()(group::ChangeMemberRequest& r) {
            r = {from.id<GroupId>(),
                 {from.id<MemberId>(), from.text(8), raft::VoteKind(from.number(3)), from.index()},
                 from.coin()};
        }
        void operator()(group::TransferRequest& r) {
            r = {from.id<GroupId>(), MemberId(from.number(2))};
        }
        void operator()(group::DeleteGroupRequest& r) { r = {from.id<GroupId>()}; }
        void operator()(group::StopMemberRequest& r) { r = {from.id<GroupId>()}; }
        void operator()(group::RestartMemberRequest& r) { r = {from.id<GroupId>()}; }
        void operator()(group::CampaignRequest& r) { r = {from.id<GroupId>()}; }
        void operator()(group::TakeSnapshotRequest& r) { r = {from.id<GroupId>()}; }
        void operator()(group::ListSnapshotsRequest& r) { r = {from.id<GroupId>()}; }
        void operator()(group::PluginOfferRequest& r) {
            r = {from.text(64), from.number(1u << 30)};
        }
        void operator()(group::PluginFetchRequest& r) {
            r = {from.text(64), from.number(1u << 30),
                 static_cast<std::uint32_t>(from.number(1u << 20))};
        }
        void operator()(group::PluginListRequest&) {}
        void operator()(group::PingRequest&) {}
        void operator()(group::ReserveNameRequest& r) {
            r = {from.text(64), from.id<GroupId>(), static_cast<std::uint32_t>(from.number(9)),
                 std::chrono::microseconds(from.number(1u << 20))};
        }
    };
    std::visit(Fill{*this}, body);
    return body;
}

group::Outcome RandomMessages::outcome() {
    switch (number(3)) {
        case 0:
            return group::Applied{entry_id(50), bytes(200)};
        case 1:
            return group::NotApplied{error(), text(8)};
        default:
            return group::Unknown{error()};
    }
}

group::MemberStatus RandomMessages::member_status() {
    group::MemberStatus out;
    out.group = id<GroupId>();
    out.name = text(20);
    out.epoch = id<Epoch>();
    out.member = id<MemberId>();
    out.host = text(8);
    out.machine = {text(20), text(64), text(8), static_cast<std::uint32_t>(number(9))};
    out.state = group::MemberState(number(8));
    out.trouble = text(60);
    out.role = raft::Role(number(4));
    out.kind = raft::VoteKind(number(3));
    out.term = Term(number(99));
    out.leader = text(8);
    out.first = index();
    out.last = index();
    out.commit = index();
    out.applied = index();
    out.snapshot = index();
    out.outcome_hash = number(1ull << 60);
    if (coin()) out.state_hash = "x" + text(64);
    out.commands = number(999);
    out.queries = number(999);
    out.members = some([this] {
        return group::PeerProgress{id<MemberId>(), text(8), raft::VoteKind(number(3)), index(),
                                   text(9)};
    });
    return out;
}

group::ResponseBody RandomMessages::response_body(std::size_t kind) {
    auto body = alternative<group::ResponseBody>(
        kind, std::make_index_sequence<std::variant_size_v<group::ResponseBody>>());
    struct Fill {
        RandomMessages& from;
        void operator()(group::Done&) {}
        void operator()(group::Outcome& r) { r = from.outcome(); }
        void operator()(group::QueryAnswer& r) {
            r = {from.entry_id(50), from.bytes(90), from.text(8)};
        }
        void operator()(group::GroupLocation& r) {
            r = {from.id<GroupId>(), from.text(20), from.text(8),
                 from.some([&] { return from.text(8); })};
        }
        void operator()(std::vector<group::MemberStatus>& r) {
            r = from.some([&] { return from.member_status(); });
        }
        void operator()(std::vector<group::SnapshotSummary>& r) {
            r = from.some([&] {
                return group::SnapshotSummary{
                    from.text(8),     from.entry_id(50),
                    from.number(999), from.number(9999),
                    from.text(9),     static_cast<std::uint32_t>(from.number(9))};
            });
        }
        void operator()(std::vector<group::PluginSummary>& r) {
            r = from.some([&] {
                auto texts = [&] { return from.some([&] { return from.text(30); }); };
                return group::PluginSummary{from.text(20),    from.text(8),   from.text(64),
                                            from.number(999), from.text(200), texts(),
                                            texts(),          from.text(8)};
            });
        }
        void operator()(group::Piece& r) { r = {from.number(1u << 30), from.bytes(900)}; }
        void operator()(EntryId& r) { r = from.entry_id(50); }
    };
    std::visit(Fill{*this}, body);
    return body;
}

group::PeerMessage RandomMessages::of_kind(std::size_t kind) {
    if (kind < 8) {
        return group::RaftEnvelope{id<GroupId>(), id<Epoch>(), id<MemberId>(), id<MemberId>(),
                                   raft_message(kind)};
    }
    EntryId snapshot{Term(number(50) + 1), Index(number(1000) + 1)};
    if (kind == 8) {
        return group::SnapshotFetch{id<GroupId>(),    id<MemberId>(),
                                    id<MemberId>(),   snapshot,
                                    number(1u << 30), static_cast<std::uint32_t>(number(1u << 20))};
    }
    if (kind == 9) {
        group::SnapshotPiece piece{id<GroupId>(), id<MemberId>(), id<MemberId>(), snapshot};
        if (number(5) == 0) return piece;  // gone
        piece.bytes = bytes(2000);
        piece.offset = number(1u << 30);
        piece.total = piece.offset + piece.bytes.size() + number(1000);
        return piece;
    }
    if (kind < 25) {
        return group::Request{number(1ull << 60) + 1, std::chrono::microseconds(number(1u << 30)),
                              request_body(kind - 10)};
    }
    if (kind == 35) return group::Beat{number(1ull << 60), coin()};
    if (kind == 36) {
        return group::LeaderCheck{
            coin(), some([this] {
                return group::Leadership{id<GroupId>(), id<MemberId>(), Term(number(50))};
            })};
    }
    group::Response response;
    response.id = number(1ull << 60) + 1;
    response.failed = kind == 34;
    if (response.failed) {
        response.error = error();
    } else {
        response.body = response_body(kind - 25);
    }
    return response;
}

}  // namespace quorate::testing
