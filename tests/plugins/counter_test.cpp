#include <gtest/gtest.h>

#include <limits>
#include <quorate/testkit_checks.hpp>

QR_DECLARE_STATIC_PLUGIN(counter);

namespace {

using quorate::testkit::Instance;
using quorate::testkit::Refused;

constexpr qr_plugin_entry counter = QR_STATIC_ENTRY(counter);

std::string add(std::int64_t number) {
    quorate::Encoder out;
    out.put(number);
    return out.take();
}

TEST(Counter, adds_and_replies_with_the_new_value) {
    Instance machine(counter);
    EXPECT_EQ(machine.submit(add(5)).as<std::int64_t>(), 5);
    EXPECT_EQ(machine.submit(add(-7)).as<std::int64_t>(), -2);
    EXPECT_EQ(machine.overview(), "{\"value\":-2}");
}

TEST(Counter, wraps_around_where_a_sum_does_not_fit) {
    Instance machine(counter);
    machine.submit(add(std::numeric_limits<std::int64_t>::max()));
    EXPECT_EQ(machine.submit(add(1)).as<std::int64_t>(), std::numeric_limits<std::int64_t>::min());
}

TEST(Counter, speaks_words) {
    Instance machine(counter);
    EXPECT_EQ(machine.submit_words({"add", "41"}), "41");
    EXPECT_EQ(machine.submit_words({"add", "-1"}), "40");
    EXPECT_EQ(machine.query_words({"get"}), "40");
    for (std::vector<std::string_view> words : {std::vector<std::string_view>{},
                                                {"add"},
                                                {"add", "x"},
                                                {"add", "1", "2"},
                                                {"sub", "1"},
                                                {"add", "9223372036854775808"},
                                                {"add", "1 "}}) {
        EXPECT_THROW(machine.submit_words(words), Refused);
    }
    EXPECT_THROW(machine.query_words({"put"}), Refused);
}

TEST(Counter, rejects_what_is_no_number) {
    Instance machine(counter);
    EXPECT_EQ(machine.submit("four").rejection().code, quorate::rejected_malformed);
    EXPECT_EQ(machine.submit(add(1) + "x").rejection().code, quorate::rejected_malformed);
    EXPECT_EQ(machine.query_words({"get"}), "0");
}

TEST(Counter, passes_the_checks_of_the_test_kit) {
    std::vector<std::string> commands;
    for (std::int64_t i = 0; i < 1000; ++i) commands.push_back(add(i * i - 500));
    EXPECT_EQ(quorate::testkit::check_all(counter, commands, 21), "");
}

}  // namespace
