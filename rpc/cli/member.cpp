#include "rpc/cli/encode.hpp"
#include "rpc/cli/verb.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace quorate::cli {
namespace {

using Kind = Parameter::Kind;

// What the leader says of each member, if it answered.
const client::PeerProgress* progress_of(const std::vector<client::MemberAnswer>& answers,
                                        const std::string& host) {
    for (const client::MemberAnswer& answer : answers) {
        if (!answer.status || answer.status->role != "leader") continue;
        auto found = std::ranges::find(answer.status->members, host, &client::PeerProgress::host);
        if (found != answer.status->members.end()) return &*found;
    }
    return nullptr;
}

Result<int> list(Invocation& call) {
    TRY(client::Client * client, call.client());
    bool hash = call.flag("hash");
    TRY(auto answers,
        client->admin().group_members(call.value("group"), hash, call.timeout()).get());
    std::vector<std::string> headings{"MEMBER", "ROLE",   "VOTE",    "TERM",
                                      "MATCH",  "COMMIT", "APPLIED", "STATE"};
    if (hash) headings.insert(headings.end(), {"OUTCOME HASH", "STATE HASH"});
    Table table(headings);
    for (const client::MemberAnswer& answer : answers) {
        std::string name = fmt::format("{}@{}", call.value("group"), answer.host);
        if (!answer.status) {
            Error why = answer.error.value_or(fail(Errc::unreachable, "the host gave no answer"));
            table.row({name, "-", "-", "-", "-", "-", "-", std::string(error_info(why.code).name)});
            table.note(name, to_string(why));
            continue;
        }
        const client::MemberStatus& s = *answer.status;
        const client::PeerProgress* seen = progress_of(answers, answer.host);
        std::vector<std::string> row{name,
                                     s.role,
                                     to_text(s.kind),
                                     std::to_string(s.term.value()),
                                     seen != nullptr ? std::to_string(seen->match.value()) : "-",
                                     std::to_string(s.commit.value()),
                                     std::to_string(s.applied.value()),
                                     s.state};
        table.note(name, s.trouble);
        if (hash)
            row.insert(row.end(),
                       {hex_id(s.outcome_hash), s.state_hash.empty() ? "-" : s.state_hash});
        table.row(std::move(row));
    }
    call.out().answer("member.list", list_to_json(answers), table.text());
    return 0;
}

Result<int> show(Invocation& call) {
    TRY(client::Client * client, call.client());
    TRY(auto answers,
        client->admin().group_members(call.value("group"), true, call.timeout()).get());
    auto found = std::ranges::find(answers, call.value("host"), &client::MemberAnswer::host);
    if (found == answers.end()) {
        return fail(Errc::no_such_member, fmt::format("group {} has no member on host {}",
                                                      call.value("group"), call.value("host")));
    }
    if (found->error) return *found->error;
    const client::MemberStatus& s = *found->status;
    std::string text = fmt::format(
        "member        {}@{}\nid            {}\nmachine       {} v{}, build {}\nstate         {}\n"
        "role          {}\nvote          {}\n"
        "term          {}\nleader        {}\nlog           {} to {}\ncommit        {}\napplied     "
        "  {}\n"
        "snapshot      {}\noutcome hash  {}\nstate hash    {}\ncommands      {}\nqueries       "
        "{}\n",
        s.name, s.host, hex_id(s.member.value()), s.machine.machine, s.machine.version,
        s.machine.build,
        s.trouble.empty() ? s.state : fmt::format("{}: {}", s.state, one_line(s.trouble)), s.role,
        to_text(s.kind), s.term.value(), s.leader.empty() ? "-" : s.leader, s.first.value(),
        s.last.value(), s.commit.value(), s.applied.value(), s.snapshot.value(),
        hex_id(s.outcome_hash), s.state_hash.empty() ? "-" : s.state_hash, s.commands, s.queries);
    call.out().answer("member.show", to_json(*found), text);
    return 0;
}

Result<client::VoteKind> parse_kind(const std::string& text) {
    if (text == "voter") return client::VoteKind::voter;
    if (text == "promotable") return client::VoteKind::promotable;
    if (text == "non_voter") return client::VoteKind::non_voter;
    return fail(Errc::request_invalid, "--vote " + text + ": voter, promotable or non_voter");
}

int report_change(Invocation& call, std::string_view verb, std::string_view done, EntryId entry) {
    call.out().answer(
        fmt::format("member.{}", verb), to_json(entry),
        fmt::format("{}@{} {} (entry {}, term {})", call.value("group"), call.value("host"), done,
                    entry.index.value(), entry.term.value()));
    return 0;
}

Result<int> add(Invocation& call) {
    TRY(client::VoteKind kind, parse_kind(call.value("vote")));
    TRY(client::Client * client, call.client());
    TRY(EntryId entry,
        client->admin()
            .add_member(call.value("group"), call.value("host"), kind, call.timeout())
            .get());
    return report_change(call, "add", "added", entry);
}

Result<int> remove(Invocation& call) {
    TRY(client::Client * client, call.client());
    TRY(EntryId entry, client->admin()
                           .remove_member(call.value("group"), call.value("host"), call.timeout())
                           .get());
    return report_change(call, "remove", "removed", entry);
}

using Told = client::Operation<Result<void>> (client::Admin::*)(std::string, std::string, Duration);

Result<int> tell(Invocation& call, Told what, std::string_view verb, std::string_view done) {
    TRY(client::Client * client, call.client());
    TRY_VOID(
        (client->admin().*what)(call.value("group"), call.value("host"), call.timeout()).get());
    call.out().answer(
        fmt::format("member.{}", verb),
        boost::json::object{{"group", call.value("group")}, {"host", call.value("host")}},
        fmt::format("{}@{} {}", call.value("group"), call.value("host"), done));
    return 0;
}

Result<int> stop(Invocation& call) {
    return tell(call, &client::Admin::stop_member, "stop", "is stopped; its data stays");
}

Result<int> start(Invocation& call) {
    return tell(call, &client::Admin::start_member, "start", "runs");
}

Result<int> restart(Invocation& call) {
    TRY(client::Client * client, call.client());
    TRY_VOID(
        client->admin().stop_member(call.value("group"), call.value("host"), call.timeout()).get());
    return tell(call, &client::Admin::start_member, "restart", "runs again");
}

}  // namespace

std::vector<Verb> member_verbs() {
    Parameter group{.name = "group", .help = "the group's name"};
    Parameter host{.name = "host", .help = "the host that carries the member"};
    return {
        {"member",
         "list",
         "the members of a group and how far each is",
         {group},
         {{"hash", "with a hash of each member's whole state", Kind::flag}},
         list},
        {"member", "show", "one member, with a hash of its state", {group, host}, {}, show},
        {"member",
         "add",
         "grow a group by a member on a host",
         {group, host},
         {{"vote", "promotable: a voter once it has caught up", Kind::optional, "promotable",
           "voter|promotable|non_voter"}},
         add,
         true},
        {"member",
         "remove",
         "shrink a group; the member's data is erased",
         {group, host},
         {},
         remove,
         true},
        {"member",
         "stop",
         "silence a member until it is started, or its host is; its data stays",
         {group, host},
         {},
         stop,
         true},
        {"member", "start", "start a stopped member again", {group, host}, {}, start, true},
        {"member", "restart", "stop a member and start it again", {group, host}, {}, restart, true},
    };
}

}  // namespace quorate::cli
