#include <gtest/gtest.h>

#include <dlfcn.h>
#include <fstream>
#include <iterator>
#include <quorate/aux.h>
#include <quorate/plugin.h>
#include <quorate/testkit_checks.hpp>

QR_DECLARE_STATIC_PLUGIN(tally);
QR_DECLARE_STATIC_PLUGIN(demo_counter);

namespace {

using quorate::testkit::Instance;
using quorate::testkit::Refused;

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

// The entry of a shared library; the handle stays open, as in a host.
qr_plugin_entry open_plugin(const char* path) {
    void* handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    EXPECT_NE(handle, nullptr) << dlerror();
    if (handle == nullptr) return nullptr;
    return reinterpret_cast<qr_plugin_entry>(dlsym(handle, QR_PLUGIN_ENTRY_SYMBOL));
}

TEST(Abi, effect_records_are_flat_and_padded_to_eight_bytes) {
    EXPECT_EQ(qr_effect_size(0, 0), 48u);
    EXPECT_EQ(qr_effect_size(1, 0), 56u);
    EXPECT_EQ(qr_effect_size(5, 3), 56u);
    EXPECT_EQ(qr_effect_size(5, 4), 64u);
}

TEST(Abi, entries_are_found_by_stride_so_a_later_host_may_have_larger_ones) {
    struct Larger {
        qr_entry entry;
        std::uint64_t news[3];
    };
    Larger entries[3] = {};
    for (std::uint64_t i = 0; i < 3; ++i) {
        entries[i].entry.index = 10 + i;
        std::fill(std::begin(entries[i].news), std::end(entries[i].news), ~std::uint64_t{0});
    }
    qr_batch batch{sizeof(qr_batch), sizeof(Larger), 3, 1, entries, 1};
    std::uint64_t expected = 10;
    for (quorate::Command command : quorate::Batch(batch)) EXPECT_EQ(command.index(), expected++);
    EXPECT_EQ(expected, 13u);
}

TEST(Abi, a_plugin_in_plain_c_runs_statically_and_as_a_library) {
    for (qr_plugin_entry entry : {QR_STATIC_ENTRY(tally), open_plugin(QUORATE_TALLY_SO)}) {
        ASSERT_NE(entry, nullptr);
        Instance tally(entry);
        EXPECT_EQ(tally.submit("\1\2\3").as<std::uint64_t>(), 6u);
        EXPECT_EQ(tally.submit("\4").as<std::uint64_t>(), 10u);
        Instance restored(entry);
        restored.restore(tally.snapshot());
        EXPECT_EQ(quorate::Decoder(restored.query("")).get<std::uint64_t>(), 2u);
        EXPECT_THROW(restored.query("what"), Refused);
        EXPECT_THROW(Instance(entry).restore("short"), Refused);
    }
}

TEST(Abi, an_entry_returns_the_same_tables_each_time) {
    qr_error error{};
    EXPECT_EQ(QR_STATIC_ENTRY(tally)(nullptr, &error), QR_STATIC_ENTRY(tally)(nullptr, &error));
    EXPECT_EQ(QR_STATIC_ENTRY(demo_counter)(nullptr, &error),
              QR_STATIC_ENTRY(demo_counter)(nullptr, &error));
}

TEST(Abi, a_cpp_plugin_declines_a_host_of_another_major_version_and_says_so) {
    qr_host host{};
    host.size = sizeof host;
    host.abi = (QR_ABI_MAJOR + 1) << 16;
    qr_error error{};
    EXPECT_EQ(QR_STATIC_ENTRY(demo_counter)(&host, &error), nullptr);
    EXPECT_STREQ(error.text, "the host speaks another major version of the plugin ABI");
}

TEST(Manifest, stands_in_the_file_as_plain_json) {
    std::string c = read_file(QUORATE_TALLY_SO);
    EXPECT_NE(c.find(R"({"id":"demo.tally","version":"1.0.0")"), std::string::npos);
    std::string cpp = read_file(QUORATE_COUNTER_SO);
    std::string owner("\x01\0\0\0Quorate\0{\"id\":", 18);
    EXPECT_NE(cpp.find(owner), std::string::npos) << "note head, then the JSON at once";
    EXPECT_NE(cpp.find(R"("machines":[{"name":"counter","kind":"memory","versions":[1,1]}])"),
              std::string::npos);
}

TEST(Guide, the_counter_in_the_guide_is_the_sample_and_has_fifteen_lines_at_most) {
    std::string sample = read_file(QUORATE_SOURCE_DIR "/samples/counter/counter.cpp");
    ASSERT_FALSE(sample.empty());
    EXPECT_LE(std::count(sample.begin(), sample.end(), '\n'), 15);
    std::string guide = read_file(QUORATE_SOURCE_DIR "/docs/guides/write-a-plugin.md");
    EXPECT_NE(guide.find("```cpp\n" + sample + "```"), std::string::npos)
        << "docs/guides/write-a-plugin.md must show samples/counter/counter.cpp as it is";
}

TEST(Guide, the_counter_counts_statically_and_as_a_library) {
    for (qr_plugin_entry entry : {QR_STATIC_ENTRY(demo_counter), open_plugin(QUORATE_COUNTER_SO)}) {
        ASSERT_NE(entry, nullptr);
        quorate::Encoder five;
        five.put(std::int64_t{5});
        Instance counter(entry);
        EXPECT_EQ(counter.submit(five.bytes()).as<std::int64_t>(), 5);
        EXPECT_EQ(counter.submit(five.bytes()).as<std::int64_t>(), 10);
        std::vector<std::string> commands(100, std::string(five.bytes()));
        EXPECT_EQ(quorate::testkit::check_all(entry, commands, 7), "");
    }
}

}  // namespace
