#include "plugins/bench/protocol.hpp"

#include <gtest/gtest.h>

#include <quorate/testkit_checks.hpp>

QR_DECLARE_STATIC_PLUGIN(bench);

namespace quorate::bench {
namespace {

using quorate::testkit::Instance;
using quorate::testkit::Refused;

constexpr qr_plugin_entry machine_entry = QR_STATIC_ENTRY(bench);

std::string command(std::uint32_t writer, std::uint64_t number, std::size_t bytes = 64) {
    std::string made(bytes, 'x');
    write_command(made.data(), writer, number);
    return made;
}

Accounts accounts_of(Instance& machine) {
    return parse_accounts(machine.query(ask_accounts()));
}

TEST(BenchMachine, remembers_what_was_applied_of_each_writer) {
    Instance machine(machine_entry);
    EXPECT_EQ(machine.submit(command(1, 10)).as<std::uint64_t>(), 1u);
    EXPECT_EQ(machine.submit(command(1, 11)).as<std::uint64_t>(), 2u);
    EXPECT_EQ(machine.submit(command(2, 10)).as<std::uint64_t>(), 1u);
    Account first;
    first.add(11);
    first.add(10);
    Accounts held = accounts_of(machine);
    EXPECT_EQ(held.size(), 2u);
    EXPECT_EQ(held[1], first);
    EXPECT_EQ(held[2].count, 1u);
}

TEST(BenchMachine, answers_with_the_last_value_of_a_slot) {
    Instance machine(machine_entry);
    machine.submit(command(1, 7, 100));
    machine.submit(command(1, 7 + slots, 200));
    EXPECT_EQ(machine.query(ask_slot(7)), command(1, 7 + slots, 200));
    EXPECT_EQ(machine.query(ask_slot(8)), "");
}

TEST(BenchMachine, is_restored_from_its_snapshot) {
    Instance machine(machine_entry);
    for (std::uint64_t number = 0; number < 3000; ++number) machine.submit(command(1, number));
    Instance restored(machine_entry);
    restored.restore(machine.snapshot());
    EXPECT_EQ(accounts_of(restored), accounts_of(machine));
    EXPECT_EQ(restored.query(ask_slot(5)), machine.query(ask_slot(5)));
}

TEST(BenchMachine, refuses_what_is_no_command_of_its_own) {
    Instance machine(machine_entry);
    EXPECT_EQ(machine.submit("short").rejection().code, quorate::rejected_malformed);
    EXPECT_THROW(machine.query("?"), Refused);
}

}  // namespace
}  // namespace quorate::bench
