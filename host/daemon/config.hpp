#pragma once

#include "host/base/result.hpp"
#include "host/base/time.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quorate::daemon {

// Everything that an operator can set. Defaults here are the defaults; config_keys() says what each
// means. Durations and sizes are written with units in every layer: "100ms", "8MiB".
struct Config {
    std::string host_name;     // required
    std::string data_dir;      // required
    std::uint64_t shards = 0;  // 0: one per core
    Duration busy_poll = 100us;
    bool dev = false;
    Duration shutdown_timeout = 45s;

    std::string cluster_name = "default";
    std::vector<std::string> seeds;

    std::string listen_client = "127.0.0.1:7700";
    std::string listen_peer = "127.0.0.1:7701";
    std::string advertise_client;  // empty: as bound
    std::string advertise_peer;
    std::string token;  // what clients must bring; empty: whoever reaches listen_client may come in

    Duration election_timeout = 500ms;
    Duration heartbeat_interval = 50ms;
    std::uint64_t hibernate_rounds = 3;
    std::uint64_t max_append_entries = 4096;
    std::uint64_t max_append_bytes = 1ull << 20;
    std::uint64_t max_inflight_messages = 64;
    std::uint64_t max_inflight_bytes = 8ull << 20;
    std::uint64_t max_command_bytes = 8ull << 20;
    std::uint64_t max_queued_bytes = 64ull << 20;
    std::uint64_t max_queued_commands = 65536;
    std::uint64_t cache_bytes = 32ull << 20;

    std::uint64_t wal_file_size = 64ull << 20;
    std::uint64_t wal_waiting_files = 6;
    std::uint64_t storage_cache_size = 64ull << 20;
    std::uint64_t disk_low_percent = 3;
    std::uint64_t disk_low_bytes = 256ull << 20;

    std::uint64_t snapshot_interval_entries = 65536;
    std::uint64_t snapshot_retained_entries = 4096;
    std::uint64_t snapshots_kept = 2;

    std::uint64_t client_connections = 10000;
    std::uint64_t client_inflight_bytes = 64ull << 20;
    std::uint64_t inflight_bytes = 256ull << 20;
    std::uint64_t reply_bytes = 64ull << 20;
    std::uint64_t unstored_bytes = 256ull << 20;
    std::uint64_t commands_under_way = 10'000;
    std::uint64_t host_cache_bytes = 64ull << 20;

    std::string log_level = "info";
    std::string log_format = "text";
};

// One key: how it is written, what it means, and how it is set.
struct ConfigKey {
    std::string_view name;  // "raft.election_timeout"
    std::string_view
        unit;  // "duration", "size", "count", "percent", "text", "address", "list of addresses", "flag"
    std::string_view help;
    // Errc::config_invalid with a sentence without the place; the caller adds it.
    std::function<Result<void>(Config&, std::string_view)> set;
    std::function<std::string(const Config&)> get;
};
const std::vector<ConfigKey>& config_keys();

// Where the values come from, the later overriding the earlier: defaults, file, environment
// (QUORATE_RAFT__ELECTION_TIMEOUT=1s), flags (--set raft.election_timeout=1s).
struct ConfigSources {
    std::string file;                                // empty: none
    std::map<std::string, std::string> environment;  // whole; only QUORATE_* are looked at
    std::vector<std::string> settings;               // "key=value"
};

struct LoadedConfig {
    Config config;
    std::vector<std::string> warnings;
};

// Every problem is an Error that names the place: file with line and column, environment variable or
// flag. Unknown keys are errors and say which key was probably meant.
Result<LoadedConfig> load_config(const ConfigSources& sources);

// "100ms", "2s", "1m": a whole number and ns, us, ms, s, m or h.
Result<Duration> parse_duration(std::string_view text);
// "8MiB", "64KiB", "1GiB", "512B".
Result<std::uint64_t> parse_size(std::string_view text);
// As a person would write it, in the largest unit that holds it whole: "2s", "64MiB".
std::string to_text(Duration duration);
std::string size_text(std::uint64_t bytes);

}  // namespace quorate::daemon
