#include "tests/support/sim_files.hpp"

#include "tests/storage/files_contract.hpp"

#include <algorithm>
#include <set>

namespace quorate::sim {
namespace {

using storage::File;
using storage::Files;

void write(File& file, std::uint64_t offset, std::string_view text) {
    ByteView part = as_bytes(text);
    ASSERT_TRUE(file.write_at(offset, {&part, 1}).has_value());
}

std::unique_ptr<File> create(SimFiles& files, const std::string& path, std::string_view text = "") {
    auto file = files.open(path, Files::Mode::create_new).value();
    write(*file, 0, text);
    return file;
}

void create_durably(SimFiles& files, const std::string& path, std::string_view text) {
    ASSERT_TRUE(create(files, path, text)->sync().has_value());
    ASSERT_TRUE(files.sync_directory("").has_value());
}

void cut_power(SimFiles& files, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    files.crash(random);
    files.restart();
}

// Runs `scenario` on a new disk for each seed and collects what it saw.
template <class Scenario>
std::set<std::string> outcomes(Scenario scenario, std::uint64_t seeds = 300) {
    std::set<std::string> seen;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        SimFiles files(seed);
        seen.insert(scenario(files, seed));
    }
    return seen;
}

TEST(SimFiles, a_power_cut_keeps_all_that_was_synced) {
    auto seen = outcomes([](SimFiles& files, std::uint64_t seed) {
        create_durably(files, "a", "kept");
        cut_power(files, seed);
        return files.contents("a");
    });
    EXPECT_EQ(seen, std::set<std::string>{"kept"});
}

TEST(SimFiles, a_power_cut_keeps_any_subset_of_unsynced_sectors) {
    std::string old_text(3 * 512, 'o');
    std::string new_text(3 * 512, 'n');
    auto seen = outcomes([&](SimFiles& files, std::uint64_t seed) {
        create_durably(files, "a", old_text);
        write(*files.open("a", Files::Mode::read_write).value(), 0, new_text);
        cut_power(files, seed);
        std::string text = files.contents("a");
        bool torn = false;
        std::string sectors;
        for (std::size_t at = 0; at < text.size(); at += 512) {
            std::string_view sector = std::string_view(text).substr(at, 512);
            torn = torn || sector.find(sector[0] == 'n' ? 'o' : 'n') != std::string::npos;
            sectors += sector[0];
        }
        return torn ? "torn" : sectors;
    });
    EXPECT_EQ(seen, (std::set<std::string>{"ooo", "oon", "ono", "onn", "noo", "non", "nno", "nnn",
                                           "torn"}));
}

TEST(SimFiles, a_file_that_grew_unsynced_may_be_short_or_hold_zeroes) {
    auto seen = outcomes([](SimFiles& files, std::uint64_t seed) {
        create_durably(files, "a", "");
        write(*files.open("a", Files::Mode::read_write).value(), 0, std::string(1024, 'n'));
        cut_power(files, seed);
        std::string text = files.contents("a");
        if (text.empty()) return "empty";
        if (text.size() < 1024) return "short";
        return text.find('\0') != std::string::npos ? "zeroes" : "whole";
    });
    EXPECT_EQ(seen, (std::set<std::string>{"empty", "short", "zeroes", "whole"}));
}

TEST(SimFiles, an_unsynced_truncation_may_come_undone) {
    auto seen = outcomes([](SimFiles& files, std::uint64_t seed) {
        create_durably(files, "a", "0123456789");
        EXPECT_TRUE(files.open("a", Files::Mode::read_write).value()->truncate(0).has_value());
        cut_power(files, seed);
        return std::to_string(files.size_of("a"));
    });
    EXPECT_TRUE(seen.contains("0"));
    EXPECT_TRUE(seen.contains("10"));
}

TEST(SimFiles, a_new_name_lasts_only_once_its_directory_is_synced) {
    auto seen = outcomes([](SimFiles& files, std::uint64_t seed) {
        EXPECT_TRUE(create(files, "a", "x")->sync().has_value());
        cut_power(files, seed);
        return files.exists("a").value() ? "there" : "gone";
    });
    EXPECT_EQ(seen, (std::set<std::string>{"there", "gone"}));
}

TEST(SimFiles, a_removal_lasts_only_once_its_directory_is_synced) {
    for (bool synced : {false, true}) {
        auto seen = outcomes([&](SimFiles& files, std::uint64_t seed) {
            create_durably(files, "a", "x");
            EXPECT_TRUE(files.remove("a").has_value());
            EXPECT_TRUE(!synced || files.sync_directory("").has_value());
            cut_power(files, seed);
            return files.exists("a").value() ? "there" : "gone";
        });
        EXPECT_EQ(seen.contains("there"), !synced);
        EXPECT_TRUE(seen.contains("gone"));
    }
}

TEST(SimFiles, a_rename_over_a_file_leaves_the_old_or_the_new_one) {
    auto seen = outcomes([](SimFiles& files, std::uint64_t seed) {
        create_durably(files, "a", "old");
        create_durably(files, "b", "new");
        EXPECT_TRUE(files.rename("b", "a").has_value());
        cut_power(files, seed);
        return files.contents("a") + (files.exists("b").value() ? "+b" : "");
    });
    EXPECT_EQ(seen, (std::set<std::string>{"old+b", "new"}));
}

TEST(SimFiles, a_directory_renamed_before_its_parent_is_synced_is_whole_under_one_name) {
    auto seen = outcomes([](SimFiles& files, std::uint64_t seed) {
        EXPECT_TRUE(files.make_directory("d").has_value());
        EXPECT_TRUE(create(files, "d/x", "x")->sync().has_value());
        EXPECT_TRUE(files.sync_directory("d").has_value());
        EXPECT_TRUE(files.sync_directory("").has_value());
        EXPECT_TRUE(files.rename("d", "e").has_value());
        cut_power(files, seed);
        auto all = files.all_files();
        return all.size() == 1 ? all[0] : "lost";
    });
    EXPECT_EQ(seen, (std::set<std::string>{"d/x", "e/x"}));
}

TEST(SimFiles, an_unsynced_removal_of_a_directory_may_leave_a_part_of_it) {
    auto seen = outcomes([](SimFiles& files, std::uint64_t seed) {
        EXPECT_TRUE(files.make_directory("d").has_value());
        for (const char* path : {"d/x", "d/y"}) create(files, path);
        EXPECT_TRUE(files.sync_directory("d").has_value());
        EXPECT_TRUE(files.sync_directory("").has_value());
        EXPECT_TRUE(files.remove("d").has_value());
        cut_power(files, seed);
        std::string left;
        for (const std::string& path : files.all_files()) left += path + " ";
        return left;
    });
    EXPECT_TRUE(seen.contains(""));
    EXPECT_TRUE(seen.contains("d/x d/y "));
    EXPECT_TRUE(seen.contains("d/y "));
}

TEST(SimFiles, a_sync_that_failed_is_not_made_good_by_one_that_succeeds) {
    auto seen = outcomes([](SimFiles& files, std::uint64_t seed) {
        create_durably(files, "a", "old");
        auto file = files.open("a", Files::Mode::read_write).value();
        write(*file, 0, "new");
        files.fail_operation(1);
        EXPECT_EQ(file->sync().error().code, Errc::io);
        EXPECT_TRUE(file->sync().has_value());
        cut_power(files, seed);
        return files.contents("a");
    });
    EXPECT_EQ(seen, (std::set<std::string>{"old", "new"}));
}

TEST(SimFiles, a_killed_process_loses_nothing_but_its_open_files) {
    SimFiles files(1);
    auto file = create(files, "a", "not synced");
    files.kill();
    EXPECT_EQ(files.list("").error().code, Errc::io);
    EXPECT_EQ(file->sync().error().code, Errc::io);
    files.restart();
    EXPECT_EQ(files.contents("a"), "not synced");
    EXPECT_EQ(file->size().error().code, Errc::io);
    ByteView part = as_bytes("x");
    EXPECT_EQ(file->write_at(0, {&part, 1}).error().code, Errc::io);
    EXPECT_EQ(files.contents("a"), "not synced");
}

TEST(SimFiles, the_chosen_operation_fails_and_no_other) {
    SimFiles files(1);
    files.fail_operation(2);
    EXPECT_TRUE(files.list("").has_value());
    EXPECT_EQ(files.list("").error().code, Errc::io);
    EXPECT_TRUE(files.list("").has_value());
    files.fail_operation(1, SimFiles::Failing::from_then_on);
    EXPECT_FALSE(files.list("").has_value());
    EXPECT_FALSE(files.list("").has_value());
    files.heal();
    EXPECT_TRUE(files.list("").has_value());
    EXPECT_EQ(files.statistics().failures, 3u);
}

TEST(SimFiles, a_failed_write_may_have_written_its_first_part_only) {
    auto seen = outcomes([](SimFiles& files, std::uint64_t) {
        auto file = files.open("a", Files::Mode::create_new).value();
        files.fail_operation(1, SimFiles::Failing::from_then_on);
        ByteView part = as_bytes("abc");
        EXPECT_FALSE(file->write_at(0, {&part, 1}).has_value());
        EXPECT_FALSE(file->write_at(0, {&part, 1}).has_value());
        return files.contents("a");
    });
    EXPECT_EQ(seen, (std::set<std::string>{"", "a", "ab", "abc"}));
}

TEST(SimFiles, says_that_the_disk_is_full_and_recovers_when_space_is_freed) {
    SimFiles files(1, 1000);
    auto a = create(files, "a", std::string(600, 'x'));
    auto b = create(files, "b");
    EXPECT_EQ(files.free_bytes().value(), 400u);
    EXPECT_EQ(b->allocate(500).error().code, Errc::disk_full);
    ASSERT_TRUE(b->allocate(400).has_value());
    ByteView part = as_bytes("x");
    EXPECT_TRUE(b->write_at(0, {&part, 1}).has_value());
    EXPECT_EQ(b->write_at(400, {&part, 1}).error().code, Errc::disk_full);
    ASSERT_TRUE(files.remove("a").has_value());
    EXPECT_TRUE(b->write_at(400, {&part, 1}).has_value());
    EXPECT_EQ(files.free_bytes().value(), 599u);
    EXPECT_EQ(files.capacity_bytes().value(), 1000u);
}

TEST(SimFiles, a_flipped_bit_is_there_before_and_after_a_power_cut) {
    SimFiles files(1);
    create_durably(files, "a", "aaaa");
    files.flip_bit("a", 2, 1);
    EXPECT_EQ(files.contents("a"), "aaca");
    cut_power(files, 1);
    EXPECT_EQ(files.contents("a"), "aaca");
}

// One disk under a long random run, beside a second of the same seed: every byte must be equal.
TEST(SimFiles, the_same_seed_and_calls_give_the_same_disk) {
    auto run = [](std::uint64_t seed) {
        SimFiles files(seed);
        std::mt19937_64 random(seed);
        std::string trace;
        for (int step = 0; step < 2000; ++step) {
            std::string path = "f" + std::to_string(random() % 5);
            switch (random() % 8) {
                case 0:
                    (void)files.open(path, Files::Mode::create_new);
                    break;
                case 1:
                    (void)files.rename(path, "f" + std::to_string(random() % 5));
                    break;
                case 2:
                    (void)files.remove(path);
                    break;
                case 3:
                    (void)files.sync_directory("");
                    break;
                case 4:
                    files.fail_operation(1 + random() % 9);
                    break;
                case 5:
                    if (random() % 10 == 0) cut_power(files, random());
                    break;
                default: {
                    auto file = files.open(path, Files::Mode::read_write);
                    if (!file.has_value()) break;
                    std::string text(random() % 3000, static_cast<char>('a' + random() % 26));
                    ByteView part = as_bytes(text);
                    (void)(*file)->write_at(random() % 9000, {&part, 1});
                    if (random() % 2 == 0) (void)(*file)->sync();
                }
            }
        }
        for (const std::string& path : files.all_files()) trace += path + files.contents(path);
        return std::pair(trace, files.statistics());
    };
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        EXPECT_EQ(run(seed), run(seed)) << "seed " << seed;
        EXPECT_GT(run(seed).second.power_cuts, 0u);
    }
}

}  // namespace
}  // namespace quorate::sim

namespace quorate::storage {

INSTANTIATE_TEST_SUITE_P(SimFiles, FilesContract,
                         ::testing::Values(FilesKind{"simulated",
                                                     [] {
                                                         auto files =
                                                             std::make_shared<sim::SimFiles>(1);
                                                         return FilesUnderTest{files, files.get()};
                                                     }}),
                         [](const auto& suite) { return suite.param.name; });

}  // namespace quorate::storage
