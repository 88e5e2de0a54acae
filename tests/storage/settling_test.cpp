#include "tests/storage/stepped_fixture.hpp"

#include <gtest/gtest.h>

namespace quorate::storage {
namespace {

std::size_t settled_entries(const SteppedUnderTest& host) {
    return host.home.content() == nullptr ? 0 : host.home.content()->entries.size();
}

// Writes 2,000 entries of which the last 40 are never released, and gives the most that the settled log held
// on the way.
std::size_t most_settled(SteppedUnderTest& host) {
    GroupOf group(host, 1);
    EXPECT_TRUE(group.create().has_value());
    group.attach();
    std::size_t most = 0;
    for (std::uint64_t last = 20; last <= 2000; last += 20) {
        group.append(last - 19, last, 1, 150);
        EXPECT_TRUE(group.flush());
        if (last > 40) group.release(last - 40, 1);
        host.drive_all();
        most = std::max(most, settled_entries(host));
    }
    return most;
}

TEST(Settling, comes_late_enough_to_spare_what_snapshots_release) {
    LogOptions options = small_files();
    {
        SteppedUnderTest host(options);
        EXPECT_GT(most_settled(host), 0u) << "full files settle at once";
    }
    options.waiting_files = 2;
    SteppedUnderTest host(options);
    EXPECT_EQ(most_settled(host), 0u);
    EXPECT_GT(host.home.checkpoints(), 10u) << "files are settled and used again";
}

TEST(Settling, spares_what_was_of_groups_that_are_gone) {
    LogOptions options = small_files();
    options.waiting_files = 2;
    SteppedUnderTest host(options);
    {
        GroupOf gone(host, 2);
        ASSERT_TRUE(gone.create().has_value());
        gone.attach();
        for (std::uint64_t last = 20; last <= 200; last += 20) {
            gone.append(last - 19, last, 1, 150);
            ASSERT_TRUE(gone.flush());
        }
        host.drive_all();
        ASSERT_EQ(host.home.checkpoints(), 0u) << "its files wait";
        host.store().detach(GroupId(2));
        ASSERT_TRUE(gone.erase().has_value());
    }
    EXPECT_EQ(most_settled(host), 0u);
    EXPECT_GT(host.home.checkpoints(), 10u);
    host.crash();
    host.open();
    auto found = host.store().take_recovered();
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found.front().group, GroupId(1));
    EXPECT_FALSE(found.front().damage);
}

TEST(Settling, waits_for_nothing_while_space_is_low) {
    LogOptions options = small_files();
    options.waiting_files = 2;
    options.low_percent = 50;
    SteppedUnderTest host(options);
    GroupOf group(host, 1);
    ASSERT_TRUE(group.create().has_value());
    group.attach();
    for (std::uint64_t i = 1; i <= 200; ++i) group.append(i, i, 1, 150);
    ASSERT_TRUE(group.flush());
    std::uint64_t before = host.home.checkpoints();
    std::uint64_t used = host.disk.capacity_bytes().value() - host.disk.free_bytes().value();
    host.disk.set_capacity(used + used / 2);
    host.now += 2s;
    host.stepped->step(host.now);  // sees it
    host.stepped->step(host.now);
    host.drive_all();
    EXPECT_GT(host.home.checkpoints(), before);
}

// The host that has no room for the next file goes on in the current one, and takes no proposals.
TEST(Settling, a_disk_without_room_for_the_next_file_is_low_and_not_broken) {
    SteppedUnderTest host(small_files());
    GroupOf group(host, 1);
    ASSERT_TRUE(group.create().has_value());
    group.attach();
    std::uint64_t used = host.disk.capacity_bytes().value() - host.disk.free_bytes().value();
    host.disk.set_capacity(used + 1000);
    std::uint64_t last = 0;
    for (; host.store().space() == Space::plenty && last < 200; host.drive_all()) {
        group.append(last + 1, last + 1, 1, 150);
        ++last;
    }
    EXPECT_EQ(host.store().space(), Space::low);
    group.append(last + 1, last + 1, 1, 150);
    EXPECT_TRUE(group.flush());
    EXPECT_TRUE(host.failures.empty());
    host.disk.set_capacity(1 << 30);
    group.append(last + 2, last + 300, 1, 150);
    EXPECT_TRUE(group.flush());
    EXPECT_TRUE(host.failures.empty());
}

}  // namespace
}  // namespace quorate::storage
