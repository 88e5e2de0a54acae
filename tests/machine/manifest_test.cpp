#include "host/machine/manifest.hpp"

#include "host/machine/plugin_record.hpp"

#include <gtest/gtest.h>

namespace quorate::machine {
namespace {

const std::string good = R"({"id":"test.kv","version":"1.2.3+x","abi":65536,"future":{"a":[1]},
    "machines":[{"name":"kv","kind":"memory","versions":[1,4],"commands":["put KEY VALUE"]}]})";

std::string with(const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return text;
}

TEST(Manifest, is_read_and_members_it_does_not_know_are_ignored) {
    auto manifest = parse_manifest(good);
    ASSERT_TRUE(manifest.has_value()) << to_string(manifest.error());
    EXPECT_EQ(title(*manifest), "test.kv 1.2.3+x");
    EXPECT_EQ(manifest->abi, 65536U);
    const MachineManifest* kv = find_machine(*manifest, "kv");
    ASSERT_NE(kv, nullptr);
    EXPECT_EQ(kv->version_min, 1U);
    EXPECT_EQ(kv->version_max, 4U);
    EXPECT_EQ(kv->commands, std::vector<std::string>{"put KEY VALUE"});
    EXPECT_TRUE(kv->queries.empty());
    EXPECT_EQ(find_machine(*manifest, "other"), nullptr);
}

TEST(Manifest, that_is_malformed_is_refused_with_the_member_named) {
    const std::pair<std::string, std::string> cases[] = {
        {"", "JSON"},
        {"{", "JSON"},
        {"[]", "object"},
        {std::string(64, '['), "JSON"},
        {"{\"id\":\"\xff\"}", "JSON"},
        {with("\"test.kv\"", "7"), "\"id\""},
        {with("test.kv", "has space"), "\"id\""},
        {with("test.kv", std::string(129, 'a')), "\"id\""},
        {with("1.2.3+x", ""), "\"version\""},
        {with("65536", "\"one\""), "\"abi\""},
        {with("65536", "-1"), "\"abi\""},
        {with("65536", "1e30"), "\"abi\""},
        {with("memory", "magnetic"), "\"kind\""},
        {with("[1,4]", "[4,1]"), "\"versions\""},
        {with("[1,4]", "[1]"), "\"versions\""},
        {with("[1,4]", "[1,4294967296]"), "\"versions\""},
        {with("\"put KEY VALUE\"", "17"), "\"commands\""},
        {with("\"kv\"", "\"../kv\""), "\"name\""},
        {R"({"id":"a","version":"1","abi":65536,"machines":[]})", "\"machines\""},
        {R"({"id":"a","version":"1","abi":65536})", "\"machines\""},
        {R"({"id":"a","version":"1","abi":65536,"machines":[3]})", "\"machines\""},
    };
    for (const auto& [text, named] : cases) {
        auto manifest = parse_manifest(text);
        ASSERT_FALSE(manifest.has_value()) << text;
        EXPECT_EQ(manifest.error().code, Errc::plugin_not_a_plugin) << text;
        EXPECT_NE(manifest.error().what.find(named), std::string::npos) << text << "\n"
                                                                        << manifest.error().what;
    }
}

TEST(Manifest, with_two_machines_of_one_name_is_refused) {
    std::string machine = R"({"name":"m","kind":"memory","versions":[1,1]})";
    std::string text =
        R"({"id":"a","version":"1","abi":65536,"machines":[)" + machine + "," + machine + "]}";
    EXPECT_FALSE(parse_manifest(text).has_value());
}

TEST(Manifest, survives_being_written_and_read) {
    Manifest manifest = parse_manifest(good).value();
    Manifest again = parse_manifest(write_manifest(manifest)).value();
    again.json = manifest.json;
    EXPECT_EQ(again, manifest);
}

PluginRecord record(const std::string& id, const std::string& version, char digit,
                    std::uint64_t installed) {
    PluginRecord made{.build = std::string(64, digit), .installed = installed};
    made.manifest.id = id;
    made.manifest.version = version;
    return made;
}

TEST(PluginRecord, survives_being_written_and_read) {
    PluginRecord made{.build = std::string(64, 'a'),
                      .manifest = parse_manifest(good).value(),
                      .bytes = 1234,
                      .installed = 7};
    EXPECT_EQ(decode_record(encode(made)).value(), made);
}

TEST(PluginRecord, with_any_bit_flipped_is_corrupt) {
    std::string text = encode({.build = std::string(64, 'a'),
                               .manifest = parse_manifest(good).value(),
                               .bytes = 1,
                               .installed = 1});
    for (std::size_t bit = 0; bit < text.size() * 8; ++bit) {
        std::string damaged = text;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
        ASSERT_EQ(decode_record(damaged).error().code, Errc::corrupt) << "bit " << bit;
    }
    EXPECT_FALSE(decode_record("").has_value());
}

TEST(PluginRecord, is_found_by_id_version_and_digits) {
    PluginRecord one = record("test.kv", "1.0", 'a', 1);
    PluginRecord two = record("test.kv", "2.0", 'b', 2);
    PluginRecord old = record("test.kv", "2.0", 'c', 0);
    PluginRecord hex = record("abcdef", "1", 'd', 3);
    PluginRecord twin = record("test.twin", "1", 'd', 4);
    twin.build.back() = 'e';
    std::vector<const PluginRecord*> all = {&two, &one, &old, &hex, &twin};
    auto build = [&all](std::string_view what) { return find_plugin(all, what).value()->build; };
    EXPECT_EQ(build("test.kv"), two.build);
    EXPECT_EQ(build("test.kv@1.0"), one.build);
    EXPECT_EQ(build("test.kv@2.0"), two.build);
    EXPECT_EQ(build("cccccc"), old.build);
    EXPECT_EQ(build("sha256:cc"), old.build);
    EXPECT_EQ(build("abcdef"), hex.build) << "an id before digits";
    EXPECT_EQ(find_plugin(all, "test.none").error().code, Errc::plugin_not_found);
    EXPECT_EQ(find_plugin(all, "test.kv@3.0").error().code, Errc::plugin_not_found);
    EXPECT_EQ(find_plugin(all, "ccccc").error().code, Errc::plugin_not_found) << "too few digits";
    EXPECT_EQ(find_plugin(all, "ffffff").error().code, Errc::plugin_not_found);
    EXPECT_EQ(find_plugin(all, "dddddd").error().code, Errc::request_invalid);
}

}  // namespace
}  // namespace quorate::machine
