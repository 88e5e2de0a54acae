#include "host/daemon/config.hpp"

#include "host/base/did_you_mean.hpp"

#include <fmt/format.h>
#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

namespace quorate::daemon {
namespace {

const ConfigKey* find_key(std::string_view name) {
    auto found = std::ranges::find(config_keys(), name, &ConfigKey::name);
    return found == config_keys().end() ? nullptr : &*found;
}

// Among keys and sections; and a key that was written outside of its section is found in it.
std::string nearest_key(std::string_view name) {
    std::vector<std::string_view> names;
    for (const ConfigKey& key : config_keys()) {
        names.push_back(key.name);
        names.push_back(key.name.substr(0, key.name.find('.')));
    }
    if (auto meant = did_you_mean(name, names); !meant.empty()) return std::string(meant);
    for (const ConfigKey& key : config_keys()) {
        if (key.name.substr(key.name.find('.') + 1) == name) return std::string(key.name);
    }
    return {};
}

Error unknown_key(std::string_view where, std::string_view name) {
    std::string text = fmt::format("{}: there is no key '{}'", where, name);
    if (std::string meant = nearest_key(name); !meant.empty())
        text += fmt::format("; did you mean '{}'?", meant);
    return fail(Errc::config_invalid, text, "`quorated --keys` lists every key");
}

Result<void> apply(Config& config, std::string_view where, std::string_view name,
                   std::string_view value) {
    const ConfigKey* key = find_key(name);
    if (key == nullptr) return unknown_key(where, name);
    if (auto set = key->set(config, value); !set.has_value()) {
        return quorate::within(fmt::format("{}: {}", where, name), set.error());
    }
    return {};
}

std::string place(const std::string& file, const toml::source_region& source) {
    return fmt::format("{}:{}:{}", file, source.begin.line, source.begin.column);
}

// A TOML value in the one written form that every layer shares.
Result<std::string> as_written(const toml::node& node, std::string_view where) {
    if (auto text = node.value_exact<std::string>()) return *text;
    if (auto number = node.value_exact<std::int64_t>()) return std::to_string(*number);
    if (auto flag = node.value_exact<bool>()) return std::string(*flag ? "true" : "false");
    if (const toml::array* list = node.as_array()) {
        std::vector<std::string> items;
        for (const toml::node& item : *list) {
            auto text = item.value_exact<std::string>();
            if (!text)
                return fail(Errc::config_invalid, fmt::format("{}: a list holds strings", where));
            items.push_back(*text);
        }
        return fmt::format("{}", fmt::join(items, ","));
    }
    return fail(Errc::config_invalid,
                fmt::format("{}: expected a string, a whole number, true, false or a list", where));
}

Result<void> apply_table(Config& config, const std::string& file, const std::string& prefix,
                         const toml::table& table) {
    for (auto&& [key, node] : table) {
        std::string name =
            prefix.empty() ? std::string(key.str()) : prefix + "." + std::string(key.str());
        std::string where = place(file, key.source());
        if (const toml::table* inner = node.as_table()) {
            bool known = std::ranges::any_of(config_keys(), [&name](const ConfigKey& k) {
                return k.name.starts_with(name + ".");
            });
            if (!known) return unknown_key(where, name);
            TRY_VOID(apply_table(config, file, name, *inner));
            continue;
        }
        TRY(std::string value, as_written(node, place(file, node.source())));
        TRY_VOID(apply(config, where, name, value));
    }
    return {};
}

// toml++ follows a key's parts by recursion: what is as deep as this is long still fits the stack.
constexpr std::size_t max_file_bytes = 32 * 1024;

Result<std::string> read_file(const std::string& file) {
    std::error_code ignored;
    if (std::filesystem::is_directory(file, ignored)) {
        return fail(Errc::config_unreadable, fmt::format("{} is a directory", file));
    }
    std::ifstream in(file, std::ios::binary);
    int why = in ? 0 : errno;
    std::string text(std::istreambuf_iterator<char>(in), {});
    if (why != 0 || in.bad()) {
        return fail(Errc::config_unreadable,
                    fmt::format("cannot read {}: {}", file, std::generic_category().message(why)));
    }
    if (text.size() > max_file_bytes) {
        return fail(Errc::config_unreadable,
                    fmt::format("{} has {} bytes; a configuration has at most {}", file,
                                text.size(), max_file_bytes));
    }
    return text;
}

Result<void> apply_file(Config& config, const std::string& file) {
    TRY(std::string text, read_file(file));
    try {
        return apply_table(config, file, "", toml::parse(std::string_view(text), file));
    } catch (const toml::parse_error& e) {
        return fail(Errc::config_invalid,
                    fmt::format("{}: {}", place(file, e.source()), e.description()));
    }
}

// QUORATE_RAFT__ELECTION_TIMEOUT -> raft.election_timeout
std::string key_of_variable(std::string_view variable) {
    std::string name;
    for (std::size_t i = 0; i < variable.size(); ++i) {
        bool dot = variable.substr(i).starts_with("__");
        name +=
            dot ? '.' : static_cast<char>(std::tolower(static_cast<unsigned char>(variable[i])));
        if (dot) ++i;
    }
    return name;
}

Result<void> apply_environment(Config& config,
                               const std::map<std::string, std::string>& variables) {
    constexpr std::string_view prefix = "QUORATE_";
    for (const auto& [variable, value] : variables) {
        // Variables without a section are for our tools, not keys.
        if (!variable.starts_with(prefix) || variable.find("__") == std::string::npos) continue;
        TRY_VOID(apply(config, "environment variable " + variable,
                       key_of_variable(std::string_view(variable).substr(prefix.size())), value));
    }
    return {};
}

Result<void> apply_settings(Config& config, const std::vector<std::string>& settings) {
    for (const std::string& setting : settings) {
        std::size_t equals = setting.find('=');
        if (equals == std::string::npos) {
            return fail(Errc::config_invalid, fmt::format("--set {}: write key=value", setting));
        }
        TRY_VOID(apply(config, "--set", std::string_view(setting).substr(0, equals),
                       std::string_view(setting).substr(equals + 1)));
    }
    return {};
}

bool valid_name(std::string_view name) {
    auto letter = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    };
    return !name.empty() && name.size() <= 64 && letter(name.front()) &&
           std::ranges::all_of(
               name, [&](char c) { return letter(c) || c == '.' || c == '_' || c == '-'; });
}

bool is_loopback(std::string_view address) {
    return address.starts_with("127.") || address.starts_with("localhost:") ||
           address.starts_with("[::1]:");
}

bool everybody_may_read(const std::string& file) {
    std::error_code error;
    auto permissions = std::filesystem::status(file, error).permissions();
    using std::filesystem::perms;
    return !file.empty() && !error && (permissions & perms::others_read) != perms::none;
}

// What no single key can tell.
Error not_set(std::string_view key) {
    return fail(Errc::config_invalid, fmt::format("{} is not set", key),
                fmt::format("set it in the file that --config names, or by --set {}=VALUE", key));
}

// A command that may be sent must fit where it has to wait, or it would be told to try again for ever.
Result<void> check_room(const Config& config) {
    constexpr std::uint64_t beside = 1024;  // what is counted with it
    std::uint64_t needed = config.max_command_bytes + beside;
    const std::pair<std::string_view, std::uint64_t> rooms[] = {
        {"raft.max_queued_bytes", config.max_queued_bytes},
        {"limits.client_inflight_bytes", config.client_inflight_bytes},
        {"limits.inflight_bytes", config.inflight_bytes}};
    for (const auto& [key, bytes] : rooms) {
        if (bytes >= needed) continue;
        return fail(Errc::config_invalid,
                    fmt::format("{} is {} bytes, and a command of raft.max_command_bytes takes {}",
                                key, bytes, needed),
                    fmt::format("raise {}, or lower raft.max_command_bytes", key));
    }
    return {};
}

Result<void> check_whole(const Config& config) {
    if (config.host_name.empty()) return not_set("host.name");
    if (!valid_name(config.host_name)) {
        return fail(Errc::config_invalid,
                    fmt::format("host.name '{}' is not a name", config.host_name),
                    std::string(error_info(Errc::name_invalid).hint));
    }
    if (!valid_name(config.cluster_name)) {
        return fail(Errc::config_invalid,
                    fmt::format("cluster.name '{}' is not a name", config.cluster_name),
                    std::string(error_info(Errc::name_invalid).hint));
    }
    if (config.data_dir.empty()) return not_set("host.data_dir");
    if (config.election_timeout < 2 * config.heartbeat_interval) {
        return fail(Errc::config_invalid,
                    "raft.election_timeout is below twice raft.heartbeat_interval: every lost "
                    "heartbeat would start an election");
    }
    return check_room(config);
}

// What can be meant, but seldom is.
std::vector<std::string> warnings_about(const Config& config, const ConfigSources& sources) {
    std::vector<std::string> warnings;
    if (config.election_timeout < 5 * config.heartbeat_interval) {
        warnings.push_back("raft.election_timeout is below five times raft.heartbeat_interval");
    }
    constexpr std::string_view open =
        "{} is not a loopback address, and this release has no TLS: {}";
    constexpr std::string_view everything = "whoever reaches it can read and change everything";
    if (!is_loopback(config.listen_client)) {
        warnings.push_back(
            fmt::format(open, config.listen_client,
                        config.token.empty() ? everything : "listen.token can be read on the way"));
    }
    if (!is_loopback(config.listen_peer)) {
        warnings.push_back(fmt::format(open, config.listen_peer, everything));
    }
    if (!config.token.empty() && everybody_may_read(sources.file)) {
        warnings.push_back(fmt::format(
            "everybody on this machine may read {}, and so listen.token if it is in there: "
            "chmod o-r, or set QUORATE_LISTEN__TOKEN instead",
            sources.file));
    }
    return warnings;
}

}  // namespace

Result<LoadedConfig> load_config(const ConfigSources& sources) {
    LoadedConfig loaded;
    if (!sources.file.empty()) TRY_VOID(apply_file(loaded.config, sources.file));
    TRY_VOID(apply_environment(loaded.config, sources.environment));
    TRY_VOID(apply_settings(loaded.config, sources.settings));
    TRY_VOID(check_whole(loaded.config));
    loaded.warnings = warnings_about(loaded.config, sources);
    return loaded;
}

}  // namespace quorate::daemon
