#include "host/raft/mutants.hpp"
#include "tests/raft/world.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <string>

namespace quorate::raft::test {
namespace {

class PlantedBug : public ::testing::TestWithParam<int> {
 protected:
    void TearDown() override { plant(Mutant::none); }
};

// A bug that the simulation does not find within so many seeds would not be found in our own code either.
TEST_P(PlantedBug, is_found) {
    auto bug = static_cast<Mutant>(GetParam());
    const char* first = std::getenv("QUORATE_SEED");
    const char* seeds = std::getenv("QUORATE_SEEDS");
    std::uint64_t bound = seeds ? std::strtoull(seeds, nullptr, 0) : 4000;
    for (std::uint64_t seed = first ? std::strtoull(first, nullptr, 0) : 1; seed <= bound; ++seed) {
        plant(bug);
        try {
            World world(seed);
            if (std::getenv("QUORATE_TRACE")) world.trace();
            world.run();
        } catch (const std::exception& found) {
            std::cout << "  seed " << seed << ": " << found.what() << "\n";
            return;
        }
    }
    FAIL() << name_of(bug) << " survived " << bound << " seeds";
}

std::string test_name(const ::testing::TestParamInfo<int>& info) {
    return name_of(static_cast<Mutant>(info.param));
}

INSTANTIATE_TEST_SUITE_P(each, PlantedBug, ::testing::Range(1, static_cast<int>(Mutant::last_) + 1),
                         test_name);

}  // namespace
}  // namespace quorate::raft::test
