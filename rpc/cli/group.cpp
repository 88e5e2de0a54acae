#include "rpc/cli/encode.hpp"
#include "rpc/cli/verb.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace quorate::cli {
namespace {

using Kind = Parameter::Kind;

// One group as all its members see it.
struct GroupRow {
    client::MemberStatus view;  // the leader's if it answered, else the freshest
    std::size_t running = 0;
    struct Trouble {
        std::string host;
        std::string state;
        std::string why;
    };
    std::vector<Trouble> troubles;
};

bool knows_more(const client::MemberStatus& a, const client::MemberStatus& b) {
    return std::tuple(a.role == "leader", a.term, a.commit) >
           std::tuple(b.role == "leader", b.term, b.commit);
}

// By name and id: two groups of one name are two rows.
using Groups = std::map<std::pair<std::string, GroupId>, GroupRow>;

Groups by_group(const std::vector<client::MemberAnswer>& answers) {
    Groups groups;
    for (const client::MemberAnswer& answer : answers) {
        if (!answer.status) continue;
        auto [at, fresh] = groups.try_emplace({answer.status->name, answer.status->group});
        GroupRow& row = at->second;
        if (fresh || knows_more(*answer.status, row.view)) row.view = *answer.status;
        if (answer.status->state == "running") ++row.running;
        if (!answer.status->trouble.empty()) {
            row.troubles.push_back(
                {answer.status->host, answer.status->state, answer.status->trouble});
        }
    }
    return groups;
}

// In few words: for members in trouble, what they are.
std::string state_of(const GroupRow& row) {
    if (row.view.leader.empty()) return "NO LEADER";
    std::set<std::string> states;
    for (const GroupRow::Trouble& trouble : row.troubles) states.insert(trouble.state);
    if (!states.empty()) return fmt::format("{}", fmt::join(states, ", "));
    return row.running < row.view.members.size() ? "degraded" : "ok";
}

boost::json::array troubles_json(const GroupRow& row) {
    boost::json::array list;
    for (const GroupRow::Trouble& trouble : row.troubles) {
        list.push_back(boost::json::object{
            {"host", trouble.host}, {"state", trouble.state}, {"trouble", trouble.why}});
    }
    return list;
}

bool is_name_of_several(const Groups& groups, const std::string& name) {
    return std::ranges::count_if(
               groups, [&name](const auto& group) { return group.first.first == name; }) > 1;
}

Result<int> list(Invocation& call) {
    TRY(client::Client * client, call.client());
    TRY(auto answers, client->admin().list_members(call.timeout()).get());
    Table table({"GROUP", "MACHINE", "LEADER", "TERM", "COMMIT", "APPLIED", "MEMBERS", "STATE"});
    boost::json::array data;
    Groups groups = by_group(answers);
    for (const auto& [key, row] : groups) {
        const auto& [name, id] = key;
        const client::MemberStatus& v = row.view;
        if (is_name_of_several(groups, name)) {
            std::vector<std::string> hosts;
            for (const client::PeerProgress& peer : v.members) hosts.push_back(peer.host);
            call.out().warn(fmt::format("{} is the name of several groups; one is {} on {}", name,
                                        hex_id(id.value()), fmt::join(hosts, ", ")));
        }
        table.row({name, v.machine.machine, v.leader.empty() ? "-" : v.leader,
                   std::to_string(v.term.value()), std::to_string(v.commit.value()),
                   std::to_string(v.applied.value()),
                   fmt::format("{}/{}", row.running, v.members.size()), state_of(row)});
        for (const GroupRow::Trouble& trouble : row.troubles) {
            table.note(fmt::format("{}@{}", name, trouble.host), trouble.why);
        }
        data.push_back(boost::json::object{{"name", name},
                                           {"id", hex_id(id.value())},
                                           {"machine", v.machine.machine},
                                           {"plugin", v.machine.plugin},
                                           {"leader", v.leader},
                                           {"term", number(v.term.value())},
                                           {"commitIndex", number(v.commit.value())},
                                           {"appliedIndex", number(v.applied.value())},
                                           {"running", row.running},
                                           {"members", v.members.size()},
                                           {"state", state_of(row)},
                                           {"troubles", troubles_json(row)}});
    }
    for (const client::MemberAnswer& answer : answers) {
        if (answer.error)
            call.out().warn(fmt::format("{}: {}", answer.host, to_string(*answer.error)));
    }
    call.out().answer("group.list", std::move(data), table.empty() ? "no groups" : table.text());
    return 0;
}

Result<int> create(Invocation& call) {
    TRY(client::Client * client, call.client());
    std::vector<std::string> hosts = call.values("hosts");
    if (hosts.empty()) {
        TRY(auto known, client->admin().list_hosts(call.timeout()).get());
        for (const client::HostSummary& host : known) {
            if (host.reachable) hosts.push_back(host.name);
        }
        warn_of_absent(call, known,
                       "the group has no member there; when it is back: quorate member add " +
                           call.value("group") + " HOST");
    }
    TRY(auto location, client->admin()
                           .create_group(call.value("group"), call.value("plugin"),
                                         call.value("machine"), hosts, call.timeout())
                           .get());
    call.out().answer("group.create", to_json(location),
                      fmt::format("group {} created on {}; leader {}", location.name,
                                  fmt::join(location.hosts, ", "),
                                  location.leader.empty() ? "not elected yet" : location.leader));
    return 0;
}

// Members may differ in it for a time, after a fault.
std::string build_on(const std::vector<client::MemberAnswer>& answers, const std::string& host) {
    auto found = std::ranges::find(answers, host, &client::MemberAnswer::host);
    if (found == answers.end() || !found->status) return {};
    return ", build " + found->status->machine.build.substr(0, 12);
}

Result<int> show(Invocation& call) {
    TRY(client::Client * client, call.client());
    TRY(auto answers,
        client->admin().group_members(call.value("group"), false, call.timeout()).get());
    auto groups = by_group(answers);
    if (groups.empty())
        return fail(Errc::unreachable, "no member of " + call.value("group") + " answered");
    const GroupRow& row = groups.begin()->second;
    const client::MemberStatus& v = row.view;
    std::string text = fmt::format(
        "group     {}\nid        {}\nepoch     {}\nmachine   {} (plugin {}, version {})\nbuild     "
        "{}\n"
        "leader    {}\nterm      {}\ncommit    {}\napplied   {}\nsnapshot  {}\nstate     {}\n",
        v.name, hex_id(v.group.value()), v.epoch, v.machine.machine, v.machine.plugin,
        v.machine.version, v.machine.build, v.leader.empty() ? "-" : v.leader, v.term.value(),
        v.commit.value(), v.applied.value(), v.snapshot.value(), state_of(row));
    for (const client::PeerProgress& peer : v.members) {
        text += fmt::format("member    {}@{} ({}{})\n", v.name, peer.host, to_text(peer.kind),
                            build_on(answers, peer.host));
    }
    for (const GroupRow::Trouble& trouble : row.troubles) {
        text += fmt::format("trouble   {}@{}: {}\n", v.name, trouble.host, one_line(trouble.why));
    }
    call.out().answer("group.show", list_to_json(answers), text);
    return 0;
}

Result<int> remove(Invocation& call) {
    if (!call.flag("yes")) {
        return fail(Errc::request_invalid, "deleting a group destroys its data on every host",
                    "say so with --yes");
    }
    TRY(client::Client * client, call.client());
    TRY_VOID(client->admin().delete_group(call.value("group"), call.timeout()).get());
    call.out().answer("group.delete", boost::json::object{{"group", call.value("group")}},
                      fmt::format("group {} deleted", call.value("group")));
    return 0;
}

}  // namespace

std::vector<Verb> group_verbs() {
    Parameter group{.name = "group", .help = "the group's name"};
    return {
        {"group",
         "create",
         "start a group with one member on each host",
         {group,
          {"plugin", "its id, id@version or the first characters of a build", Kind::required, "",
           "TEXT", true}},
         {{"machine", "machine type, if the plugin has several", Kind::optional},
          {"hosts", "hosts, separated by commas (default: every reachable host)", Kind::rest, "",
           "HOST,..."}},
         create,
         true},
        {"group", "list", "every group, as its members see it", {}, {}, list},
        {"group", "show", "one group", {group}, {}, show},
        {"group",
         "delete",
         "end a group on all its members; its data is gone",
         {group},
         {{"yes", "yes, destroy it", Kind::flag}},
         remove,
         true},
    };
}

}  // namespace quorate::cli
