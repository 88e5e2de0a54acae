#include "tests/storage/stepped_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace quorate::storage {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t group_count = 4;

std::string wal(std::uint64_t file) {
    return "log/" + wal_name(file);
}

// Groups with entries that have settled, entries that have not, votes, a released prefix, and one
// that did nothing for long; closed in order.
class WalDamage : public ::testing::Test {
 protected:
    void fill(SteppedUnderTest& host) {
        groups.clear();
        for (std::uint64_t id = 1; id <= group_count; ++id) {
            groups.push_back(std::make_unique<GroupOf>(host, id));
            ASSERT_TRUE(groups.back()->create("registration " + std::to_string(id)).has_value());
            groups.back()->attach();
        }
        for (std::uint64_t i = 1; i <= last; ++i) {
            for (std::uint64_t id = 1; id <= 3; ++id) groups[id - 1]->append(i, i, 1, 120);
            if (i == last / 2) groups[1]->release(last / 3, 1);
            if (i % 10 == 0) vote(*groups[0], i);
            host.drive_all();
        }
        vote(*groups[3], 5);
        groups[3]->append(1, 2, 5);
        host.drive_all();
        for (auto& group : groups) ASSERT_EQ(group->client.last, group->ticket);
        ASSERT_GT(host.home.content()->mark.file, 1u);
    }
    void vote(GroupOf& group, std::uint64_t term) {
        raft::Store store;
        store.hard = raft::HardState{Term(term), MemberId(9)};
        group.write(std::move(store));
    }
    void fill_and_close(SteppedUnderTest& host) {
        fill(host);
        host.close();
    }

    // What is found must be what was promised, or say that it is not.
    void check(SteppedUnderTest& host, const std::string& what, bool closed = true) {
        SCOPED_TRACE(what);
        auto logs = host.store().take_recovered();
        ASSERT_EQ(logs.size(), group_count) << "a registration is lost";
        damaged = 0;
        for (const RecoveredLog& log : logs) {
            std::uint64_t id = log.group.value();
            EXPECT_EQ(log.registration.text(), "registration " + std::to_string(id));
            std::uint64_t promised = id == 4 ? 2 : last;
            if (log.damage) {
                ++damaged;
                EXPECT_FALSE(host.stepped->findings().empty());
                // After a crash nobody knows how far the log went that is not there.
                if (closed) {
                    EXPECT_GE(log.damage->promised, Index(promised)) << log.damage->what;
                }
                EXPECT_GE(log.damage->promised, log.last);
                EXPECT_LE(log.last, Index(promised));
            } else {
                EXPECT_EQ(log.last, Index(promised)) << "group " << id;
                if (id == 1) {
                    EXPECT_EQ(log.hard, (raft::HardState{Term(last), MemberId(9)}));
                }
                if (id == 4) {
                    EXPECT_EQ(log.hard, (raft::HardState{Term(5), MemberId(9)}));
                }
            }
            check_entries(*groups[id - 1], log);
        }
    }
    void check_entries(GroupOf& group, const RecoveredLog& log) {
        if (log.last == log.base.index) return;
        auto entries = group.read(log.base.index.value() + 1, log.last.value());
        ASSERT_TRUE(entries.has_value()) << to_string(entries.error());
        ASSERT_EQ(entries->size(), log.last - log.base.index);
        std::uint64_t term = group.id() == GroupId(4) ? 5 : 1;
        std::size_t bytes = group.id() == GroupId(4) ? 0 : 120;
        for (const raft::Entry& e : *entries) {
            ASSERT_EQ(e.payload.text(), GroupOf::payload(e.id.index.value(), term, bytes));
        }
    }
    // The log works on, the damage stays until it is repaired, and is found no second time.
    void check_life_goes_on(SteppedUnderTest& host) {
        std::size_t before = damaged;
        host.reopen();
        EXPECT_TRUE(host.stepped->findings().empty()) << host.stepped->findings().front();
        check_again(host, before);
    }
    void check_again(SteppedUnderTest& host, std::size_t before) {
        auto logs = host.store().take_recovered();
        ASSERT_EQ(logs.size(), group_count);
        std::size_t now = 0;
        for (const RecoveredLog& log : logs) {
            if (log.damage) ++now;
            GroupOf& group = *groups[log.group.value() - 1];
            group.client = {};
            group.ticket = {};
            group.attach();
            group.append(log.last.value() + 1, log.last.value() + 3, 9);
            if (log.damage) host.store().repaired(log.group);
            EXPECT_TRUE(group.flush());
        }
        EXPECT_EQ(now, before) << "damage that was not repaired is forgotten";
        host.reopen();
        for (const RecoveredLog& log : host.store().take_recovered()) {
            EXPECT_FALSE(log.damage) << log.damage->what;
        }
    }

    std::vector<std::unique_ptr<GroupOf>> groups;
    std::size_t damaged = 0;
    const std::uint64_t last = 130;
};

TEST_F(WalDamage, one_flipped_bit_anywhere_is_harmless_or_said) {
    SteppedUnderTest model;
    fill_and_close(model);
    std::size_t with_damage = 0;
    std::size_t without = 0;
    for (const std::string& path : model.disk.all_files()) {
        std::uint64_t size = model.disk.size_of(path);
        std::uint64_t step = std::max<std::uint64_t>(1, size / 97);
        for (std::uint64_t at = path.size() % step; at < size; at += step) {
            SteppedUnderTest host;
            fill_and_close(host);
            host.disk.flip_bit(path, at, static_cast<unsigned>(at % 8));
            host.open();
            check(host, path + " at " + std::to_string(at));
            damaged > 0 ? ++with_damage : ++without;
            check_life_goes_on(host);
            if (HasFailure()) return;
        }
    }
    EXPECT_GT(with_damage, 20u);
    EXPECT_GT(without, 20u);
}

TEST_F(WalDamage, a_flipped_bit_in_each_byte_of_one_record_touches_its_group_only) {
    for (std::uint64_t at = 0; at < 200; ++at) {
        SteppedUnderTest host;
        fill(host);
        std::uint64_t file = host.home.content()->mark.file + 1;
        host.close();
        host.disk.flip_bit(wal(file), header_bytes + at, 3);
        host.open();
        check(host, "at " + std::to_string(at));
        EXPECT_EQ(damaged, 1u) << "the watermark vouches for the others";
        if (HasFailure()) return;
    }
}

TEST_F(WalDamage, a_torn_last_batch_is_dropped_at_every_byte) {
    for (bool closed : {false, true}) {
        SteppedUnderTest first;
        fill(first);
        std::uint64_t file = first.home.content()->mark.file + 1;
        std::string before = first.disk.contents(wal(file));
        groups[0]->append(last + 1, last + 2, 7);
        groups[1]->append(last + 1, last + 1, 7);
        first.drive_all();
        std::string after = first.disk.contents(wal(file));
        auto changed = std::ranges::mismatch(before, after).in1 - before.begin();
        std::size_t end = after.size();
        while (after[end - 1] == before[end - 1]) --end;
        ASSERT_GT(end - static_cast<std::size_t>(changed), 3 * header_bytes) << "one file only";
        for (std::size_t cut = static_cast<std::size_t>(changed) - 1; cut <= end; ++cut) {
            SCOPED_TRACE("cut at " + std::to_string(cut));
            SteppedUnderTest host;
            fill(host);
            groups[0]->append(last + 1, last + 2, 7);
            groups[1]->append(last + 1, last + 1, 7);
            host.drive_all();
            closed ? host.close() : host.kill();
            {
                auto handle = host.disk.open(wal(file), Files::Mode::read_write).value();
                ByteView old = as_bytes(before).subspan(cut);
                ASSERT_TRUE(handle->write_at(cut, {&old, 1}).has_value());
            }
            host.open();
            auto logs = host.store().take_recovered();
            Index one = find(logs, GroupId(1))->last;
            bool whole = one == Index(last + 2) && find(logs, GroupId(2))->last == Index(last + 1);
            EXPECT_TRUE(cut + 8 > end || !whole);
            EXPECT_TRUE(cut < end || whole);
            EXPECT_TRUE(one == Index(last) || one == Index(last + 2)) << "half of a store";
            bool found =
                std::ranges::any_of(logs, [](const auto& l) { return l.damage.has_value(); });
            EXPECT_EQ(found, closed && !whole) << "torn is no damage, unless it was vouched for";
            EXPECT_EQ(!host.stepped->findings().empty(), found);
            if (found) {
                EXPECT_THAT(host.stepped->findings(),
                            ::testing::Contains(HasSubstr(wal_name(file))));
            }
            if (HasFailure()) return;
        }
    }
}

TEST_F(WalDamage, a_missing_log_file_damages_whoever_wrote_to_it) {
    SteppedUnderTest model;
    fill(model);
    std::vector<std::string> paths = model.disk.all_files();
    std::uint64_t settled = model.home.content()->mark.file;
    std::uint64_t missed = 0;
    for (const std::string& path : paths) {
        for (bool closed : {true, false}) {
            SteppedUnderTest host;
            fill(host);
            closed ? host.close() : host.kill();
            ASSERT_TRUE(host.disk.remove(path).has_value());
            host.open();
            check(host, path + " is missing", closed);
            auto file = parse_wal_name(path.substr(path.rfind('/') + 1));
            if (file && *file == settled + 1) {
                ++missed;
                EXPECT_GE(damaged, 3u);
                EXPECT_LE(damaged, group_count);
            } else if (!file) {
                EXPECT_EQ(damaged, 0u) << path;
                EXPECT_THAT(host.stepped->findings(), ::testing::Contains(HasSubstr(path)));
            }
            check_life_goes_on(host);
            if (HasFailure()) return;
        }
    }
    EXPECT_EQ(missed, 2u);
}

TEST_F(WalDamage, all_log_files_missing_is_damage_and_not_a_new_store) {
    SteppedUnderTest host;
    fill_and_close(host);
    for (const std::string& path : host.disk.all_files()) {
        if (path.find("wal-") != std::string::npos) {
            ASSERT_TRUE(host.disk.remove(path).has_value());
        }
    }
    host.open();
    check(host, "no log file");
    EXPECT_GE(damaged, 3u);
    check_life_goes_on(host);
}

TEST_F(WalDamage, without_the_settled_log_its_second_copy_keeps_groups_and_votes) {
    SteppedUnderTest host;
    fill_and_close(host);
    host.home.damage();
    host.open();
    check(host, "settled log damaged");
    EXPECT_EQ(damaged, 3u) << "group 4 has nothing settled that it needs";
    EXPECT_THAT(host.stepped->findings(), ::testing::Contains(HasSubstr("set aside")));
    check_life_goes_on(host);
}

TEST_F(WalDamage, damaged_files_are_kept_aside) {
    SteppedUnderTest host;
    fill(host);
    std::uint64_t file = host.home.content()->mark.file + 1;
    host.close();
    host.disk.flip_bit(wal(file), header_bytes + 10, 1);
    std::string content = host.disk.contents(wal(file));
    host.open();
    EXPECT_EQ(host.disk.contents("log/damaged/" + wal_name(file) + ".1"), content);
}

TEST_F(WalDamage, a_bad_record_among_good_ones_is_damage_even_without_a_watermark_that_says_so) {
    SteppedUnderTest host;
    fill(host);
    std::uint64_t file = host.home.content()->mark.file + 1;
    host.kill();
    host.disk.flip_bit(wal(file), header_bytes + header_bytes + 3, 1);  // a payload
    host.open();
    check(host, "after a crash", false);
    EXPECT_EQ(damaged, 1u);
}

TEST_F(WalDamage, entries_that_a_release_covers_may_rot) {
    SteppedUnderTest host;
    GroupOf group(host, 1);
    ASSERT_TRUE(group.create().has_value());
    group.attach();
    group.append(1, 1, 1, 100);
    ASSERT_TRUE(group.flush());
    group.append(2, 3, 1, 100);
    group.release(2, 1);
    ASSERT_TRUE(group.flush());
    host.close();
    std::string content = host.disk.contents(wal(1));
    host.disk.flip_bit(wal(1), content.find(GroupOf::payload(1, 1, 100)) + 5, 1);
    host.open();
    auto logs = host.store().take_recovered();
    EXPECT_FALSE(logs.front().damage);
    EXPECT_EQ(logs.front().last, Index(3));
    EXPECT_FALSE(host.stepped->findings().empty()) << "said all the same";
}

TEST_F(WalDamage, the_vote_that_the_watermark_knows_is_not_given_again) {
    SteppedUnderTest host;
    fill(host);
    std::uint64_t file = host.home.content()->mark.file + 1;
    std::string before = host.disk.contents(wal(file));
    vote(*groups[0], 999);
    host.drive_all();
    host.close();
    {
        auto handle = host.disk.open(wal(file), Files::Mode::read_write).value();
        ByteView old = as_bytes(before);
        ASSERT_TRUE(handle->write_at(0, {&old, 1}).has_value());
    }
    host.open();
    auto logs = host.store().take_recovered();
    const RecoveredLog* log = find(logs, GroupId(1));
    ASSERT_TRUE(log->damage);
    EXPECT_EQ(log->hard, (raft::HardState{Term(999), MemberId(9)}));
    EXPECT_EQ(GroupOf(host, 1).recover()->damage->what, log->damage->what);
    host.store().repaired(GroupId(1));
    EXPECT_FALSE(GroupOf(host, 1).recover()->damage);
}

TEST_F(WalDamage, a_rotten_record_is_found_when_its_file_settles) {
    SteppedUnderTest host;
    GroupOf group(host, 1);
    ASSERT_TRUE(group.create().has_value());
    group.attach();
    group.append(1, 5, 1, 200);
    ASSERT_TRUE(group.flush());
    std::string content = host.disk.contents(wal(1));
    host.disk.flip_bit(wal(1), content.find(GroupOf::payload(2, 1, 200)) + 50, 1);
    for (std::uint64_t i = 6; host.failures.empty() && i < 200; ++i) {
        group.append(i, i, 1, 200);
        host.drive_all();
    }
    ASSERT_EQ(host.failures.size(), 1u);
    EXPECT_EQ(host.failures[0].code, Errc::corrupt);
    EXPECT_THAT(host.failures[0].what, HasSubstr(wal(1)));
    host.kill();
    host.open();
    auto logs = host.store().take_recovered();
    ASSERT_TRUE(logs.front().damage);
    EXPECT_EQ(logs.front().last, Index(1));
    EXPECT_GT(logs.front().damage->promised, Index(6));
}

TEST_F(WalDamage, a_rotten_entry_is_not_handed_out) {
    LogOptions options = small_files();
    SteppedUnderTest host(options);
    GroupOf group(host, 1);
    ASSERT_TRUE(group.create().has_value());
    group.attach();
    group.append(1, 5, 1, 200);
    ASSERT_TRUE(group.flush());
    host.stepped->step(host.now);
    std::string content = host.disk.contents(wal(1));
    host.disk.flip_bit(wal(1), content.find(GroupOf::payload(2, 1, 200)) + 50, 1);
    auto read = group.read(2, 2);
    ASSERT_FALSE(read.has_value());
    EXPECT_EQ(read.error().code, Errc::corrupt);
    EXPECT_TRUE(group.read(3, 5).has_value());
}

}  // namespace
}  // namespace quorate::storage
