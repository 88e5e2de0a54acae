#include "rpc/cli/encode.hpp"
#include "rpc/cli/verb.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <system_error>

namespace quorate::cli {
namespace {

Result<Bytes> read_file(const std::string& path) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) {
        return fail(Errc::plugin_unreadable, path + " is a directory");
    }
    std::ifstream file(path, std::ios::binary);
    int why = file ? 0 : errno;
    std::string bytes{std::istreambuf_iterator<char>(file), {}};
    if (why != 0 || file.bad()) {
        return fail(Errc::plugin_unreadable,
                    fmt::format("cannot read {}: {}", path, std::generic_category().message(why)));
    }
    return Bytes::take(std::move(bytes));
}

Result<int> install(Invocation& call) {
    TRY(Bytes image, read_file(call.value("file")));
    TRY(client::Client * client, call.client());
    auto plugins =
        client->admin().install_plugin(image, std::max<Duration>(call.timeout(), 30s)).get();
    if (!plugins.has_value()) return within(call.value("file"), plugins.error());
    std::string text;
    for (const client::PluginSummary& p : *plugins) {
        text += fmt::format("{} {} installed on {} ({})\n", p.id, p.version, p.host,
                            p.build.substr(0, 12));
    }
    if (auto hosts = client->admin().list_hosts(call.timeout()).get(); hosts.has_value()) {
        warn_of_absent(call, *hosts, "it fetches the plugin when a group there needs it");
    }
    call.out().answer("plugin.install", list_to_json(*plugins), text);
    return 0;
}

// A build and the hosts that have it.
struct Build {
    client::PluginSummary plugin;
    std::vector<std::string> hosts;
};

Result<std::vector<Build>> builds(Invocation& call) {
    TRY(client::Client * client, call.client());
    TRY(auto plugins, client->admin().list_plugins(call.timeout()).get());
    std::vector<Build> list;
    for (client::PluginSummary& plugin : plugins) {
        auto found =
            std::ranges::find(list, plugin.build, [](const Build& b) { return b.plugin.build; });
        if (found == list.end()) found = list.insert(list.end(), Build{plugin, {}});
        found->hosts.push_back(plugin.host);
    }
    return list;
}

boost::json::value build_json(const Build& build) {
    boost::json::value value = to_json(build.plugin);
    value.as_object().erase("host");
    value.as_object()["hosts"] = boost::json::value_from(build.hosts);
    return value;
}

Result<int> list(Invocation& call) {
    TRY(auto all, builds(call));
    Table table({"PLUGIN", "VERSION", "BUILD", "SIZE", "MACHINES", "HOSTS"});
    boost::json::array data;
    for (const Build& build : all) {
        const client::PluginSummary& p = build.plugin;
        table.row({p.id, p.version, p.build.substr(0, 12), bytes_text(p.bytes),
                   fmt::format("{}", fmt::join(p.machines, ",")),
                   fmt::format("{}", fmt::join(build.hosts, ","))});
        data.push_back(build_json(build));
    }
    call.out().answer("plugin.list", std::move(data), table.empty() ? "no plugins" : table.text());
    return 0;
}

Result<int> show(Invocation& call) {
    TRY(auto all, builds(call));
    const std::string& wanted = call.value("plugin");
    std::string text;
    boost::json::array data;
    for (const Build& build : all) {
        const client::PluginSummary& p = build.plugin;
        if (p.id != wanted && p.id + "@" + p.version != wanted && !p.build.starts_with(wanted))
            continue;
        text +=
            fmt::format("plugin    {} {}\nbuild     {}\nsize      {}\nmachines  {}\nhosts     {}\n",
                        p.id, p.version, p.build, bytes_text(p.bytes), fmt::join(p.machines, ", "),
                        fmt::join(build.hosts, ", "));
        for (const std::string& usage : p.usage) text += fmt::format("usage     {}\n", usage);
        data.push_back(build_json(build));
    }
    if (data.empty())
        return fail(Errc::plugin_not_found, fmt::format("no host has a plugin '{}'", wanted));
    call.out().answer("plugin.show", std::move(data), text);
    return 0;
}

}  // namespace

std::vector<Verb> plugin_verbs() {
    return {
        {"plugin",
         "install",
         "put a plugin on every reachable host",
         {{"file", "the shared library"}},
         {},
         install,
         true},
        {"plugin", "list", "the builds that hosts have", {}, {}, list},
        {"plugin",
         "show",
         "one plugin: builds, machines, text commands",
         {{"plugin", "id, id@version or the first characters of a build"}},
         {},
         show},
    };
}

}  // namespace quorate::cli
