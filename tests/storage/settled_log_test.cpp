#include "storage/settled_gatherer.hpp"
#include "storage/settled_memory.hpp"
#include "storage/wiredtiger_settled.hpp"
#include "tests/storage/fast_directory.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

// Both settled logs against a model: what was put and neither truncated nor released is read back as it is.
namespace quorate::storage {
namespace {

constexpr std::uint64_t groups = 3;

// What one group's part must hold.
struct Expected {
    std::uint64_t released = 0;
    std::uint64_t last = 0;
    std::map<std::uint64_t, raft::Entry> entries;
};

class SettledLogContract : public ::testing::TestWithParam<const char*> {
 protected:
    void SetUp() override {
        if (std::string(GetParam()) == "memory") {
            home_ = std::make_unique<MemorySettledHome>();
        } else {
            home_ = make_wiredtiger_home({.directory = directory_.path() + "/settled"});
        }
        log_ = home_->create().value();
    }

    void put(GroupId group, std::uint64_t count, std::size_t most_bytes) {
        Expected& of = model_[group];
        SettledGatherer gatherer(*log_);
        for (std::uint64_t i = 0; i < count; ++i) {
            std::size_t bytes = random_() % (most_bytes + 1);
            raft::Entry entry{.id = {Term(random_() % 9), Index(++of.last)},
                              .kind = static_cast<raft::EntryKind>(1 + random_() % 4),
                              .payload = Bytes::take(std::string(bytes, char('a' + of.last % 26)))};
            of.entries[of.last] = entry;
            ASSERT_TRUE(
                gatherer.add(group, entry.id, entry.kind, entry.payload.view()).has_value());
        }
        ASSERT_TRUE(gatherer.put_all().has_value());
    }
    void truncate(GroupId group, std::uint64_t from) {
        Expected& of = model_[group];
        of.entries.erase(of.entries.lower_bound(from), of.entries.end());
        of.last = std::min(of.last, from - 1);
        ASSERT_TRUE(log_->truncate(group, Index(from)).has_value());
    }
    void release(GroupId group, std::uint64_t to) {
        Expected& of = model_[group];
        of.released = std::max(of.released, to);
        ASSERT_TRUE(log_->release(group, Index(to)).has_value());
    }
    void erase(GroupId group) {
        model_.erase(group);
        ASSERT_TRUE(log_->erase(group).has_value());
    }
    // As a host that stops behind a checkpoint and starts again.
    void reopen() {
        ASSERT_TRUE(log_->checkpoint({.file = ++files_}).has_value());
        log_.reset();
        log_ = home_->open().value();
        EXPECT_EQ(log_->load().value().mark.file, files_);
    }

    void check_read(GroupId group, std::uint64_t from, std::uint64_t to, std::uint64_t max_bytes) {
        const Expected& of = model_[group];
        auto read = log_->read(group, Index(from), Index(to), max_bytes);
        auto first = of.entries.find(from);
        if (first == of.entries.end()) {
            ASSERT_FALSE(read.has_value());
            EXPECT_EQ(read.error().code, Errc::not_found);
            return;
        }
        std::vector<raft::Entry> expected;
        std::uint64_t bytes = 0;
        for (auto at = first; at != of.entries.end() && at->first <= to; ++at) {
            bytes += at->second.payload.size();
            if (!expected.empty() && bytes > max_bytes) break;
            expected.push_back(at->second);
        }
        ASSERT_TRUE(read.has_value()) << to_string(read.error());
        EXPECT_EQ(*read, expected) << from << " to " << to;
    }
    // Pre: there may be entries above what is released.
    void check_some_read(GroupId group) {
        const Expected& of = model_[group];
        std::uint64_t from = of.released + 1 + random_() % (of.last - of.released + 2);
        check_read(group, from, from + random_() % 300, random_() % 20'000);
        check_read(group, of.released + 1, of.last, ~std::uint64_t{0});
    }

    FastDirectory directory_;
    std::unique_ptr<SettledHome> home_;
    std::unique_ptr<SettledLog> log_;
    std::map<GroupId, Expected> model_;
    std::mt19937_64 random_{1};
    std::uint64_t files_ = 0;
};

TEST_P(SettledLogContract, reads_back_what_was_put_and_is_still_there) {
    for (std::uint64_t seed = 1; seed <= 12 && !HasFailure(); ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        random_.seed(seed);
        for (int step = 0; step < 60 && !HasFailure(); ++step) {
            GroupId group(1 + random_() % groups);
            Expected& of = model_[group];
            std::uint64_t above = of.last - std::min(of.last, of.released);
            switch (random_() % 8) {
                case 0:
                    truncate(group, of.released + 1 + random_() % (above + 2));
                    break;
                case 1:
                    if (above > 0) release(group, of.released + 1 + random_() % above);
                    break;
                case 2:
                    if (random_() % 8 == 0) erase(group);
                    break;
                case 3:
                    if (random_() % 4 == 0) reopen();
                    break;
                default:
                    put(group, 1 + random_() % 200, random_() % 8 == 0 ? 50'000 : 400);
            }
            check_some_read(group);
        }
    }
}

TEST_P(SettledLogContract, an_entry_put_again_after_a_truncation_replaces_the_former) {
    put(GroupId(1), 100, 100);
    truncate(GroupId(1), 40);
    put(GroupId(1), 30, 100);
    check_read(GroupId(1), 1, 100, ~std::uint64_t{0});
    reopen();
    check_read(GroupId(1), 1, 100, ~std::uint64_t{0});
}

TEST_P(SettledLogContract, a_gap_ends_what_is_read) {
    put(GroupId(1), 10, 10);
    model_[GroupId(1)].last = 20;  // as if entries between were released before they got here
    put(GroupId(1), 10, 10);
    auto read = log_->read(GroupId(1), Index(5), Index(30), ~std::uint64_t{0});
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(read->back().id.index, Index(10));
    EXPECT_EQ(log_->read(GroupId(1), Index(15), Index(30), 1).error().code, Errc::not_found);
    EXPECT_EQ(log_->read(GroupId(2), Index(1), Index(30), 1).error().code, Errc::not_found);
}

INSTANTIATE_TEST_SUITE_P(Each, SettledLogContract, ::testing::Values("memory", "wiredtiger"),
                         [](const auto& which) { return std::string(which.param); });

// A released row that reaches beyond is kept until the rest of it is released; of a group that is released
// to its end, nothing stays.
TEST(WiredTigerSettled, takes_no_more_space_however_long_a_group_lives) {
    FastDirectory directory;
    std::string path = directory.path() + "/settled";
    auto home = make_wiredtiger_home({.directory = path});
    auto log = home->create().value();
    std::uint64_t last = 0;
    std::uintmax_t early = 0;
    std::uintmax_t size = 0;
    const std::string payload(256, 'x');
    for (std::uint64_t file = 1; file <= 40; ++file) {
        SettledGatherer gatherer(*log);
        for (int i = 0; i < 1000; ++i) {
            EntryId id{Term(1), Index(++last)};
            ASSERT_TRUE(gatherer.add(GroupId(1), id, raft::EntryKind::command, as_bytes(payload))
                            .has_value());
        }
        ASSERT_TRUE(gatherer.put_all().has_value());
        Index released(last - std::min<std::uint64_t>(last, 1500));
        ASSERT_TRUE(log->release(GroupId(1), released).has_value());
        ASSERT_TRUE(log->checkpoint({.file = file}).has_value());
        size = std::filesystem::file_size(path + "/entries.wt");
        if (file == 10) early = size;
    }
    EXPECT_LE(size, early + early / 2);
}

}  // namespace
}  // namespace quorate::storage
