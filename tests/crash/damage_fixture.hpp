#pragma once

#include "tests/support/cluster.hpp"
#include "tests/support/load.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace quorate::testing {

// What a disk or a careless hand does to one file.
enum class Harm { flipped_bit, cut_short, removed };

// Three hosts with a map whose log spans several files, whose older part lies in the settled log,
// and of which every host has a snapshot. One host is stopped, harmed and started again and again.
class Damage : public ::testing::Test {
 protected:
    Damage();

    // Harms every file of the host's data directory once, one at a time, and each time holds the host to
    // this: it starts, says what it found, and all members come to hold the same state.
    void harm_each(Harm harm);
    // Every acknowledged command is found.
    void check();

 private:
    // A file of the stopped host, and a name for it that outlives rotation: "log/wal #2".
    struct Target {
        std::string path;
        std::string label;
    };
    void write_fresh();
    std::vector<Target> targets() const;
    const Target* next_target(const std::vector<Target>& all) const;
    void harm_one(const Target& target, Harm harm);
    std::string inflict(const Target& target, Harm harm);
    void expect_said(const Target& target, Harm harm, const std::string& said) const;

    Cluster cluster_{
        {.settings = {"snapshot.interval_entries=0", "snapshot.retained_entries=500"}}};
    std::unique_ptr<Load> load_;
    std::mt19937_64 random_;
    std::set<std::string> done_;  // labels
    std::uint64_t fresh_ = 0;
    std::string newest_;  // the key that was written last
    std::size_t victim_ = 1;
};

}  // namespace quorate::testing
