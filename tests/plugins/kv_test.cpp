#include "plugins/kv/protocol.hpp"

#include <gtest/gtest.h>

#include <map>
#include <quorate/testkit_checks.hpp>
#include <random>
#include <thread>

QR_DECLARE_STATIC_PLUGIN(kv);

namespace {

namespace kv = quorate::kv;
using quorate::testkit::Instance;
using quorate::testkit::Refused;
using Model = std::map<std::string, std::string>;

constexpr qr_plugin_entry entry = QR_STATIC_ENTRY(kv);

std::string random_key(std::mt19937_64& random) {
    return "k" + std::to_string(random() % 300);
}
std::string random_value(std::mt19937_64& random) {
    return std::string(random() % 40, 'v');
}

kv::Value held(const Model& model, const std::string& key) {
    auto found = model.find(key);
    return found == model.end() ? kv::Value() : kv::Value(found->second);
}
void set(Model& model, const std::string& key, kv::Value value) {
    if (value)
        model[key] = *value;
    else
        model.erase(key);
}

void put_both(Instance& machine, Model& model, std::mt19937_64& random) {
    std::string key = random_key(random);
    std::string value = random_value(random);
    kv::Tag expected = model.contains(key) ? kv::Tag::replaced : kv::Tag::created;
    ASSERT_EQ(kv::tag_of(machine.submit(kv::put(key, value)).reply), expected);
    model[key] = value;
}
void erase_both(Instance& machine, Model& model, std::mt19937_64& random) {
    std::string key = random_key(random);
    kv::Tag expected = model.erase(key) == 1 ? kv::Tag::erased : kv::Tag::absent;
    ASSERT_EQ(kv::tag_of(machine.submit(kv::erase(key)).reply), expected);
}
// Half of the time with what the key holds, and now and then for or to nothing.
void cas_both(Instance& machine, Model& model, std::mt19937_64& random) {
    std::string key = random_key(random);
    std::string guess = random_value(random);
    std::string next = random_value(random);
    std::string now = held(model, key) ? std::string(*held(model, key)) : "";
    kv::Value expected = random() % 3 == 0 ? kv::Value() : kv::Value(guess);
    if (random() % 2 == 0) expected = held(model, key) ? kv::Value(now) : kv::Value();
    kv::Value desired = random() % 4 == 0 ? kv::Value() : kv::Value(next);
    std::string reply = machine.submit(kv::cas({key, expected, desired})).reply;
    kv::CasReply parsed = kv::parse_cas(reply);
    if (expected == held(model, key)) {
        ASSERT_EQ(parsed.swapped, kv::Swapped::yes);
        set(model, key, desired);
    } else {
        ASSERT_EQ(parsed.swapped, kv::Swapped::no);
        ASSERT_EQ(parsed.actual, held(model, key));
    }
}

void expect_equal_answers(const Instance& machine, const Model& model, std::mt19937_64& random) {
    std::string key = random_key(random);
    std::string got = machine.query(kv::get(key));
    ASSERT_EQ(kv::parse_get(got), held(model, key));

    std::string from = random_key(random);
    std::string to = random() % 3 == 0 ? "" : random_key(random);
    auto limit = static_cast<std::uint32_t>(random() % 50);
    std::vector<std::pair<std::string_view, std::string_view>> rows;
    std::size_t inside = 0;
    for (auto row = model.lower_bound(from); row != model.end() && (to.empty() || row->first < to);
         ++row) {
        if (++inside <= limit) rows.emplace_back(row->first, row->second);
    }
    std::string range = machine.query(kv::range({from, to, limit}));
    kv::RangeReply parsed = kv::parse_range(range);
    ASSERT_EQ(parsed.rows, rows);
    ASSERT_EQ(parsed.more, inside > limit ? 1 : 0);
    ASSERT_EQ(kv::parse_count(machine.query(kv::count(from, to))), inside);
}

TEST(Kv, does_what_a_map_does) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        std::mt19937_64 random(seed);
        Instance machine(entry);
        Model model;
        for (int i = 0; i < 3000; ++i) {
            switch (random() % 4) {
                case 0:
                    erase_both(machine, model, random);
                    break;
                case 1:
                    cas_both(machine, model, random);
                    break;
                default:
                    put_both(machine, model, random);
                    break;
            }
            if (i % 10 == 0) expect_equal_answers(machine, model, random);
            if (HasFatalFailure()) return;
        }
        std::size_t bytes = 0;
        for (const auto& [key, value] : model) bytes += key.size() + value.size();
        EXPECT_EQ(machine.overview(), "{\"keys\":" + std::to_string(model.size()) +
                                          ",\"bytes\":" + std::to_string(bytes) + "}");
    }
}

std::vector<std::string> some_commands(std::uint64_t seed, int count) {
    std::mt19937_64 random(seed);
    std::vector<std::string> commands;
    for (int i = 0; i < count; ++i) {
        std::string key = random_key(random);
        std::string value = random_value(random);
        switch (random() % 4) {
            case 0:
                commands.push_back(kv::erase(key));
                break;
            case 1:
                commands.push_back(kv::cas({key, std::nullopt, value}));
                break;
            default:
                commands.push_back(kv::put(key, value));
                break;
        }
    }
    return commands;
}

TEST(Kv, passes_the_checks_of_the_test_kit) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        EXPECT_EQ(quorate::testkit::check_all(entry, some_commands(seed, 2000), seed), "");
    }
}

TEST(Kv, a_snapshot_depends_on_the_content_and_not_on_its_history) {
    std::vector<int> order(2000);
    for (int i = 0; i < 2000; ++i) order[static_cast<std::size_t>(i)] = i;
    Instance rising(entry);
    for (int i : order) rising.submit(kv::put("key" + std::to_string(i), std::to_string(i)));

    std::mt19937_64 random(5);
    std::shuffle(order.begin(), order.end(), random);
    Instance shuffled(entry);
    for (int i : order) {
        shuffled.submit(kv::put("gone" + std::to_string(i), "x"));
        shuffled.submit(kv::put("key" + std::to_string(i), "first"));
    }
    for (int i : order) {
        shuffled.submit(kv::erase("gone" + std::to_string(i)));
        shuffled.submit(kv::put("key" + std::to_string(i), std::to_string(i)));
    }
    EXPECT_EQ(rising.snapshot(), shuffled.snapshot());
    EXPECT_EQ(rising.overview(), shuffled.overview());
}

TEST(Kv, a_view_is_saved_as_it_was_while_apply_goes_on) {
    Instance machine(entry);
    for (const std::string& command : some_commands(1, 3000)) machine.submit(command);
    const std::string before = machine.snapshot();
    quorate::testkit::View view = machine.view();
    std::string saved;
    std::thread background([&] { saved = view.save(); });
    for (const std::string& command : some_commands(2, 3000)) machine.submit(command);
    background.join();
    EXPECT_EQ(saved, before);
    EXPECT_EQ(view.save(), before);
    EXPECT_NE(machine.snapshot(), before);
}

TEST(Kv, rejects_by_a_reply_and_changes_nothing) {
    Instance machine(entry);
    machine.submit(kv::put("a", "1"));
    const std::string before = machine.snapshot();
    std::string long_key(kv::key_size_max + 1, 'k');
    std::string long_value(kv::value_size_max + 1, 'v');
    const std::pair<std::string, std::int32_t> cases[] = {
        {kv::put("", "1"), kv::rejected_key_size},
        {kv::put(long_key, "1"), kv::rejected_key_size},
        {kv::put("a", long_value), kv::rejected_value_size},
        {kv::cas({"a", "1", long_value}), kv::rejected_value_size},
        {kv::put("a", "2") + "x", quorate::rejected_malformed},
        {kv::get("a"), quorate::rejected_malformed},
        {"", quorate::rejected_malformed},
        {std::string("\1\xFF\xFF\xFF\xFF", 5), quorate::rejected_malformed},
        {std::string("\3\1\0\0\0a\2", 7), quorate::rejected_malformed},
    };
    for (const auto& [command, code] : cases) {
        EXPECT_EQ(machine.submit(command).rejection().code, code);
    }
    EXPECT_EQ(machine.snapshot(), before);
    EXPECT_EQ(kv::parse_get(machine.query(kv::get("a"))), "1");
}

TEST(Kv, refuses_queries_it_does_not_know) {
    Instance machine(entry);
    EXPECT_THROW(machine.query(""), Refused);
    EXPECT_THROW(machine.query(kv::put("a", "b")), Refused);
    EXPECT_THROW(machine.query(kv::get("a") + "x"), Refused);
}

TEST(Kv, a_range_reply_is_bounded_and_says_that_more_follows) {
    Instance machine(entry);
    std::string value(300'000, 'v');
    for (int i = 0; i < 10; ++i) machine.submit(kv::put("k" + std::to_string(i), value));
    std::string reply = machine.query(kv::range({"", ""}));
    kv::RangeReply parsed = kv::parse_range(reply);
    EXPECT_EQ(parsed.rows.size(), 4u);
    EXPECT_EQ(parsed.more, 1);
}

TEST(Kv, speaks_words) {
    Instance machine(entry);
    EXPECT_EQ(machine.submit_words({"put", "a", "1"}), "created");
    EXPECT_EQ(machine.submit_words({"put", "a", "2"}), "replaced");
    EXPECT_EQ(machine.query_words({"get", "a"}), "2");
    EXPECT_EQ(machine.query_words({"get", "b"}), "(absent)");
    EXPECT_EQ(machine.submit_words({"cas", "a", "1", "3"}), "mismatch: it holds 2");
    EXPECT_EQ(machine.submit_words({"cas", "b", "1", "3"}), "mismatch: it is absent");
    EXPECT_EQ(machine.submit_words({"cas", "a", "2", "3"}), "swapped");
    EXPECT_EQ(machine.submit_words({"create", "b", "x"}), "swapped");
    EXPECT_EQ(machine.submit_words({"create", "b", "x"}), "mismatch: it holds x");
    EXPECT_EQ(machine.query_words({"range"}), "a\t3\nb\tx");
    EXPECT_EQ(machine.query_words({"range", "-", "b"}), "a\t3");
    EXPECT_EQ(machine.query_words({"range", "-", "-", "1"}), "a\t3\n...");
    EXPECT_EQ(machine.query_words({"range", "c"}), "(empty)");
    EXPECT_EQ(machine.query_words({"count"}), "2");
    EXPECT_EQ(machine.query_words({"count", "b"}), "1");
    EXPECT_EQ(machine.submit_words({"cad", "b", "x"}), "swapped");
    EXPECT_EQ(machine.submit_words({"delete", "a"}), "deleted");
    EXPECT_EQ(machine.submit_words({"delete", "a"}), "(absent)");
    EXPECT_EQ(machine.submit_words({"put", "", "1"}), "rejected (1): a key has 1 to 1024 bytes");
    EXPECT_THROW(machine.submit_words({"put", "a"}), Refused);
    EXPECT_THROW(machine.query_words({"range", "a", "b", "many"}), Refused);
}

}  // namespace
