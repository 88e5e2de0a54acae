#pragma once

#include "tests/crash/seed.hpp"
#include "tests/support/cluster.hpp"
#include "tests/support/load.hpp"

#include <gtest/gtest.h>

#include <iostream>
#include <random>

namespace quorate::testing {

using Random = std::mt19937_64;

// Three hosts with two groups, both under load: a map, and a ledger that sees what was applied twice.
class Kill : public ::testing::Test {
 protected:
    Kill() {
        cluster_.install(kv_plugin());
        cluster_.install(ledger_plugin());
        cluster_.create_group("map", "quorate.kv");
        cluster_.create_group("ledger", "test.ledger");
        map_ = std::make_unique<Load>(LoadOptions{
            .endpoints = cluster_.endpoints(), .group = "map", .threads = 2, .prefix = "m"});
        ledger_ = std::make_unique<Load>(LoadOptions{.endpoints = cluster_.endpoints(),
                                                     .group = "ledger",
                                                     .tongue = &ledger_tongue(),
                                                     .prefix = "l"});
    }

    void both_go_on() {
        map_->wait_for_more(50);
        ledger_->wait_for_more(50);
    }

    void check() {
        map_->stop();
        ledger_->stop();
        std::cout << "map: " << map_->summary() << "\nledger: " << ledger_->summary() << "\n";
        cluster_.wait_equal("map");
        cluster_.wait_equal("ledger");
        EXPECT_EQ(map_->verify(cluster_.client()), "");
        EXPECT_EQ(ledger_->verify(cluster_.client()), "");
        EXPECT_GT(map_->acknowledged(), 0u);
    }

    // Small, so that snapshots and truncation happen while hosts die.
    Cluster cluster_{
        {.settings = {"snapshot.interval_entries=1500", "snapshot.retained_entries=200"}}};
    std::unique_ptr<Load> map_;
    std::unique_ptr<Load> ledger_;
};

}  // namespace quorate::testing
