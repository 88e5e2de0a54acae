#pragma once

#include "rpc/cli/output.hpp"
#include "rpc/client/client.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

// The command tree of `quorate` as data: main.cpp turns it into a parser, and help follows from it.
namespace quorate::cli {

struct Parameter {
    std::string name;  // "group"; options: "read", given as --read
    std::string help;
    enum class Kind : std::uint8_t { required, optional, rest, flag } kind = Kind::required;
    std::string fallback = {};
    std::string type = "TEXT";    // what help calls the value
    bool also_as_option = false;  // of an argument: --name does it, too
};

class Invocation;

struct Verb {
    std::string noun;  // empty: the verb stands alone, as `submit`
    std::string name;
    std::string help;
    std::vector<Parameter> arguments;
    std::vector<Parameter> options;
    // Prints and returns the exit code; an Error is printed and mapped by the caller.
    std::function<Result<int>(Invocation&)> run;
    bool changes = false;  // a request that was sent and not answered may have been carried out
};

// What holds for every command.
struct Settings {
    std::vector<std::string> endpoints;
    std::string token;
    Duration timeout = 5s;
    Format format = Format::table;
    std::string program;  // as started, to find what lies beside it
};

// One run of one verb.
class Invocation {
 public:
    Invocation(Settings settings, std::map<std::string, std::vector<std::string>> given,
               std::map<std::string, std::string> fallbacks)
        : settings_(std::move(settings)),
          given_(std::move(given)),
          fallbacks_(std::move(fallbacks)),
          printer_(settings_.format, [this] { return cluster(); }) {}
    Invocation(const Invocation&) = delete;

    const Settings& settings() const { return settings_; }
    Duration timeout() const { return settings_.timeout; }
    // Whether the command line says it.
    bool given(const std::string& name) const;
    // The one value of a parameter, or its fallback; empty if there is neither.
    const std::string& value(const std::string& name) const;
    const std::vector<std::string>& values(const std::string& name) const;
    // The option --NAME as a whole number of that range, or as a level: or a refusal that names it.
    Result<std::uint64_t> number(const std::string& name, std::uint64_t least,
                                 std::uint64_t most) const;
    Result<client::ReadLevel> read_level(const std::string& name) const;
    bool flag(const std::string& name) const { return given(name); }
    Printer& out() { return printer_; }

    // The endpoints of the command line, else of the environment, else of the local development
    // cluster, else 127.0.0.1:7700; and what proves to them who asks.
    client::ClientOptions connection() const;
    // Connects there, on first use.
    Result<client::Client*> client();

 private:
    // Of the host that we are connected to; empty if to none.
    std::string cluster();

    Settings settings_;
    std::map<std::string, std::vector<std::string>> given_;
    std::map<std::string, std::string> fallbacks_;
    Printer printer_;
    std::unique_ptr<client::Client> client_;
};

// A warning for each host that does not answer, and what follows from that.
void warn_of_absent(Invocation& call, const std::vector<client::HostSummary>& hosts,
                    std::string_view consequence);

std::vector<Verb> group_verbs();
std::vector<Verb> member_verbs();
std::vector<Verb> leader_verbs();
std::vector<Verb> plugin_verbs();
std::vector<Verb> snapshot_verbs();
std::vector<Verb> host_verbs();
std::vector<Verb> command_verbs();   // submit, query
std::vector<Verb> overview_verbs();  // overview, version, explain
std::vector<Verb> dev_verbs();
std::vector<Verb> bench_verbs();

}  // namespace quorate::cli
