// The checks of the test kit find what they are for: one machine per kind of mistake.
#define QUORATE_STATIC faulty
#include <gtest/gtest.h>

#include <quorate/machine.hpp>
#include <quorate/testkit_checks.hpp>
#include <unordered_set>

namespace {

namespace testkit = quorate::testkit;

struct ForgetsAField {
    static constexpr const char* name = "forgets";
    std::uint64_t saved = 0;
    std::uint64_t forgotten = 0;
    void apply(quorate::Command, quorate::Effects& fx) {
        ++saved;
        fx.reply(++forgotten);
    }
    void save(quorate::Writer out) const { out.put(saved); }
    void load(quorate::Reader in, std::uint32_t) { saved = in.get<std::uint64_t>(); }
};

struct CountsBatches {
    static constexpr const char* name = "batches";
    std::uint64_t batches = 0;
    void apply_batch(quorate::Batch batch, quorate::Effects& fx) {
        ++batches;
        for (quorate::Command command : batch) fx.at(command).reply(batches);
    }
    void save(quorate::Writer out) const { out.put(batches); }
    void load(quorate::Reader in, std::uint32_t) { batches = in.get<std::uint64_t>(); }
};

struct HashOrdered {
    static constexpr const char* name = "hashed";
    std::unordered_set<std::string> words;
    void apply(quorate::Command c, quorate::Effects&) { words.emplace(c.bytes()); }
    void save(quorate::Writer out) const {
        out.put(static_cast<std::uint64_t>(words.size()));
        for (const std::string& word : words) out.put_string(word);
    }
    void load(quorate::Reader in, std::uint32_t) {
        for (auto left = in.get<std::uint64_t>(); left > 0; --left) words.insert(in.get_string());
    }
};

struct TrustsItsClients {
    static constexpr const char* name = "trusting";
    std::string text = "0123456789";
    void apply(quorate::Command c, quorate::Effects&) {
        text.at(static_cast<std::size_t>(c.bytes().empty() ? 0 : c.bytes()[0] & 0xFF)) = '-';
    }
    void save(quorate::Writer out) const { out.put_string(text); }
    void load(quorate::Reader in, std::uint32_t) { text = in.get_string(); }
};

}  // namespace

QUORATE_PLUGIN_OF("test.faulty", "1.0.0", ForgetsAField, CountsBatches, HashOrdered,
                  TrustsItsClients);

namespace {

// An entry that offers only one of the machines, as a plugin of its own.
template <std::uint32_t machine>
const qr_plugin* only(const qr_host* host, qr_error* error) {
    static qr_plugin plugin = *QR_STATIC_ENTRY(faulty)(host, error);
    plugin.machine_count = 1;
    plugin.machines = QR_STATIC_ENTRY(faulty)(host, error)->machines + machine;
    return &plugin;
}

std::vector<std::string> words(int count) {
    std::vector<std::string> list;
    for (int i = 0; i < count; ++i) list.push_back("word " + std::to_string(i * 7919));
    return list;
}

TEST(TestKit, finds_a_field_that_the_snapshot_forgets) {
    EXPECT_EQ(testkit::check_save_load_save(only<0>, words(100)), "");
    EXPECT_NE(testkit::check_restore_midway(only<0>, words(100), 3), "");
}

TEST(TestKit, finds_an_outcome_that_depends_on_the_batch) {
    EXPECT_NE(testkit::check_batch_split(only<1>, words(100), 3), "");
    EXPECT_EQ(testkit::check_batch_split(only<0>, words(100), 3), "");
}

TEST(TestKit, finds_the_order_of_a_hashed_container_in_a_snapshot) {
    EXPECT_NE(testkit::check_save_load_save(only<2>, words(500)), "");
}

TEST(TestKit, finds_a_fault_that_a_client_can_cause) {
    EXPECT_NE(testkit::check_random_commands(only<3>, 3), "");
}

TEST(TestKit, a_machine_is_found_by_name) {
    EXPECT_STREQ(testkit::Instance(QR_STATIC_ENTRY(faulty), {.machine = "hashed"}).type().name,
                 "hashed");
    EXPECT_THROW(testkit::Instance(QR_STATIC_ENTRY(faulty), {.machine = "none"}),
                 std::invalid_argument);
}

}  // namespace
