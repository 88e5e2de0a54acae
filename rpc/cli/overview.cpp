#include "rpc/cli/encode.hpp"
#include "rpc/cli/verb.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <charconv>

namespace quorate::cli {
namespace {

constexpr std::string_view program_version = QUORATE_VERSION;

Result<int> overview(Invocation& call) {
    TRY(client::Client * client, call.client());
    TRY(auto server, client->admin().server(call.timeout()).get());
    TRY(auto hosts, client->admin().list_hosts(call.timeout()).get());
    TRY(auto members, client->admin().list_members(call.timeout()).get());
    Table host_table({"HOST", "CLIENTS", "REACHABLE", "GROUPS", "LEADS"});
    for (const client::HostSummary& h : hosts) {
        host_table.row({h.name, h.client_address, h.reachable ? "yes" : "NO",
                        std::to_string(h.groups), std::to_string(h.leaders)});
    }
    Table member_table({"MEMBER", "ROLE", "TERM", "LEADER", "COMMIT", "APPLIED", "STATE"});
    for (const client::MemberAnswer& answer : members) {
        if (!answer.status) {
            if (answer.error)
                call.out().warn(fmt::format("{}: {}", answer.host, to_string(*answer.error)));
            continue;
        }
        const client::MemberStatus& s = *answer.status;
        member_table.row({s.name + "@" + s.host, s.role, std::to_string(s.term.value()),
                          s.leader.empty() ? "-" : s.leader, std::to_string(s.commit.value()),
                          std::to_string(s.applied.value()),
                          s.trouble.empty() ? s.state : s.state + ": " + s.trouble});
    }
    call.out().answer(
        "overview",
        boost::json::object{{"hosts", list_to_json(hosts)}, {"members", list_to_json(members)}},
        fmt::format("cluster {}\n\n{}\n{}", server.cluster, host_table.text(),
                    member_table.empty() ? "no groups\n" : member_table.text()));
    return 0;
}

Result<int> version(Invocation& call) {
    boost::json::object data{{"quorate", program_version}};
    std::string text = fmt::format("quorate {}\n", program_version);
    if (call.flag("cluster")) {
        TRY(client::Client * client, call.client());
        TRY(auto hosts, client->admin().list_hosts(call.timeout()).get());
        boost::json::object versions;
        for (const client::HostSummary& host : hosts) {
            versions[host.name] = host.version;
            text += fmt::format("{} {}\n", host.name, host.version.empty() ? "-" : host.version);
        }
        data["hosts"] = std::move(versions);
    }
    call.out().answer("version", std::move(data), text);
    return 0;
}

Result<int> explain(Invocation& call) {
    std::string_view text = call.value("code");
    if (text.starts_with("QR-")) text.remove_prefix(3);
    unsigned number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    for (const ErrorInfo& info : error_catalogue()) {
        if (static_cast<unsigned>(info.code) != number && info.name != text) continue;
        auto code = static_cast<unsigned>(info.code);
        call.out().answer("explain",
                          boost::json::object{{"code", fmt::format("QR-{}", code)},
                                              {"name", info.name},
                                              {"retryable", info.retryable},
                                              {"hint", info.hint}},
                          fmt::format("QR-{} {}\n  {}\n  {}\n", code, info.name, info.hint,
                                      info.retryable ? "the same request may succeed later as it is"
                                                     : "the same request will fail again"));
        return 0;
    }
    return fail(Errc::request_invalid, "there is no error " + call.value("code"));
}

}  // namespace

std::vector<Verb> overview_verbs() {
    return {
        {"", "overview", "hosts and members at a glance", {}, {}, overview},
        {"",
         "version",
         "of this program",
         {},
         {{"cluster", "and of every host", Parameter::Kind::flag}},
         version},
        {"", "explain", "what an error code means", {{"code", "QR-2103 or its name"}}, {}, explain},
    };
}

}  // namespace quorate::cli
