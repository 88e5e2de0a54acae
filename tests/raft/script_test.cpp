#include "tests/raft/script_replay.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

// Each file of scripts/ is a story: comments, commands, and after `----` what they show, up to an
// empty line. REWRITE=1 writes down what they show now; the diff is reviewed as behaviour.
namespace quorate::raft::test {
namespace {

class Scripts : public ::testing::TestWithParam<std::string> {};

TEST_P(Scripts, shows_what_it_says) {
    std::string expected = text_of_script(GetParam());
    ASSERT_EQ(expected.substr(0, 1), "#") << "a script opens with the rule that it shows";
    Replayed shown;
    ASSERT_NO_THROW(shown = replay(expected)) << GetParam();
    for (const std::string& error : shown.errors) ADD_FAILURE() << error;
    std::string path = path_of_script(GetParam());
    if (std::getenv("REWRITE") != nullptr) {
        std::ofstream(path) << shown.text;
        return;
    }
    EXPECT_EQ(expected, shown.text) << "in " << path << "; REWRITE=1 writes it anew";
}

std::string test_name(const ::testing::TestParamInfo<std::string>& script) {
    return script.param;
}

// cases.md maps ra's cases and others' bugs to scripts; a script that it does not name tells of nothing.
TEST(Cases, name_every_script) {
    std::string cases = text_of_cases();
    ASSERT_NE(cases, "");
    for (const std::string& name : script_names())
        EXPECT_NE(cases.find(name), std::string::npos) << name << " is not in cases.md";
}

INSTANTIATE_TEST_SUITE_P(each, Scripts, ::testing::ValuesIn(script_names()), test_name);

}  // namespace
}  // namespace quorate::raft::test
