#include "tests/crash/damage_fixture.hpp"

namespace quorate::testing {
namespace {

TEST_F(Damage, of_each_file_cut_short_in_turn_is_found_said_and_repaired) {
    harm_each(Harm::cut_short);
    check();
}

TEST_F(Damage, of_each_file_removed_in_turn_is_found_said_and_repaired) {
    harm_each(Harm::removed);
    check();
}

}  // namespace
}  // namespace quorate::testing
