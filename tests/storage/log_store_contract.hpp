#pragma once

#include "tests/storage/log_store_fixture.hpp"

namespace quorate::storage {

// What every log store owes to those above it. Instantiate with the engines to be held to it:
// INSTANTIATE_TEST_SUITE_P(Memory, LogStoreContract, ::testing::Values(LogStoreKind{...}));
class LogStoreContract : public ::testing::TestWithParam<LogStoreKind> {
 protected:
    std::unique_ptr<LogStoreUnderTest> host = GetParam().make();

    GroupOf new_group(std::uint64_t id) {
        GroupOf group(*host, id);
        EXPECT_TRUE(group.create("registration of " + std::to_string(id)).has_value());
        return group;
    }
    // Reopens and returns what is found of this group, which is what was said of it before.
    std::optional<RecoveredLog> recover(GroupId id) {
        Result<RecoveredLog> before = GroupOf(*host, id.value()).recover();
        host->reopen();
        auto logs = host->store().take_recovered();
        const RecoveredLog* found = find(logs, id);
        EXPECT_EQ(before.has_value(), found != nullptr);
        if (found == nullptr) return std::nullopt;
        EXPECT_EQ(before->hard, found->hard);
        EXPECT_EQ(before->base, found->base);
        EXPECT_EQ(before->runs, found->runs);
        EXPECT_EQ(before->last, found->last);
        EXPECT_EQ(before->memberships, found->memberships);
        return *found;
    }
};

}  // namespace quorate::storage
