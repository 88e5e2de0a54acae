#include "tests/storage/files_contract.hpp"

#include <algorithm>
#include <vector>

namespace quorate::storage {
namespace {

TEST_P(FilesContract, gives_back_what_was_written_and_stops_at_the_end) {
    auto file = create("a");
    put(*file, 0, "hello, world");
    put(*file, 7, "W");
    EXPECT_EQ(get(*file, 0, 100), "hello, World");
    EXPECT_EQ(get(*file, 7, 3), "Wor");
    EXPECT_EQ(get(*file, 12, 3), "");
    EXPECT_EQ(get(*file, 99, 3), "");
    EXPECT_EQ(file->size().value(), 12u);
}

TEST_P(FilesContract, a_gap_that_nobody_wrote_reads_as_zeroes) {
    auto file = create("a");
    put(*file, 1000, "x");
    EXPECT_EQ(get(*file, 998, 10), std::string("\0\0x", 3));
}

TEST_P(FilesContract, writes_many_parts_one_after_another) {
    auto file = create("a");
    std::vector<std::string> texts;
    std::string expected;
    for (int i = 0; i < 3000; ++i) {
        texts.push_back(
            std::string(static_cast<std::size_t>(i % 7), static_cast<char>('a' + i % 26)));
        expected += texts.back();
    }
    std::vector<ByteView> parts;
    for (const std::string& text : texts) parts.push_back(as_bytes(text));
    ASSERT_TRUE(file->write_at(3, parts).has_value());
    EXPECT_EQ(get(*file, 3, expected.size() + 1), expected);
}

TEST_P(FilesContract, allocate_extends_with_zeroes_and_keeps_what_is_there) {
    auto file = create("a");
    put(*file, 0, "kept");
    ASSERT_TRUE(file->allocate(700'000).has_value());
    EXPECT_EQ(file->size().value(), 700'000u);
    EXPECT_EQ(get(*file, 0, 6), std::string("kept\0\0", 6));
    EXPECT_EQ(get(*file, 699'998, 6), std::string("\0\0", 2));
    ASSERT_TRUE(file->allocate(10).has_value());
    EXPECT_EQ(file->size().value(), 700'000u);
}

TEST_P(FilesContract, truncate_cuts_and_what_comes_back_is_zeroes) {
    auto file = create("a");
    put(*file, 0, "0123456789");
    ASSERT_TRUE(file->truncate(4).has_value());
    EXPECT_EQ(get(*file, 0, 10), "0123");
    ASSERT_TRUE(file->truncate(6).has_value());
    EXPECT_EQ(get(*file, 0, 10), std::string("0123\0\0", 6));
}

TEST_P(FilesContract, create_new_refuses_a_file_that_is_there) {
    create("a");
    auto again = files.open("a", Files::Mode::create_new);
    ASSERT_FALSE(again.has_value());
    EXPECT_EQ(again.error().code, Errc::io);
    EXPECT_NE(again.error().what.find("exists"), std::string::npos) << again.error().what;
}

TEST_P(FilesContract, opening_or_listing_what_is_not_there_is_not_found) {
    EXPECT_EQ(files.open("no", Files::Mode::read).error().code, Errc::not_found);
    EXPECT_EQ(files.open("no", Files::Mode::read_write).error().code, Errc::not_found);
    EXPECT_EQ(files.open("no/a", Files::Mode::create_new).error().code, Errc::not_found);
    EXPECT_EQ(files.list("no").error().code, Errc::not_found);
    EXPECT_EQ(files.rename("no", "other").error().code, Errc::not_found);
}

TEST_P(FilesContract, a_file_opened_to_read_cannot_be_written) {
    create("a");
    auto file = files.open("a", Files::Mode::read).value();
    ByteView part = as_bytes("x");
    EXPECT_EQ(file->write_at(0, {&part, 1}).error().code, Errc::io);
    EXPECT_EQ(file->truncate(0).error().code, Errc::io);
}

TEST_P(FilesContract, lists_names_sorted_and_of_one_level_only) {
    ASSERT_TRUE(files.make_directory("d/e/f").has_value());
    ASSERT_TRUE(files.make_directory("d/e/f").has_value());
    create("d/b");
    create("d/a");
    create("d/e/deep");
    EXPECT_EQ(files.list("d").value(), (std::vector<std::string>{"a", "b", "e"}));
    EXPECT_EQ(files.list("").value(), (std::vector<std::string>{"d"}));
    EXPECT_TRUE(files.list("d/e/f").value().empty());
}

TEST_P(FilesContract, a_directory_is_not_made_where_a_file_lies) {
    create("a");
    EXPECT_EQ(files.make_directory("a").error().code, Errc::io);
    EXPECT_EQ(files.make_directory("a/b").error().code, Errc::io);
}

TEST_P(FilesContract, rename_moves_a_file_over_another) {
    put(*create("a"), 0, "new");
    put(*create("b"), 0, "old");
    ASSERT_TRUE(files.rename("a", "b").has_value());
    EXPECT_FALSE(files.exists("a").value());
    EXPECT_EQ(get(*files.open("b", Files::Mode::read).value(), 0, 9), "new");
}

TEST_P(FilesContract, rename_moves_a_whole_directory) {
    ASSERT_TRUE(files.make_directory("d/e").has_value());
    put(*create("d/e/a"), 0, "x");
    ASSERT_TRUE(files.rename("d", "f").has_value());
    EXPECT_FALSE(files.exists("d/e").value());
    EXPECT_EQ(get(*files.open("f/e/a", Files::Mode::read).value(), 0, 9), "x");
}

TEST_P(FilesContract, rename_never_replaces_a_directory_that_holds_something) {
    ASSERT_TRUE(files.make_directory("d").has_value());
    ASSERT_TRUE(files.make_directory("full").has_value());
    create("full/a");
    EXPECT_EQ(files.rename("d", "full").error().code, Errc::io);
    EXPECT_TRUE(files.exists("full/a").value());
}

TEST_P(FilesContract, remove_takes_files_and_whole_directories_and_does_not_mind_absence) {
    ASSERT_TRUE(files.make_directory("d/e").has_value());
    create("d/e/a");
    create("b");
    ASSERT_TRUE(files.remove("b").has_value());
    ASSERT_TRUE(files.remove("d").has_value());
    ASSERT_TRUE(files.remove("d").has_value());
    EXPECT_TRUE(files.list("").value().empty());
}

TEST_P(FilesContract, an_open_file_can_still_be_read_after_it_was_removed_or_renamed) {
    auto file = create("a");
    put(*file, 0, "still here");
    ASSERT_TRUE(files.rename("a", "b").has_value());
    EXPECT_EQ(get(*file, 0, 20), "still here");
    ASSERT_TRUE(files.remove("b").has_value());
    EXPECT_EQ(get(*file, 0, 20), "still here");
}

TEST_P(FilesContract, syncs_files_and_directories) {
    ASSERT_TRUE(files.make_directory("d").has_value());
    auto file = create("d/a");
    put(*file, 0, "x");
    EXPECT_TRUE(file->sync().has_value());
    EXPECT_TRUE(files.sync_directory("d").has_value());
    EXPECT_TRUE(files.sync_directory("").has_value());
    EXPECT_EQ(files.sync_directory("no").error().code, Errc::not_found);
}

TEST_P(FilesContract, knows_how_much_room_there_is) {
    EXPECT_GT(files.free_bytes().value(), 0u);
    EXPECT_GE(files.capacity_bytes().value(), files.free_bytes().value());
}

}  // namespace
}  // namespace quorate::storage
