#include "host/base/log.hpp"
#include "host/daemon/host_process.hpp"
#include "host/daemon/installed_plugins.hpp"
#include "host/daemon/logging.hpp"
#include "host/machine/plugin_probe.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <csignal>
#include <map>
#include <unistd.h>

namespace quorate::daemon {
namespace {

constexpr const char* version = QUORATE_VERSION;

struct Options {
    ConfigSources sources;
    bool check_config = false;
    bool keys = false;
    bool version = false;
    std::string probe;
};

std::map<std::string, std::string> environment() {
    std::map<std::string, std::string> variables;
    for (char** variable = environ; *variable != nullptr; ++variable) {
        std::string_view text(*variable);
        std::size_t equals = text.find('=');
        if (equals != std::string_view::npos) {
            variables.emplace(text.substr(0, equals), text.substr(equals + 1));
        }
    }
    return variables;
}

int print_keys() {
    Config defaults;
    for (const ConfigKey& key : config_keys()) {
        fmt::print("{:<30} {:<18} default {:<18} {}\n", key.name, key.unit,
                   '"' + key.get(defaults) + '"', key.help);
    }
    return 0;
}

int refuse(const Error& error, int code) {
    fmt::print(stderr, "error {}\n  fix: {}\n  more: quorate explain QR-{}\n", to_string(error),
               error.advice(), static_cast<unsigned>(error.code));
    return code;
}

int report(const std::vector<std::string>& warnings) {
    for (const std::string& warning : warnings) fmt::print(stderr, "warning: {}\n", warning);
    fmt::print("configuration ok\n");
    return 0;
}

int serve(const LoadedConfig& loaded) {
    const Config& config = loaded.config;
    start_logging(config);
    log::info("starting", "quorated begins",
              {{"version", std::string(version)},
               {"host", config.host_name},
               {"cluster", config.cluster_name},
               {"data_dir", config.data_dir},
               {"pid", std::int64_t{::getpid()}}});
    for (const std::string& warning : loaded.warnings) log::warning("config", warning);
    auto host = HostProcess::open(config, version);
    if (!host.has_value()) {
        // A log of JSON stays one to its last line.
        if (config.log_format != "json") return refuse(host.error(), 1);
        log::error("not_started", to_string(host.error()),
                   {{"fix", std::string(host.error().advice())}});
        return 1;
    }
    (*host)->run();
    host->reset();
    log::info("stopped", "the host has stopped");  // and nothing of it is left to say more
    return 0;
}

int run(const Options& options) {
    if (options.version) {
        fmt::print("quorated {}\n", version);
        return 0;
    }
    if (options.keys) return print_keys();
    if (!options.probe.empty()) machine::run_probe(options.probe, host_program(version));
    auto loaded = load_config(options.sources);
    if (!loaded.has_value()) return refuse(loaded.error(), 2);
    return options.check_config ? report(loaded->warnings) : serve(*loaded);
}

}  // namespace
}  // namespace quorate::daemon

int main(int argc, char** argv) {
    using namespace quorate;
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error of its write
    daemon::Options options;
    options.sources.environment = daemon::environment();
    CLI::App app("quorated: one Quorate host", "quorated");
    app.add_option("--config", options.sources.file,
                   "TOML file; `quorated --keys` lists every key");
    app.add_option("--set", options.sources.settings, "key=value, over environment and file")
        ->allow_extra_args(false);
    app.add_flag("--check-config", options.check_config,
                 "say what is wrong with the configuration, and end");
    app.add_flag("--keys", options.keys, "print every key with its default and meaning");
    app.add_flag("--version", options.version, "print the version");
    app.add_option("--probe-plugin", options.probe, "load a plugin and end")->group("");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        if (e.get_exit_code() == 0) return app.exit(e);  // --help
        return daemon::refuse(
            fail(Errc::request_invalid, e.what(), "`quorated --help` lists its arguments"), 2);
    }
    try {
        return daemon::run(options);
    } catch (const std::exception& e) {
        return daemon::refuse(fail(Errc::internal, e.what()), 1);
    }
}
