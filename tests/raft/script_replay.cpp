#include "tests/raft/script_replay.hpp"

#include "tests/raft/script.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace quorate::raft::test {
namespace {

const std::filesystem::path folder = QUORATE_SCRIPTS;

std::string content(const std::filesystem::path& path) {
    std::ifstream in(path);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
}

// A broken command, or invariant, shows as what it is.
std::string run(Script& script, const std::string& command, std::vector<std::string>& errors) {
    try {
        return script.run(command);
    } catch (const std::exception& failure) {
        errors.push_back(command + ": " + failure.what());
        return std::string("error: ") + failure.what() + "\n";
    }
}

}  // namespace

std::vector<std::string> script_names() {
    std::vector<std::string> found;
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
        if (file.path().extension() == ".txt") found.push_back(file.path().stem());
    }
    std::sort(found.begin(), found.end());
    return found;
}

std::string path_of_script(const std::string& name) {
    return folder / (name + ".txt");
}

std::string text_of_script(const std::string& name) {
    return content(path_of_script(name));
}

std::string text_of_cases() {
    return content(folder.parent_path() / "cases.md");
}

Replayed replay(const std::string& text) {
    std::istringstream in(text);
    Script script;
    Replayed shown;
    std::string commands, line;
    while (std::getline(in, line)) {
        if (line != "----") {
            shown.text += line + "\n";
            if (!line.empty() && line[0] != '#') commands += line + "\n";
            continue;
        }
        shown.text += "----\n";
        std::istringstream block(std::exchange(commands, {}));
        for (std::string command; std::getline(block, command);)
            shown.text += run(script, command, shown.errors);
        while (std::getline(in, line) && !line.empty()) {
        }
        shown.text += in ? "\n" : "";
    }
    if (!commands.empty()) throw std::runtime_error("commands without ---- at the end");
    return shown;
}

}  // namespace quorate::raft::test
