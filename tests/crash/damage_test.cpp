#include "tests/crash/damage_fixture.hpp"

namespace quorate::testing {
namespace {

TEST_F(Damage, of_one_flipped_bit_in_each_file_in_turn_is_found_said_and_repaired) {
    harm_each(Harm::flipped_bit);
    check();
}

}  // namespace
}  // namespace quorate::testing
