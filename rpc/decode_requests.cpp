#include "rpc/decode_messages.hpp"

#include <algorithm>

namespace quorate::rpc {
namespace {

constexpr std::uint64_t longest_wait_us = 24ull * 3600 * 1'000'000;

GroupId group_id(std::uint64_t value) {
    return named<GroupId>(value, "group");
}

group::QueryRequest query(schema::Query::Reader in, const Source& source) {
    return {group_id(in.getGroup()), from_wire(in.getLevel()), index(in.getAtLeast()),
            source.bytes(in.getQuery())};
}

group::ChangeMemberRequest change_member(schema::ChangeMember::Reader in) {
    raft::Member member{.id = named<MemberId>(in.getMember(), "member"),
                        .host = Source::text(in.getHost()),
                        .kind = from_wire(in.getKind()),
                        .promote_at = index(in.getPromoteAt())};
    return {group_id(in.getGroup()), std::move(member), in.getRemove()};
}

group::DeleteMemberRequest delete_member(schema::Request::DeleteMember::Reader in) {
    group::DeleteMemberRequest request{group_id(in.getGroup()), MemberId(in.getMember()), {}};
    if (Index next = index(in.getOnlyAtNext()); next > Index{}) request.only_at = next.prev();
    return request;
}

Duration duration(std::uint64_t us) {
    return std::chrono::microseconds(static_cast<std::int64_t>(std::min(us, longest_wait_us)));
}

group::ReserveNameRequest reserve_name(schema::Request::ReserveName::Reader in) {
    return {Source::text(in.getName()), group_id(in.getGroup()), in.getRound(),
            duration(in.getHoldUs())};
}

group::RequestBody request_body(schema::Request::Reader in, const Source& source) {
    switch (in.which()) {
        case schema::Request::SUBMIT:
            return group::SubmitRequest{group_id(in.getSubmit().getGroup()),
                                        source.bytes(in.getSubmit().getPayload())};
        case schema::Request::QUERY:
            return query(in.getQuery(), source);
        case schema::Request::LOCATE:
            return group::LocateRequest{Source::text(in.getLocate())};
        case schema::Request::START_MEMBER:
            return group::StartMemberRequest{source.bytes(in.getStartMember().getRegistration()),
                                             in.getStartMember().getCampaign()};
        case schema::Request::DELETE_MEMBER:
            return delete_member(in.getDeleteMember());
        case schema::Request::STATUS:  // group 0: all
            return group::StatusRequest{GroupId(in.getStatus().getGroup()),
                                        in.getStatus().getStateHash()};
        case schema::Request::CHANGE_MEMBER:
            return change_member(in.getChangeMember());
        case schema::Request::TRANSFER:  // member 0: any
            return group::TransferRequest{group_id(in.getTransfer().getGroup()),
                                          MemberId(in.getTransfer().getTo())};
        case schema::Request::DELETE_GROUP:
            return group::DeleteGroupRequest{group_id(in.getDeleteGroup())};
        case schema::Request::TAKE_SNAPSHOT:
            return group::TakeSnapshotRequest{group_id(in.getTakeSnapshot())};
        case schema::Request::LIST_SNAPSHOTS:
            return group::ListSnapshotsRequest{group_id(in.getListSnapshots())};
        case schema::Request::PLUGIN_OFFER:
            return group::PluginOfferRequest{Source::text(in.getPluginOffer().getBuild()),
                                             in.getPluginOffer().getSize()};
        case schema::Request::PLUGIN_FETCH:
            return group::PluginFetchRequest{Source::text(in.getPluginFetch().getBuild()),
                                             in.getPluginFetch().getOffset(),
                                             in.getPluginFetch().getMaxBytes()};
        case schema::Request::PLUGIN_LIST:
            return group::PluginListRequest{};
        case schema::Request::PING:
            return group::PingRequest{};
        case schema::Request::RESERVE_NAME:
            return reserve_name(in.getReserveName());
        case schema::Request::STOP_MEMBER:
            return group::StopMemberRequest{group_id(in.getStopMember())};
        case schema::Request::RESTART_MEMBER:
            return group::RestartMemberRequest{group_id(in.getRestartMember())};
        case schema::Request::CAMPAIGN:
            return group::CampaignRequest{group_id(in.getCampaign())};
    }
    throw Refused("an unknown kind of request");
}

template <class Value, class List>
std::vector<Value> all(List in) {
    std::vector<Value> out;
    for (auto one : in) out.push_back(decode(one));
    return out;
}

group::ResponseBody response_body(schema::Response::Reader in, const Source& source) {
    switch (in.which()) {
        case schema::Response::FAILED:
            break;  // the caller's
        case schema::Response::DONE:
            return group::Done{};
        case schema::Response::OUTCOME:
            return decode(in.getOutcome(), source);
        case schema::Response::ANSWER: {
            auto answer = in.getAnswer();
            return group::QueryAnswer{decode(answer.getAt()), source.bytes(answer.getReply()),
                                      Source::text(answer.getLeader())};
        }
        case schema::Response::LOCATION:
            return decode(in.getLocation());
        case schema::Response::STATUSES:
            return all<group::MemberStatus>(in.getStatuses());
        case schema::Response::SNAPSHOTS:
            return all<group::SnapshotSummary>(in.getSnapshots());
        case schema::Response::PLUGINS:
            return all<group::PluginSummary>(in.getPlugins());
        case schema::Response::PIECE:
            return group::Piece{in.getPiece().getTotal(), source.bytes(in.getPiece().getBytes())};
        case schema::Response::ENTRY:
            return decode(in.getEntry());
    }
    throw Refused("an unknown kind of response");
}

}  // namespace

group::Request decode(schema::Request::Reader in, const Source& source) {
    return {named<std::uint64_t>(in.getId(), "request"), duration(in.getRemainingUs()),
            request_body(in, source)};
}

group::Response decode(schema::Response::Reader in, const Source& source) {
    group::Response out;
    out.id = named<std::uint64_t>(in.getId(), "request");
    out.failed = in.isFailed();
    if (out.failed) {
        out.error = decode(in.getFailed());
    } else {
        out.body = response_body(in, source);
    }
    return out;
}

}  // namespace quorate::rpc
