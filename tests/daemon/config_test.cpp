#include "host/daemon/config.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace quorate::daemon {
namespace {

// A configuration file that lives as long as this object.
class ConfigFile {
 public:
    explicit ConfigFile(const std::string& text)
        : path_(testing::TempDir() + "host-" + std::to_string(::getpid()) + "-" +
                testing::UnitTest::GetInstance()->current_test_info()->name() + ".toml") {
        std::ofstream(path_) << text;
    }
    ~ConfigFile() { std::filesystem::remove(path_); }
    const std::string& path() const { return path_; }

 private:
    std::string path_;
};

constexpr const char* smallest = "[host]\nname = \"h1\"\ndata_dir = \"/data\"\n";

Error error_of(const ConfigSources& sources) {
    auto loaded = load_config(sources);
    EXPECT_FALSE(loaded.has_value());
    return loaded.has_value() ? fail(Errc::internal, "no error") : loaded.error();
}

TEST(Config, smallest_file_takes_the_defaults) {
    ConfigFile file(smallest);
    auto loaded = load_config({.file = file.path()});
    ASSERT_TRUE(loaded.has_value()) << to_string(loaded.error());
    EXPECT_EQ(loaded->config.host_name, "h1");
    EXPECT_EQ(loaded->config.election_timeout, 500ms);
    EXPECT_TRUE(loaded->warnings.empty());
}

TEST(Config, flags_override_environment_overrides_file_overrides_defaults) {
    ConfigFile file(std::string(smallest) +
                    "[raft]\nelection_timeout = \"3s\"\nheartbeat_interval = \"30ms\"\n"
                    "max_append_entries = 7\n");
    auto loaded = load_config({.file = file.path(),
                               .environment = {{"QUORATE_RAFT__ELECTION_TIMEOUT", "4s"},
                                               {"QUORATE_RAFT__HEARTBEAT_INTERVAL", "40ms"}},
                               .settings = {"raft.election_timeout=5s"}});
    ASSERT_TRUE(loaded.has_value()) << to_string(loaded.error());
    EXPECT_EQ(loaded->config.election_timeout, 5s);
    EXPECT_EQ(loaded->config.heartbeat_interval, 40ms);
    EXPECT_EQ(loaded->config.max_append_entries, 7u);
}

TEST(Config, a_typo_names_its_line_and_column_and_what_was_meant) {
    ConfigFile file(std::string(smallest) + "[raft]\nelection_timeuot = \"3s\"\n");
    Error error = error_of({.file = file.path()});
    EXPECT_EQ(error.code, Errc::config_invalid);
    EXPECT_NE(error.what.find(":5:1"), std::string::npos) << error.what;
    EXPECT_NE(error.what.find("did you mean 'raft.election_timeout'"), std::string::npos)
        << error.what;
}

TEST(Config, a_section_that_is_not_one_is_an_error) {
    ConfigFile file(std::string(smallest) + "[rafft]\nx = 1\n");
    EXPECT_NE(error_of({.file = file.path()}).what.find(":4:2"), std::string::npos);
}

TEST(Config, broken_toml_names_its_line) {
    ConfigFile file(std::string(smallest) + "[raft\n");
    Error error = error_of({.file = file.path()});
    EXPECT_EQ(error.code, Errc::config_invalid);
    EXPECT_NE(error.what.find(":4:"), std::string::npos) << error.what;
}

TEST(Config, a_file_that_is_no_configuration_at_all_is_refused_by_its_size) {
    std::string key = "a";
    for (int i = 0; i < 50'000; ++i) key += ".a";
    ConfigFile deep(key + " = 1");
    EXPECT_EQ(error_of({.file = deep.path()}).code, Errc::config_unreadable);
}

TEST(Config, a_missing_file_is_unreadable) {
    EXPECT_EQ(error_of({.file = "/nowhere/host.toml"}).code, Errc::config_unreadable);
}

TEST(Config, values_out_of_range_or_without_unit_are_refused_with_the_place) {
    for (const char* setting :
         {"raft.election_timeout=1", "raft.election_timeout=1ms", "wal.file_size=12",
          "host.shards=x", "listen.client=nowhere", "listen.client=a:99999", "log.level=loud",
          "host.dev=maybe", "raft.election_timeout", "no.such=1"}) {
        ConfigFile file(smallest);
        Error error = error_of({.file = file.path(), .settings = {setting}});
        EXPECT_EQ(error.code, Errc::config_invalid) << setting;
        EXPECT_NE(error.what.find("--set"), std::string::npos) << error.what;
    }
}

TEST(Config, name_and_directory_are_required) {
    EXPECT_NE(error_of({.settings = {"host.data_dir=/d"}}).what.find("host.name"),
              std::string::npos);
    EXPECT_NE(error_of({.settings = {"host.name=h"}}).what.find("host.data_dir"),
              std::string::npos);
    EXPECT_EQ(error_of({.settings = {"host.name=a/b", "host.data_dir=/d"}}).code,
              Errc::config_invalid);
}

TEST(Config, an_election_timeout_below_two_heartbeats_is_refused_and_below_five_warned_of) {
    ConfigSources sources{.settings = {"host.name=h", "host.data_dir=/d",
                                       "raft.heartbeat_interval=100ms",
                                       "raft.election_timeout=199ms"}};
    EXPECT_EQ(error_of(sources).code, Errc::config_invalid);
    sources.settings.back() = "raft.election_timeout=300ms";
    auto loaded = load_config(sources);
    ASSERT_TRUE(loaded.has_value());
    EXPECT_EQ(loaded->warnings.size(), 1u);
}

TEST(Config, listening_beyond_loopback_is_warned_of) {
    auto loaded =
        load_config({.settings = {"host.name=h", "host.data_dir=/d", "listen.peer=0.0.0.0:1"}});
    ASSERT_TRUE(loaded.has_value());
    EXPECT_EQ(loaded->warnings.size(), 1u);
}

TEST(Config, a_token_is_text_that_survives_every_layer) {
    ConfigSources sources{.settings = {"host.name=h", "host.data_dir=/d", ""}};
    for (const char* wrong :
         {"short", "with space in it", "with\ttab-in-it", "gr\u00fc\u00dfe-aus-wien"}) {
        sources.settings.back() = std::string("listen.token=") + wrong;
        EXPECT_EQ(error_of(sources).code, Errc::config_invalid) << wrong;
    }
    sources.settings.back() = "listen.token=" + std::string(257, 'x');
    EXPECT_NE(error_of(sources).what.find("257"), std::string::npos);
    for (const std::string& right :
         {std::string(), std::string("a=b,c;\"d\""), std::string(256, 'x')}) {
        sources.settings.back() = "listen.token=" + right;
        auto loaded = load_config(sources);
        ASSERT_TRUE(loaded.has_value()) << to_string(loaded.error());
        EXPECT_EQ(loaded->config.token, right);
    }
    sources.settings.pop_back();
    sources.environment = {{"QUORATE_LISTEN__TOKEN", "from-the-environment"}};
    EXPECT_EQ(load_config(sources)->config.token, "from-the-environment");
}

TEST(Config, a_token_that_everybody_may_read_is_warned_of) {
    ConfigFile file(std::string(smallest) + "[listen]\ntoken = \"battery-staple\"\n");
    using std::filesystem::perms;
    std::filesystem::permissions(file.path(), perms::owner_read | perms::others_read);
    auto warned = load_config({.file = file.path()});
    ASSERT_EQ(warned->warnings.size(), 1u);
    EXPECT_NE(warned->warnings[0].find(file.path()), std::string::npos);
    EXPECT_EQ(warned->warnings[0].find("battery"), std::string::npos) << "it is said to a log";
    std::filesystem::permissions(file.path(), perms::owner_read | perms::group_read);
    EXPECT_TRUE(load_config({.file = file.path()})->warnings.empty());
}

TEST(Config, durations_and_sizes_are_printed_as_a_person_writes_them) {
    EXPECT_EQ(size_text(64ull << 20), "64MiB");
    EXPECT_EQ(size_text(1ull << 30), "1GiB");
    EXPECT_EQ(size_text(1536), "1536B");
    EXPECT_EQ(size_text(0), "0B");
    EXPECT_EQ(to_text(45s), "45s");
    EXPECT_EQ(to_text(1500ms), "1500ms");
    EXPECT_EQ(to_text(120s), "2m");
    EXPECT_EQ(to_text(0s), "0ns");
    auto refused = load_config({.settings = {"wal.file_size=12B"}});
    ASSERT_FALSE(refused.has_value());
    EXPECT_NE(refused.error().what.find("[1MiB, 4GiB]"), std::string::npos) << refused.error().what;
}

TEST(Config, every_key_takes_its_own_default_back) {
    Config config;
    config.host_name = "h";
    config.data_dir = "/d";
    for (const ConfigKey& key : config_keys()) {
        auto set = key.set(config, key.get(config));
        EXPECT_TRUE(set.has_value())
            << key.name << ": " << (set.has_value() ? "" : set.error().what);
        EXPECT_FALSE(key.help.empty()) << key.name;
    }
}

}  // namespace
}  // namespace quorate::daemon
