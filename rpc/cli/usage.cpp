#include "rpc/cli/usage.hpp"

#include "host/base/did_you_mean.hpp"
#include "host/base/result.hpp"
#include "rpc/cli/words.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

namespace quorate::cli {
namespace {

// The command as far as it was understood, and its words: "quorate group".
struct Understood {
    const CLI::App* app;
    std::string words;
};

Understood understood(const CLI::App& root) {
    Understood at{&root, root.get_name()};
    for (auto next = root.get_subcommands(); !next.empty(); next = at.app->get_subcommands()) {
        at.app = next.back();
        at.words += " " + at.app->get_name();
    }
    return at;
}

std::vector<std::string_view> commands_of(const CLI::App& app) {
    std::vector<std::string_view> names;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
        names.emplace_back(command->get_name());
    }
    return names;
}

// "--endpoint", of the command and of those above it.
std::vector<std::string> options_of(const CLI::App* app) {
    std::vector<std::string> names;
    for (; app != nullptr; app = app->get_parent()) {
        for (const CLI::Option* option : app->get_options()) {
            for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
        }
    }
    return names;
}

std::string meant(std::string_view written, const std::vector<std::string_view>& names) {
    std::string_view name = did_you_mean(written, names);
    return name.empty() ? std::string() : fmt::format("; did you mean '{}'?", name);
}

std::string what_is_wrong(const Understood& at, const std::string& word, const char* said) {
    std::vector<std::string_view> commands = commands_of(*at.app);
    if (!commands.empty() && word.empty()) {
        return fmt::format("'{}' needs one of: {}", at.words, fmt::join(commands, ", "));
    }
    if (!commands.empty() && !word.starts_with('-')) {
        return fmt::format("there is no command '{} {}'{}", at.words, word, meant(word, commands));
    }
    if (word.starts_with('-')) {
        std::vector<std::string> options = options_of(at.app);
        return fmt::format("'{}' has no option '{}'{}", at.words, word,
                           meant(word, {options.begin(), options.end()}));
    }
    if (!word.empty()) return fmt::format("'{}': '{}' is one argument too many", at.words, word);
    return fmt::format("'{}': {}", at.words, said);
}

}  // namespace

Error usage_error(const CLI::App& app, const CLI::ParseError& refusal) {
    Understood at = understood(app);
    std::vector<std::string> unread = app.remaining(true);
    std::string word = unread.empty() ? std::string() : unguarded(unread.front());
    std::string hint = fmt::format("`{} --help` shows what it takes", at.words);
    if (at.app->get_option_no_throw("words") != nullptr) {
        hint +=
            fmt::format("; words that begin with '-' come after '--': {} GROUP -- WORDS", at.words);
    }
    return fail(Errc::request_invalid, what_is_wrong(at, word, refusal.what()), std::move(hint));
}

bool asks_for_json(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
        std::string_view word = argv[i];
        if (word == "--") break;  // what follows is no option
        std::string_view next = i + 1 < argc ? argv[i + 1] : "";
        if ((word == "-o" || word == "--output") && next == "json") return true;
        if (word == "-ojson" || word == "--output=json") return true;
    }
    return false;
}

}  // namespace quorate::cli
