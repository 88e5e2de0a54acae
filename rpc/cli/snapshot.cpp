#include "rpc/cli/encode.hpp"
#include "rpc/cli/verb.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace quorate::cli {
namespace {

using Kind = Parameter::Kind;

int report(Invocation& call, std::string_view verb,
           const std::vector<client::SnapshotSummary>& snapshots) {
    Table table({"HOST", "INDEX", "TERM", "SIZE", "RAW", "MACHINE"});
    for (const client::SnapshotSummary& s : snapshots) {
        table.row({s.host, std::to_string(s.last.index.value()),
                   std::to_string(s.last.term.value()), bytes_text(s.bytes),
                   bytes_text(s.raw_bytes), fmt::format("{} v{}", s.machine, s.machine_version)});
    }
    call.out().answer(fmt::format("snapshot.{}", verb), list_to_json(snapshots),
                      table.empty() ? "no snapshots" : table.text());
    return 0;
}

Result<int> create(Invocation& call) {
    TRY(client::Client * client, call.client());
    TRY(auto snapshots, client->admin()
                            .take_snapshot(call.value("group"), call.value("host"), call.timeout())
                            .get());
    return report(call, "create", snapshots);
}

Result<int> list(Invocation& call) {
    TRY(client::Client * client, call.client());
    TRY(auto snapshots, client->admin().list_snapshots(call.value("group"), call.timeout()).get());
    return report(call, "list", snapshots);
}

}  // namespace

std::vector<Verb> snapshot_verbs() {
    Parameter group{.name = "group", .help = "the group's name"};
    return {
        {"snapshot",
         "create",
         "snapshot a group's members now and truncate their logs",
         {group},
         {{"host", "only this host's member", Kind::optional}},
         create,
         true},
        {"snapshot", "list", "the snapshots that each member holds", {group}, {}, list},
    };
}

}  // namespace quorate::cli
