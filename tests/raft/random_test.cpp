#include "tests/raft/world.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <string>

namespace quorate::raft::test {
namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text ? std::strtoull(text, nullptr, 0) : otherwise;
}

// QUORATE_SEEDS: how many; QUORATE_SEED: the first, to replay one;
// QUORATE_TRACE: say what happens; QUORATE_GO_ON: do not stop at the first failure.
TEST(RandomGroups, keep_rafts_promises_and_recover) {
    std::uint64_t first = from_environment("QUORATE_SEED", 1);
    std::uint64_t count = from_environment("QUORATE_SEEDS", std::getenv("QUORATE_SEED") ? 1 : 1000);
    Reach reach;
    for (std::uint64_t seed = first; seed < first + count; ++seed) {
        try {
            World world(seed);
            if (std::getenv("QUORATE_TRACE")) world.trace();
            world.run();
            reach.add(world.reach());
        } catch (const std::exception& failure) {
            ADD_FAILURE() << "seed " << seed << ": " << failure.what()
                          << "\nreplay with QUORATE_SEED=" << seed;
            if (!std::getenv("QUORATE_GO_ON")) return;
        }
    }
    if (count < 100) return;
    for (const auto& [what, times] : reach.list()) {
        EXPECT_GT(times, 0u) << "no run reached: " << what;
        std::cout << "  " << what << ": " << times << "\n";
    }
}

}  // namespace
}  // namespace quorate::raft::test
