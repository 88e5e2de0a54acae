#include "tests/crash/kill_fixture.hpp"

#include <algorithm>
#include <numeric>

// Hosts killed with -9 at random moments under load, again and again: what was acknowledged is
// there, once, and all members agree.
namespace quorate::testing {
namespace {

Duration between(Random& random, Duration low, Duration high) {
    auto range = std::uniform_int_distribution<std::int64_t>(low.count(), high.count());
    return Duration(range(random));
}

// Mostly one host, in turn, so that each is met; sometimes two, sometimes all.
std::vector<std::size_t> victims(Random& random, std::size_t round, std::size_t hosts) {
    std::vector<std::size_t> all(hosts);
    std::iota(all.begin(), all.end(), 0);
    std::rotate(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(round % hosts), all.end());
    std::size_t die = random() % 8;
    std::size_t count = die == 0 ? 3 : die <= 2 ? 2 : 1;
    all.resize(std::min(count, hosts));
    return all;
}

class KillRounds : public Kill, public ::testing::WithParamInterface<int> {
 protected:
    // Recovery may be cut short as well, and again finds whatever it left.
    void die_while_starting(Random& random, const std::vector<std::size_t>& hosts) {
        for (std::size_t at : hosts) cluster_.launch(at);
        std::this_thread::sleep_for(between(random, 0ms, 60ms));
        cluster_.kill(hosts);
    }
    // Kills, lets the others go on if they can, and starts again.
    void round(Random& random, std::size_t number) {
        auto dead = victims(random, number, cluster_.size());
        std::this_thread::sleep_for(between(random, 20ms, 400ms));
        cluster_.kill(dead);
        if (dead.size() == 1) both_go_on();
        std::this_thread::sleep_for(between(random, 0ms, 200ms));
        if (random() % 4 == 0) die_while_starting(random, dead);
        cluster_.start(dead);
        both_go_on();
    }
};

// The fast set has 6 rounds, each host twice; the slow set 40.
TEST_P(KillRounds, lose_nothing_that_was_acknowledged_and_apply_nothing_twice) {
    Random random(seed_of_run());
    for (int i = 0; i < GetParam(); ++i) {
        SCOPED_TRACE("round " + std::to_string(i));
        round(random, static_cast<std::size_t>(i));
    }
    check();
}
INSTANTIATE_TEST_SUITE_P(Rounds, KillRounds, ::testing::Values(KILL_ROUNDS),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace quorate::testing
