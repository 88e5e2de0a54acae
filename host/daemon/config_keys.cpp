#include "host/daemon/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace quorate::daemon {
namespace {

using Set = std::function<Result<void>(Config&, std::string_view)>;
using Get = std::function<std::string(const Config&)>;

Error invalid(std::string what) {
    return fail(Errc::config_invalid, std::move(what));
}

struct Bounds {
    std::uint64_t min = 0;
    std::uint64_t max = ~0ull;
};

Result<void> within(std::uint64_t value, Bounds bounds, std::string_view text) {
    if (value >= bounds.min && value <= bounds.max) return {};
    return invalid(fmt::format("{} is outside of [{}, {}]", text, bounds.min, bounds.max));
}

ConfigKey text_key(std::string_view name, std::string_view help, std::string Config::*field) {
    return {name, "text", help,
            [field](Config& c, std::string_view v) -> Result<void> {
                c.*field = std::string(v);
                return {};
            },
            [field](const Config& c) { return c.*field; }};
}

// The text itself is one of the choices.
ConfigKey choice_key(std::string_view name, std::string_view help, std::string Config::*field,
                     std::vector<std::string_view> choices) {
    return {name, "text", help,
            [field, choices](Config& c, std::string_view v) -> Result<void> {
                for (auto choice : choices) {
                    if (choice == v) {
                        c.*field = std::string(v);
                        return {};
                    }
                }
                return invalid(fmt::format("'{}' is not one of {}", v, fmt::join(choices, ", ")));
            },
            [field](const Config& c) { return c.*field; }};
}

Result<void> check_address(std::string_view address) {
    std::size_t colon = address.rfind(':');
    unsigned port = 0;
    if (colon != std::string_view::npos && colon > 0) {
        const char* end = address.data() + address.size();
        auto [rest, error] = std::from_chars(address.data() + colon + 1, end, port);
        if (error == std::errc{} && rest == end && port <= 65535) return {};
    }
    return invalid(fmt::format("'{}' is not an address such as 127.0.0.1:7700", address));
}

ConfigKey address_key(std::string_view name, std::string_view help, std::string Config::*field,
                      bool may_be_empty) {
    return {name, "address", help,
            [field, may_be_empty](Config& c, std::string_view v) -> Result<void> {
                if (!(v.empty() && may_be_empty)) TRY_VOID(check_address(v));
                c.*field = std::string(v);
                return {};
            },
            [field](const Config& c) { return c.*field; }};
}

// What goes through environments, files and command lines unharmed, and is not guessed at once.
Result<void> check_token(std::string_view token) {
    bool plain = std::ranges::all_of(token, [](char c) { return c > 0x20 && c < 0x7f; });
    if (!plain) return invalid("a token holds printable ASCII without spaces");
    if (!token.empty() && (token.size() < 8 || token.size() > 256)) {
        return invalid(
            fmt::format("a token has 8 to 256 characters; this one has {}", token.size()));
    }
    return {};
}

ConfigKey token_key(std::string_view name, std::string_view help, std::string Config::*field) {
    return {name, "text", help,
            [field](Config& c, std::string_view v) -> Result<void> {
                TRY_VOID(check_token(v));
                c.*field = std::string(v);
                return {};
            },
            [field](const Config& c) { return c.*field; }};
}

// "a:1, b:2": addresses separated by commas.
ConfigKey addresses_key(std::string_view name, std::string_view help,
                        std::vector<std::string> Config::*field) {
    return {name, "list of addresses", help,
            [field](Config& c, std::string_view v) -> Result<void> {
                std::vector<std::string> list;
                while (!v.empty()) {
                    std::size_t comma = v.find(',');
                    std::string_view item = v.substr(0, comma);
                    v = comma == std::string_view::npos ? std::string_view{} : v.substr(comma + 1);
                    while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
                    while (!item.empty() && item.back() == ' ') item.remove_suffix(1);
                    TRY_VOID(check_address(item));
                    list.emplace_back(item);
                }
                c.*field = std::move(list);
                return {};
            },
            [field](const Config& c) { return fmt::format("{}", fmt::join(c.*field, ", ")); }};
}

ConfigKey duration_key(std::string_view name, std::string_view help, Duration Config::*field,
                       Duration min, Duration max) {
    return {name, "duration", help,
            [field, min, max](Config& c, std::string_view v) -> Result<void> {
                TRY(Duration value, parse_duration(v));
                if (value < min || value > max) {
                    return invalid(
                        fmt::format("{} is outside of [{}, {}]", v, to_text(min), to_text(max)));
                }
                c.*field = value;
                return {};
            },
            [field](const Config& c) { return to_text(c.*field); }};
}

ConfigKey size_key(std::string_view name, std::string_view help, std::uint64_t Config::*field,
                   Bounds bounds) {
    return {name, "size", help,
            [field, bounds](Config& c, std::string_view v) -> Result<void> {
                TRY(std::uint64_t value, parse_size(v));
                if (value < bounds.min || value > bounds.max) {
                    return invalid(fmt::format("{} is outside of [{}, {}]", v,
                                               size_text(bounds.min), size_text(bounds.max)));
                }
                c.*field = value;
                return {};
            },
            [field](const Config& c) { return size_text(c.*field); }};
}

ConfigKey count_key(std::string_view name, std::string_view help, std::uint64_t Config::*field,
                    Bounds bounds) {
    return {name, "count", help,
            [field, bounds](Config& c, std::string_view v) -> Result<void> {
                std::uint64_t value = 0;
                auto [rest, error] = std::from_chars(v.data(), v.data() + v.size(), value);
                if (error != std::errc{} || rest != v.data() + v.size()) {
                    return invalid(fmt::format("'{}' is not a whole number", v));
                }
                TRY_VOID(within(value, bounds, v));
                c.*field = value;
                return {};
            },
            [field](const Config& c) { return fmt::format("{}", c.*field); }};
}

ConfigKey flag_key(std::string_view name, std::string_view help, bool Config::*field) {
    return {name, "flag", help,
            [field](Config& c, std::string_view v) -> Result<void> {
                if (v != "true" && v != "false") {
                    return invalid(fmt::format("'{}' is neither true nor false", v));
                }
                c.*field = v == "true";
                return {};
            },
            [field](const Config& c) { return std::string(c.*field ? "true" : "false"); }};
}

std::vector<ConfigKey> host_keys() {
    return {
        text_key("host.name", "this host's stable name; required", &Config::host_name),
        text_key("host.data_dir", "where everything durable of this host lies; required",
                 &Config::data_dir),
        count_key("host.shards", "event loops, each on a thread of its own; 0: one per core",
                  &Config::shards, {0, 256}),
        duration_key(
            "host.busy_poll",
            "an event loop looks for work so long before it sleeps, if the last also came so soon",
            &Config::busy_poll, 0us, 10ms),
        flag_key("host.dev", "allow what only a cluster for development should: partition",
                 &Config::dev),
        duration_key("host.shutdown_timeout", "an orderly stop is cut short after this",
                     &Config::shutdown_timeout, 1s, 3600s),
        text_key("cluster.name", "hosts of other clusters are refused", &Config::cluster_name),
        addresses_key("cluster.seeds", "peer addresses of some hosts; the others are learnt",
                      &Config::seeds),
        address_key("listen.client", "where clients connect; port 0 takes a free one",
                    &Config::listen_client, false),
        address_key("listen.peer", "where other hosts connect; port 0 takes a free one",
                    &Config::listen_peer, false),
        address_key("listen.advertise_client", "what others are told instead of listen.client",
                    &Config::advertise_client, true),
        address_key("listen.advertise_peer", "what others are told instead of listen.peer",
                    &Config::advertise_peer, true),
        token_key("listen.token", "what a client must bring to log in; empty: everybody may",
                  &Config::token),
        choice_key("log.level", "debug, info, warning or error", &Config::log_level,
                   {"debug", "info", "warning", "error"}),
        choice_key("log.format", "text or json, one event a line on standard error",
                   &Config::log_format, {"text", "json"}),
        count_key("limits.client_connections", "more are closed at once",
                  &Config::client_connections, {1, 1'000'000}),
        size_key("limits.client_inflight_bytes", "unanswered per connection; more: overloaded",
                 &Config::client_inflight_bytes, {1 << 16, 1ull << 32}),
        size_key("limits.inflight_bytes", "unanswered over all connections; more: overloaded",
                 &Config::inflight_bytes, {1 << 16, 1ull << 40}),
        size_key("limits.reply_bytes",
                 "answers that clients have not read; more: applying waits, queries: overloaded",
                 &Config::reply_bytes, {1 << 20, 1ull << 40}),
        size_key("limits.unstored_bytes", "given to the log, not durable; more: overloaded",
                 &Config::unstored_bytes, {1 << 20, 1ull << 40}),
        count_key("limits.commands_under_way",
                  "commands per shard being replicated; beyond, groups propose in turn",
                  &Config::commands_under_way, {1, 1 << 24}),
        size_key("limits.cache_bytes", "recent entries kept in memory over all groups",
                 &Config::host_cache_bytes, {1 << 20, 1ull << 40}),
    };
}

std::vector<ConfigKey> raft_keys() {
    return {
        duration_key("raft.election_timeout", "without a leader for once to twice this: campaign",
                     &Config::election_timeout, 20ms, 600s),
        duration_key("raft.heartbeat_interval",
                     "between the beats of hosts, and heartbeats where groups never sleep",
                     &Config::heartbeat_interval, 2ms, 60s),
        count_key("raft.hibernate_rounds",
                  "heartbeats with nothing to say before an idle group sleeps; 0: never",
                  &Config::hibernate_rounds, {0, 1 << 20}),
        count_key("raft.max_append_entries", "entries per message to a peer",
                  &Config::max_append_entries, {1, 1 << 20}),
        size_key("raft.max_append_bytes", "payload per message to a peer; one entry may exceed it",
                 &Config::max_append_bytes, {1 << 10, 32 << 20}),
        count_key("raft.max_inflight_messages", "unacknowledged messages per peer",
                  &Config::max_inflight_messages, {1, 1 << 16}),
        size_key("raft.max_inflight_bytes", "unacknowledged payload per peer",
                 &Config::max_inflight_bytes, {1 << 16, 1ull << 32}),
        size_key("raft.max_command_bytes", "a larger command is refused",
                 &Config::max_command_bytes, {1, 32 << 20}),
        size_key("raft.max_queued_bytes",
                 "of commands not yet answered, per group; more: overloaded",
                 &Config::max_queued_bytes, {1 << 16, 1ull << 36}),
        count_key("raft.max_queued_commands", "not yet answered, per group; more: overloaded",
                  &Config::max_queued_commands, {1, 1 << 24}),
        size_key("raft.cache_bytes", "recent entries kept in memory per group, for followers",
                 &Config::cache_bytes, {1 << 16, 1ull << 36}),
    };
}

std::vector<ConfigKey> storage_keys() {
    return {
        size_key("wal.file_size", "of each preallocated file of the write-ahead log",
                 &Config::wal_file_size, {1 << 20, 4ull << 30}),
        count_key("wal.waiting_files",
                  "full files that wait before the oldest settles: snapshots may spare it that",
                  &Config::wal_waiting_files, {0, 1000}),
        size_key("storage.cache_size", "WiredTiger's cache", &Config::storage_cache_size,
                 {1 << 20, 1ull << 40}),
        count_key("limits.disk_low_percent", "free space below which commands are refused",
                  &Config::disk_low_percent, {0, 50}),
        size_key("limits.disk_low_bytes", "free space below which commands are refused",
                 &Config::disk_low_bytes, {0, 1ull << 40}),
        count_key("snapshot.interval_entries",
                  "applied entries between snapshots; 0: on request only",
                  &Config::snapshot_interval_entries, {0, ~0ull}),
        count_key("snapshot.retained_entries", "kept behind a snapshot for short absences",
                  &Config::snapshot_retained_entries, {0, ~0ull}),
        count_key("snapshot.keep", "snapshots kept per group", &Config::snapshots_kept, {1, 100}),
    };
}

}  // namespace

const std::vector<ConfigKey>& config_keys() {
    static const std::vector<ConfigKey> keys = [] {
        std::vector<ConfigKey> all = host_keys();
        for (auto part : {raft_keys(), storage_keys()}) {
            all.insert(all.end(), part.begin(), part.end());
        }
        return all;
    }();
    return keys;
}

}  // namespace quorate::daemon
