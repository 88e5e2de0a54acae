#include "rpc/cli/usage.hpp"
#include "rpc/cli/verb.hpp"
#include "rpc/cli/words.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <iostream>

// Turns the command tree into a parser, runs one verb, and maps what goes wrong to exit codes.
namespace quorate::cli {
namespace {

std::vector<Verb> all_verbs() {
    std::vector<Verb> verbs;
    for (auto part :
         {dev_verbs(), host_verbs(), group_verbs(), member_verbs(), leader_verbs(), plugin_verbs(),
          snapshot_verbs(), command_verbs(), overview_verbs(), bench_verbs()}) {
        verbs.insert(verbs.end(), part.begin(), part.end());
    }
    return verbs;
}

const std::map<std::string, std::string> noun_help{
    {"dev", "a cluster for development on this machine"},
    {"host", "the processes of the cluster"},
    {"group", "replicated state machines"},
    {"member", "the replicas of a group"},
    {"leader", "who leads a group"},
    {"plugin", "shared libraries that hold machines"},
    {"snapshot", "saved states of members"},
};

// The values that one verb was given, filled in by the parser.
struct Parsed {
    std::map<std::string, std::vector<std::string>> values;
    std::map<std::string, bool> flags;
};

void add_parameter(CLI::App& app, const Parameter& parameter, const std::string& spelled,
                   Parsed& parsed) {
    if (parameter.kind == Parameter::Kind::flag) {
        app.add_flag(spelled, parsed.flags[parameter.name], parameter.help);
        return;
    }
    bool positional = !spelled.starts_with("-");
    CLI::Option* option = app.add_option(spelled, parsed.values[parameter.name], parameter.help);
    option->type_name(parameter.type)->default_str(parameter.fallback);
    if (parameter.kind == Parameter::Kind::rest) {
        option->expected(positional ? 1 : 0, -1);
        if (positional) option->required();
        if (!positional) option->delimiter(',');
    } else {
        option->expected(1)->allow_extra_args(false);
    }
    if (parameter.kind == Parameter::Kind::required) option->required();
}

Result<Duration> parse_timeout(std::string_view text) {
    std::uint64_t number = 0;
    auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    std::string_view unit(rest, static_cast<std::size_t>(text.data() + text.size() - rest));
    if (error == std::errc{} && number > 0 && number <= 86'400'000) {
        if (unit == "ms") return Duration(std::chrono::milliseconds(number));
        if (unit == "s" || unit.empty()) return Duration(std::chrono::seconds(number));
        if (unit == "m") return Duration(std::chrono::minutes(number));
    }
    return fail(Errc::request_invalid,
                "--timeout " + std::string(text) + " is not a duration such as 5s or 500ms");
}

// The tree and where its values go. Must outlive parsing.
class Tree {
 public:
    Tree()
        : app_(
              "quorate: talks to Quorate hosts. Endpoints: --endpoint, else $QUORATE_ENDPOINTS, "
              "else the "
              "local development cluster, else 127.0.0.1:7700.",
              "quorate") {
        app_.require_subcommand(1);
        app_.fallthrough();
        app_.set_help_all_flag("--help-all", "help of every command");
        app_.add_option("--endpoint", endpoints_, "host:port of a host; may be repeated")
            ->type_name("ADDRESS");
        app_.add_option("--token", token_,
                        "what the hosts' listen.token says; better in $QUORATE_TOKEN, which `ps` "
                        "does not show")
            ->type_name("TEXT");
        app_.add_option("--timeout", timeout_, "deadline of the whole command: 500ms, 5s, 1m")
            ->type_name("DURATION")
            ->capture_default_str();
        app_.add_option("-o,--output", format_, "what is printed")
            ->check(CLI::IsMember({"table", "json"}))
            ->type_name("FORMAT")
            ->capture_default_str();
        app_.set_version_flag("--version", "quorate " QUORATE_VERSION, "the same as `version`");
        verbs_ = all_verbs();
        parsed_.resize(verbs_.size());
        for (std::size_t i = 0; i < verbs_.size(); ++i) add(i);
    }

    int run(int argc, char** argv) {
        std::vector<std::string> words = guarded({argv + 1, argv + argc});
        std::ranges::reverse(words);  // as the parser takes them
        try {
            app_.parse(std::move(words));
        } catch (const CLI::ParseError& e) {
            if (e.get_exit_code() == 0) return app_.exit(e);  // --help
            print_error(asks_for_json(argc, argv) ? Format::json : Format::table,
                        usage_error(app_, e));
            return 2;
        }
        Format format = format_ == "json" ? Format::json : Format::table;
        auto timeout = parse_timeout(timeout_);
        auto end = timeout.has_value() ? run_chosen({endpoints_, token_, *timeout, format, argv[0]})
                                       : Result<int>(timeout.error());
        if (end.has_value()) return *end;
        print_error(format, end.error(), effect_of(end.error().code));
        return exit_code(end.error().code);
    }

 private:
    void add(std::size_t i) {
        const Verb& verb = verbs_[i];
        CLI::App* parent = &app_;
        if (!verb.noun.empty()) {
            CLI::App*& noun = nouns_[verb.noun];
            if (noun == nullptr) {
                noun = app_.add_subcommand(verb.noun, noun_help.at(verb.noun));
                noun->require_subcommand(1);
                noun->fallthrough();
            }
            parent = noun;
        }
        CLI::App* app = parent->add_subcommand(verb.name, verb.help);
        app->fallthrough();
        app->footer(
            "Also of every command: --endpoint, --token, --timeout, --output; see `quorate "
            "--help`.");
        for (const Parameter& p : verb.arguments) {
            std::string spelled = p.also_as_option ? p.name + ",--" + p.name : p.name;
            add_parameter(*app, p, spelled, parsed_[i]);
        }
        for (const Parameter& p : verb.options) add_parameter(*app, p, "--" + p.name, parsed_[i]);
        app->callback([this, i] { chosen_ = i; });
    }

    Result<int> run_chosen(Settings settings) {
        const Verb& verb = verbs_[chosen_];
        Parsed& parsed = parsed_[chosen_];
        std::map<std::string, std::string> fallbacks;
        for (const auto* kind : {&verb.arguments, &verb.options}) {
            for (const Parameter& p : *kind) fallbacks[p.name] = p.fallback;
        }
        for (const auto& [name, given] : parsed.flags) {
            if (given) parsed.values[name] = {"true"};
        }
        for (auto& [name, values] : parsed.values) {
            for (std::string& value : values) value = unguarded(std::move(value));
        }
        Invocation call(std::move(settings), parsed.values, std::move(fallbacks));
        return verb.run(call);
    }

    // A change that was asked for and not answered may come about all the same.
    Effect effect_of(Errc code) const {
        if (!verbs_[chosen_].changes) return Effect::question;
        bool unanswered = code == Errc::deadline_exceeded || code == Errc::leadership_lost ||
                          code == Errc::cancelled || code == Errc::protocol ||
                          code == Errc::internal;
        return unanswered ? Effect::unknown : Effect::not_applied;
    }

    CLI::App app_;
    std::vector<std::string> endpoints_;
    std::string token_;
    std::string timeout_ = "5s";
    std::string format_ = "table";
    std::vector<Verb> verbs_;
    std::vector<Parsed> parsed_;
    std::map<std::string, CLI::App*> nouns_;
    std::size_t chosen_ = 0;
};

}  // namespace
}  // namespace quorate::cli

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    try {
        return quorate::cli::Tree().run(argc, argv);
    } catch (const std::exception& e) {
        quorate::cli::print_error(quorate::cli::Format::table,
                                  quorate::fail(quorate::Errc::internal, e.what()));
        return 1;
    }
}
