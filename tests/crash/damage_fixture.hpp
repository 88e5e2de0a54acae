#pragma once

#include "tests/support/cluster.hpp"
#include "tests/support/load.hpp"

#include <gtest/gtest.h>

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

    // Harms every file of the host's data directory once, one at a time, that `wanted` accepts, and
    // each time holds the host to this: it starts, or says why not; it says what it found; all
    // members come to hold the same state.
    void harm_each(Harm harm, const std::function<bool(const std::string&)>& wanted);
    // Every acknowledged command is found.
    void check();

 private:
    // A file of the stopped host, and a name for it that outlives rotation: "log/wal #2".
    struct Target {
        std::string path;
        std::string label;
    };
    std::vector<Target> targets() const;
    const Target* next_target(const std::vector<Target>& all) const;
    void harm_one(const Target& target, Harm harm);
    std::string inflict(const std::string& path, Harm harm);
    void expect_said(const Target& target, Harm harm, const std::string& said) const;

    Cluster cluster_{
        {.settings = {"snapshot.interval_entries=0", "snapshot.retained_entries=500"}}};
    std::unique_ptr<Load> load_;
    std::mt19937_64 random_;
    std::function<bool(const std::string&)> wanted_;
    std::set<std::string> done_;  // labels
    int wals_said_ = 0;           // harmed files of the write-ahead log that something was said of
    std::size_t victim_ = 1;
};

}  // namespace quorate::testing
