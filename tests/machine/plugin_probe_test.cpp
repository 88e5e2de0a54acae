#include "host/machine/plugin_probe.hpp"

#include "host/machine/plugin_table.hpp"
#include "machine_fixture.hpp"

#include <gtest/gtest.h>

namespace quorate::machine::test {
namespace {

Result<void> probe(const std::string& name, Duration timeout = 60s) {
    std::string file = fixture(name);
    return probe_plugin(as_bytes(file), {.program = PROBE_PROGRAM, .timeout = timeout});
}

TEST(PluginProbe, lets_a_sound_plugin_through) {
    auto probed = probe("probe");
    EXPECT_TRUE(probed.has_value()) << to_string(probed.error());
}

TEST(PluginProbe, refuses_what_ends_the_process) {
    struct Case {
        std::string name;
        std::string how;
    };
    for (const Case& each :
         {Case{"crashes", "signal KILL"}, Case{"crashes_in_create", "signal ABRT"},
          Case{"exits", "exit code 0"}}) {
        auto probed = probe(each.name);
        ASSERT_FALSE(probed.has_value()) << each.name;
        EXPECT_EQ(probed.error().code, Errc::plugin_refused);
        EXPECT_NE(probed.error().what.find("plugin test.misfit"), std::string::npos);
        EXPECT_NE(probed.error().what.find(each.how), std::string::npos) << probed.error().what;
    }
}

TEST(PluginProbe, ends_what_does_not_end) {
    auto probed = probe("hangs", 100ms);
    ASSERT_FALSE(probed.has_value());
    EXPECT_NE(probed.error().what.find("has not ended"), std::string::npos) << probed.error().what;
}

// What loading says better is left to it.
TEST(PluginProbe, leaves_other_faults_to_the_loader) {
    for (const char* name : {"missing_symbol", "declines", "throws_in_create", "outside"}) {
        EXPECT_TRUE(probe(name).has_value()) << name;
    }
}

TEST(PluginProbe, tells_when_its_program_is_gone) {
    std::string file = fixture("probe");
    auto probed = probe_plugin(as_bytes(file), {.program = "/nowhere/quorated"});
    ASSERT_FALSE(probed.has_value());
    EXPECT_EQ(probed.error().code, Errc::io);
}

TEST(PluginProbe, keeps_a_refused_plugin_out_of_the_store) {
    TemporaryDirectory directory;
    auto store = PluginStore::open(directory.path()).value();
    PluginTable table(*store, {.name = "test", .version = "1"}, [](ByteView file) {
        return probe_plugin(file, {.program = PROBE_PROGRAM, .timeout = 60s});
    });
    std::string crashes = fixture("crashes");
    EXPECT_EQ(table.install(as_bytes(crashes)).error().code, Errc::plugin_refused);
    EXPECT_TRUE(store->list().empty());
    std::string sound = fixture("probe");
    EXPECT_TRUE(table.install(as_bytes(sound)).has_value());
}

}  // namespace
}  // namespace quorate::machine::test
