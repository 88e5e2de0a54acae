#include "host/raft/mutants.hpp"
#include "tests/raft/script_replay.hpp"
#include "tests/raft/world.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <string>

namespace quorate::raft::test {
namespace {

// A bug that the simulation does not find within so many seeds would not be found in our own code
// either. README.md says how many each one takes.
constexpr std::uint64_t seeds = 4000;

// What was found, or nothing.
std::string run_with(Mutant bug, std::uint64_t seed) {
    plant(bug);
    std::string found;
    try {
        World world(seed);
        if (std::getenv("QUORATE_TRACE") != nullptr) world.trace();
        world.run();
    } catch (const std::exception& violation) {
        found = violation.what();
    }
    plant(Mutant::none);
    return found;
}

class PlantedBug : public ::testing::TestWithParam<int> {
 protected:
    ~PlantedBug() override { plant(Mutant::none); }
};

TEST_P(PlantedBug, changes_a_script) {
    std::string changed;
    for (const std::string& name : script_names()) {
        std::string expected = text_of_script(name);
        plant(Mutant::none);
        ASSERT_EQ(replay(expected).text, expected) << name << ", without a bug";
        plant(static_cast<Mutant>(GetParam()));
        if (replay(expected).text != expected) changed += " " + name;
    }
    EXPECT_NE(changed, "");
    std::cout << " " << changed << "\n";
}

// And nothing is found in the same seeds without it.
TEST_P(PlantedBug, is_found) {
    auto bug = static_cast<Mutant>(GetParam());
    std::uint64_t seed = 1;
    std::string found;
    while ((found = run_with(bug, seed)).empty() && seed < seeds) ++seed;
    ASSERT_NE(found, "") << name_of(bug) << " survived " << seeds << " seeds";
    std::cout << "  seed " << seed << ": " << found << "\n";
    for (std::uint64_t sound = 1; sound <= seed; ++sound)
        ASSERT_EQ(run_with(Mutant::none, sound), "")
            << "without a bug; replay: QUORATE_SEED=" << sound << " raft_random_test";
}

std::string test_name(const ::testing::TestParamInfo<int>& info) {
    return name_of(static_cast<Mutant>(info.param));
}

INSTANTIATE_TEST_SUITE_P(each, PlantedBug, ::testing::Range(1, static_cast<int>(Mutant::last_) + 1),
                         test_name);

}  // namespace
}  // namespace quorate::raft::test
