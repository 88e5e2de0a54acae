#include "host/base/did_you_mean.hpp"
#include "rpc/cli/encode.hpp"
#include "rpc/cli/verb.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

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
                          std::to_string(s.applied.value()), s.state});
        member_table.note(s.name + "@" + s.host, s.trouble);
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

// "QR-2103" of that or "qr-2103" or "2103".
std::string number_of(std::string_view text) {
    if (text.starts_with("QR-") || text.starts_with("qr-")) text.remove_prefix(3);
    return fmt::format("QR-{}", text);
}

// The part of the catalogue that the number lies in (error.hpp).
std::string_view about(Errc code) {
    switch (static_cast<unsigned>(code) / 100) {
        case 10:
        case 11:
            return "configuration and the host's own files";
        case 12:
            return "plugins";
        case 20:
        case 21:
            return "groups and consensus";
        case 30:
            return "storage";
        case 40:
            return "connections and requests";
        default:
            return "our own bugs";
    }
}

Result<int> explain(Invocation& call) {
    const std::string& wanted = call.value("code");
    for (const ErrorInfo& info : error_catalogue()) {
        std::string code = fmt::format("QR-{}", static_cast<unsigned>(info.code));
        if (wanted != info.name && number_of(wanted) != code) continue;
        int exit = exit_code(info.code);
        call.out().answer(
            "explain",
            boost::json::object{{"code", code},
                                {"name", info.name},
                                {"about", about(info.code)},
                                {"retryable", info.retryable},
                                {"hint", info.hint},
                                {"exitCode", exit}},
            fmt::format("{} {} ({})\n  {}\n  {}\n  `quorate` ends with exit code {} on it\n", code,
                        info.name, about(info.code), info.hint,
                        info.retryable ? "the same request may succeed later as it is"
                                       : "the same request will fail again",
                        exit));
        return 0;
    }
    std::vector<std::string_view> names;
    for (const ErrorInfo& info : error_catalogue()) names.push_back(info.name);
    std::string_view meant = did_you_mean(wanted, names);
    return fail(
        Errc::request_invalid,
        fmt::format("there is no error '{}'{}", wanted,
                    meant.empty() ? "" : fmt::format("; did you mean '{}'?", meant)),
        "give the number or the name that an error begins with: QR-2103, 2103 or no_leader");
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
