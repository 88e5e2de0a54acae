#include "tests/crash/damage_fixture.hpp"

namespace quorate::testing {
namespace {

bool any(const std::string& /*label*/) {
    return true;
}

TEST_F(Damage, one_flipped_bit_in_each_file_in_turn_is_found_said_and_repaired) {
    harm_each(Harm::flipped_bit, any);
    check();
}

TEST_F(Damage, each_file_cut_short_in_turn_is_found_said_and_repaired) {
    harm_each(Harm::cut_short, any);
    check();
}

TEST_F(Damage, each_file_of_the_log_removed_in_turn_is_found_said_and_repaired) {
    harm_each(Harm::removed, [](const std::string& label) { return label.starts_with("log/"); });
    check();
}

}  // namespace
}  // namespace quorate::testing
