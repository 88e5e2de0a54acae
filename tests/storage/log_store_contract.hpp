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
    // Reopens and returns what is found of this group.
    std::optional<RecoveredLog> recover(GroupId id) {
        host->reopen();
        auto logs = host->store().take_recovered();
        const RecoveredLog* found = find(logs, id);
        return found != nullptr ? std::optional(*found) : std::nullopt;
    }
};

}  // namespace quorate::storage
