#include "host/machine/plugin_store.hpp"

#include "host/machine/sha256.hpp"
#include "machine_fixture.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>

namespace quorate::machine {
namespace {

namespace fs = std::filesystem;
using test::fixture;

class PluginStoreTest : public testing::Test {
 protected:
    std::unique_ptr<PluginStore> open(PluginStore::Options options = {}) {
        return std::move(PluginStore::open(path(), options).value());
    }
    fs::path path() const { return directory_.path() / "plugins"; }
    PluginRecord install(PluginStore& store, const std::string& name) {
        return store.install(as_bytes(fixture(name))).value();
    }
    std::vector<std::string> files() const {
        std::vector<std::string> names;
        for (const auto& entry : fs::directory_iterator(path())) {
            names.push_back(entry.path().filename().string());
        }
        std::sort(names.begin(), names.end());
        return names;
    }
    static mode_t mode(const fs::path& file) {
        struct stat status {};
        EXPECT_EQ(::stat(file.c_str(), &status), 0);
        return status.st_mode & 0777U;
    }

    test::TemporaryDirectory directory_;
};

TEST_F(PluginStoreTest, keeps_what_is_installed_read_only_under_its_hash) {
    auto store = open();
    std::string file = fixture("probe");
    PluginRecord record = install(*store, "probe");
    EXPECT_EQ(record.build, sha256_hex(as_bytes(file)));
    EXPECT_EQ(record.bytes, file.size());
    EXPECT_EQ(record.installed, 1U);
    EXPECT_EQ(title(record.manifest), "test.probe 1.0.0");
    EXPECT_EQ(files(), (std::vector<std::string>{record.build + ".json", record.build + ".so"}));
    EXPECT_EQ(test::read_file(path() / (record.build + ".so")), file);
    EXPECT_EQ(mode(path() / (record.build + ".so")), 0444U);
    EXPECT_EQ(mode(path()), 0700U);
}

TEST_F(PluginStoreTest, installs_the_same_bytes_only_once) {
    auto store = open();
    PluginRecord first = install(*store, "probe");
    PluginRecord between = install(*store, "tally_v1");
    PluginRecord again = store->install_file(test::fixture_path("probe")).value();
    EXPECT_EQ(again, first);
    EXPECT_EQ(store->list(), (std::vector<PluginRecord>{first, between}));
}

TEST_F(PluginStoreTest, remembers_everything_over_a_restart) {
    auto store = open();
    install(*store, "tally_v2");
    install(*store, "tally_v1");
    auto before = store->list();
    store = open();
    EXPECT_EQ(store->list(), before);
    EXPECT_EQ(store->find("test.tally").value().manifest.version, "1.0.0");
    EXPECT_EQ(store->find("test.tally@2.0.0").value(), before.front());
    EXPECT_EQ(install(*store, "probe").installed, 3U);
}

TEST_F(PluginStoreTest, keeps_nothing_of_a_file_that_is_no_plugin) {
    auto store = open();
    for (const char* name : {"no_note", "leak", "note_abi", "bad_json"}) {
        EXPECT_FALSE(store->install(as_bytes(fixture(name))).has_value()) << name;
    }
    EXPECT_TRUE(files().empty());
    EXPECT_TRUE(store->list().empty());
}

TEST_F(PluginStoreTest, names_the_path_of_a_file_that_it_cannot_install) {
    auto store = open();
    auto absent = store->install_file("does-not-exist.so");
    EXPECT_EQ(absent.error().code, Errc::plugin_unreadable);
    EXPECT_NE(absent.error().what.find("does-not-exist.so"), std::string::npos);
    EXPECT_EQ(store->install_file(directory_.path()).error().code, Errc::plugin_unreadable);
    auto wrong = store->install_file(test::fixture_path("no_note"));
    EXPECT_EQ(wrong.error().code, Errc::plugin_not_a_plugin);
    EXPECT_NE(wrong.error().what.find("no_note.so"), std::string::npos);
}

TEST_F(PluginStoreTest, has_limits) {
    auto store = open({.max_plugin_bytes = 100});
    EXPECT_EQ(store->install(as_bytes(fixture("probe"))).error().code, Errc::plugin_unreadable);
    EXPECT_EQ(store->install_file(test::fixture_path("probe")).error().code,
              Errc::plugin_unreadable);
    store = open({.max_plugins = 1});
    install(*store, "probe");
    install(*store, "probe");
    EXPECT_EQ(store->install(as_bytes(fixture("tally_v1"))).error().code, Errc::overloaded);
}

TEST_F(PluginStoreTest, sets_a_plugin_with_a_flipped_bit_aside_and_takes_it_again) {
    auto store = open();
    std::string file = fixture("probe");
    PluginRecord record = install(*store, "probe");
    install(*store, "tally_v1");
    fs::path library = path() / (record.build + ".so");
    std::string damaged = file;
    damaged[file.size() / 2] = static_cast<char>(damaged[file.size() / 2] ^ 4);
    test::write_file(library, damaged);

    auto image = store->open_image(record.build);
    ASSERT_FALSE(image.has_value());
    EXPECT_EQ(image.error().code, Errc::corrupt);
    EXPECT_NE(image.error().what.find("test.probe 1.0.0"), std::string::npos) << image.error().what;
    EXPECT_FALSE(fs::exists(library));
    EXPECT_EQ(test::read_file(path() / (record.build + ".so.damaged")), damaged);
    EXPECT_EQ(store->list().size(), 1U);
    EXPECT_EQ(store->open_image(record.build).error().code, Errc::plugin_not_found);

    EXPECT_EQ(install(*store, "probe").build, record.build);
    EXPECT_EQ(store->open_image(record.build).value().file.text(), file);
}

TEST_F(PluginStoreTest, installs_a_plugin_again_whose_file_has_vanished) {
    auto store = open();
    PluginRecord record = install(*store, "probe");
    fs::remove(path() / (record.build + ".so"));
    EXPECT_EQ(store->open_image(record.build).error().code, Errc::plugin_unreadable);
    install(*store, "probe");
    EXPECT_TRUE(store->open_image(record.build).has_value());
}

TEST_F(PluginStoreTest, sweeps_what_a_crash_has_left) {
    auto store = open();
    PluginRecord record = install(*store, "probe");
    std::string other(64, 'a');
    test::write_file(path() / (other + ".so.tmp"), "half");
    test::write_file(path() / (other + ".json"), "a record without its library");
    test::write_file(path() / "zz", "not ours");
    store = open();
    EXPECT_EQ(files(),
              (std::vector<std::string>{record.build + ".json", record.build + ".so", "zz"}));
    EXPECT_EQ(store->list(), std::vector<PluginRecord>{record});
}

// The crash between the two renames of an installation.
TEST_F(PluginStoreTest, takes_up_a_library_without_a_record) {
    auto store = open();
    PluginRecord record = install(*store, "probe");
    fs::remove(path() / (record.build + ".json"));
    store = open();
    ASSERT_EQ(store->list().size(), 1U);
    EXPECT_EQ(store->list().front().manifest, record.manifest);
    EXPECT_EQ(store->list().front().installed, 0U);
    EXPECT_TRUE(fs::exists(path() / (record.build + ".json")));
    EXPECT_TRUE(store->open_image(record.build).has_value());
}

TEST_F(PluginStoreTest, makes_a_damaged_record_anew) {
    auto store = open();
    PluginRecord record = install(*store, "probe");
    fs::path file = path() / (record.build + ".json");
    std::string text = test::read_file(file);
    text[80] = static_cast<char>(text[80] ^ 1);
    test::write_file(file, text);
    store = open();
    EXPECT_EQ(store->list().size(), 1U);
    EXPECT_EQ(store->find("test.probe").value().build, record.build);
    EXPECT_TRUE(fs::exists(path() / (record.build + ".json.damaged")));
}

TEST_F(PluginStoreTest, sets_a_library_aside_whose_name_is_not_its_hash) {
    open();
    std::string name(64, 'b');
    test::write_file(path() / (name + ".so"), fixture("probe"));
    auto store = open();
    EXPECT_TRUE(store->list().empty());
    EXPECT_EQ(files(), std::vector<std::string>{name + ".so.damaged"});
}

TEST_F(PluginStoreTest, forgets_what_is_removed) {
    auto store = open();
    PluginRecord record = install(*store, "probe");
    EXPECT_TRUE(store->remove(record.build).has_value());
    EXPECT_TRUE(store->remove(record.build).has_value());
    EXPECT_TRUE(files().empty());
    EXPECT_TRUE(open()->list().empty());
}

TEST_F(PluginStoreTest, cannot_be_opened_where_a_file_stands) {
    test::write_file(path(), "in the way");
    auto store = PluginStore::open(path());
    ASSERT_FALSE(store.has_value());
    EXPECT_EQ(store.error().code, Errc::io);
    EXPECT_NE(store.error().what.find(path().string()), std::string::npos);
}

TEST(Sha256, is_the_published_function) {
    EXPECT_EQ(sha256_hex(as_bytes("abc")),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace quorate::machine
