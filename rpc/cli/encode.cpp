#include "rpc/cli/encode.hpp"

#include "rpc/cli/output.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace quorate::cli {

namespace json = boost::json;

std::string hex_id(std::uint64_t id) {
    return fmt::format("{:016x}", id);
}

std::string to_text(client::VoteKind kind) {
    switch (kind) {
        case client::VoteKind::voter:
            return "voter";
        case client::VoteKind::promotable:
            return "promotable";
        case client::VoteKind::non_voter:
            return "non_voter";
    }
    return "?";
}

json::value to_json(EntryId entry) {
    return json::object{{"term", number(entry.term.value())},
                        {"index", number(entry.index.value())}};
}

json::value to_json(const client::MemberStatus& s) {
    json::array members;
    for (const client::PeerProgress& peer : s.members) {
        members.push_back(json::object{{"member", hex_id(peer.member.value())},
                                       {"host", peer.host},
                                       {"vote", to_text(peer.kind)},
                                       {"matchIndex", number(peer.match.value())},
                                       {"state", peer.state}});
    }
    json::object machine{{"plugin", s.machine.plugin},
                         {"build", s.machine.build},
                         {"machine", s.machine.machine},
                         {"machineVersion", s.machine.version}};
    return json::object{{"group", s.name},
                        {"groupId", hex_id(s.group.value())},
                        {"epoch", number(s.epoch)},
                        {"host", s.host},
                        {"member", hex_id(s.member.value())},
                        {"machine", std::move(machine)},
                        {"state", s.state},
                        {"trouble", s.trouble},
                        {"role", s.role},
                        {"vote", to_text(s.kind)},
                        {"term", number(s.term.value())},
                        {"leader", s.leader},
                        {"firstIndex", number(s.first.value())},
                        {"lastIndex", number(s.last.value())},
                        {"commitIndex", number(s.commit.value())},
                        {"appliedIndex", number(s.applied.value())},
                        {"snapshotIndex", number(s.snapshot.value())},
                        {"outcomeHash", hex_id(s.outcome_hash)},
                        {"stateHash", s.state_hash},
                        {"commandsApplied", number(s.commands)},
                        {"queries", number(s.queries)},
                        {"members", std::move(members)}};
}

json::value to_json(const client::MemberAnswer& answer) {
    if (answer.status) return to_json(*answer.status);
    json::object failed{{"host", answer.host}, {"state", "unreachable"}};
    if (answer.error) failed["error"] = to_string(*answer.error);
    return failed;
}

json::value to_json(const client::GroupLocation& location) {
    return json::object{{"group", location.name},
                        {"groupId", hex_id(location.group.value())},
                        {"leader", location.leader},
                        {"hosts", json::value_from(location.hosts)}};
}

json::value to_json(const client::SnapshotSummary& snapshot) {
    return json::object{{"host", snapshot.host},
                        {"term", number(snapshot.last.term.value())},
                        {"index", number(snapshot.last.index.value())},
                        {"sizeBytes", number(snapshot.bytes)},
                        {"rawBytes", number(snapshot.raw_bytes)},
                        {"machine", snapshot.machine},
                        {"machineVersion", snapshot.machine_version}};
}

json::value to_json(const client::PluginSummary& plugin) {
    json::error_code error;
    json::value manifest = json::parse(plugin.manifest, error);
    return json::object{{"id", plugin.id},
                        {"version", plugin.version},
                        {"build", plugin.build},
                        {"sizeBytes", number(plugin.bytes)},
                        {"machines", json::value_from(plugin.machines)},
                        {"usage", json::value_from(plugin.usage)},
                        {"manifest", error ? json::value(plugin.manifest) : manifest},
                        {"host", plugin.host}};
}

json::value to_json(const client::HostSummary& host) {
    return json::object{{"name", host.name},
                        {"clientAddress", host.client_address},
                        {"peerAddress", host.peer_address},
                        {"reachable", host.reachable},
                        {"roundTripMs", static_cast<double>(host.round_trip_us) / 1000},
                        {"groups", number(host.groups)},
                        {"leaders", number(host.leaders)},
                        {"version", host.version}};
}

}  // namespace quorate::cli
