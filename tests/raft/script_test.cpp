#include "tests/raft/script.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

// Each file of scripts/ is a story: comments, commands, and after `----` what they show, up to an
// empty line. REWRITE=1 writes down what they show now; the diff is reviewed as behaviour.
namespace quorate::raft::test {
namespace {

const std::filesystem::path folder = QUORATE_SCRIPTS;

// A broken command, or invariant, shows as what it is.
std::string run(Script& script, const std::string& command) {
    try {
        return script.run(command);
    } catch (const std::exception& failure) {
        ADD_FAILURE() << command << ": " << failure.what();
        return std::string("error: ") + failure.what() + "\n";
    }
}

// The script with every block's output replaced by what it shows now.
std::string replay(std::istream& in) {
    Script script;
    std::string written, commands, line;
    while (std::getline(in, line)) {
        if (line != "----") {
            written += line + "\n";
            if (!line.empty() && line[0] != '#') commands += line + "\n";
            continue;
        }
        written += "----\n";
        std::istringstream block(std::exchange(commands, {}));
        for (std::string command; std::getline(block, command);) written += run(script, command);
        while (std::getline(in, line) && !line.empty()) {
        }
        written += in ? "\n" : "";
    }
    if (!commands.empty()) throw std::runtime_error("commands without ---- at the end");
    return written;
}

class Scripts : public ::testing::TestWithParam<std::string> {};

TEST_P(Scripts, shows_what_it_says) {
    std::filesystem::path path = folder / (GetParam() + ".txt");
    std::ifstream in(path);
    std::stringstream expected;
    expected << in.rdbuf();
    ASSERT_EQ(expected.str().substr(0, 1), "#") << "a script opens with the rule that it shows";
    std::string shown;
    ASSERT_NO_THROW(shown = replay(expected)) << GetParam();
    if (std::getenv("REWRITE")) {
        std::ofstream(path) << shown;
        return;
    }
    EXPECT_EQ(expected.str(), shown) << "in " << path << "; REWRITE=1 writes it anew";
}

std::vector<std::string> names() {
    std::vector<std::string> found;
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
        if (file.path().extension() == ".txt") found.push_back(file.path().stem());
    }
    std::sort(found.begin(), found.end());
    return found;
}

std::string test_name(const ::testing::TestParamInfo<std::string>& script) {
    return script.param;
}

INSTANTIATE_TEST_SUITE_P(each, Scripts, ::testing::ValuesIn(names()), test_name);

}  // namespace
}  // namespace quorate::raft::test
