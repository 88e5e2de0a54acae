#include "rpc/cli/encode.hpp"
#include "rpc/cli/verb.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace quorate::cli {
namespace {

using Kind = Parameter::Kind;

Result<int> report_leader(Invocation& call, std::string_view name) {
    TRY(client::Client * client, call.client());
    TRY(auto answers,
        client->admin().group_members(call.value("group"), false, call.timeout()).get());
    for (const client::MemberAnswer& answer : answers) {
        if (!answer.status || answer.status->role != "leader") continue;
        call.out().answer(name,
                          boost::json::object{{"group", call.value("group")},
                                              {"leader", answer.host},
                                              {"term", number(answer.status->term.value())}},
                          fmt::format("{} (term {})", answer.host, answer.status->term.value()));
        return 0;
    }
    std::string seen;
    for (const client::MemberAnswer& answer : answers) {
        seen += fmt::format("; {}: {}", answer.host,
                            answer.status  ? fmt::format("{} in term {}", answer.status->role,
                                                         answer.status->term.value())
                            : answer.error ? to_string(*answer.error)
                                           : "no answer");
    }
    return fail(Errc::no_leader, fmt::format("no member of {} leads{}", call.value("group"), seen));
}

Result<int> show(Invocation& call) {
    return report_leader(call, "leader.show");
}

Result<int> transfer(Invocation& call) {
    TRY(client::Client * client, call.client());
    auto done = client->admin()
                    .transfer_leadership(call.value("group"), call.value("to"), call.timeout())
                    .get();
    if (!done.has_value()) {
        if (done.error().code != Errc::already_leader) return done.error();
        call.out().warn(call.value("to") + " leads already; nothing was done");
    }
    return report_leader(call, "leader.transfer");
}

Result<int> elect(Invocation& call) {
    TRY(client::Client * client, call.client());
    TRY_VOID(client->admin()
                 .trigger_election(call.value("group"), call.value("host"), call.timeout())
                 .get());
    call.out().answer(
        "leader.elect",
        boost::json::object{{"group", call.value("group")}, {"host", call.value("host")}},
        fmt::format("{}@{} campaigns, if it does not lead; `quorate leader show {}` tells who does",
                    call.value("group"), call.value("host"), call.value("group")));
    return 0;
}

}  // namespace

std::vector<Verb> leader_verbs() {
    Parameter group{.name = "group", .help = "the group's name"};
    return {
        {"leader", "show", "who leads, or what each member sees if nobody does", {group}, {}, show},
        {"leader",
         "transfer",
         "hand leadership over and wait until it is taken",
         {group},
         {{"to", "host to lead (default: the most up-to-date voter)", Kind::optional}},
         transfer,
         true},
        {"leader",
         "elect",
         "have a member campaign now, without waiting for an election timeout",
         {group, {.name = "host", .help = "the host that carries the member"}},
         {},
         elect,
         true},
    };
}

}  // namespace quorate::cli
