#pragma once

#include "host/base/result.hpp"
#include "tests/support/sim_content.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace quorate::sim {

struct SimNode;
using SimNodePtr = std::shared_ptr<SimNode>;
using SimEntries = std::map<std::string, SimNodePtr, std::less<>>;

// A file or a directory.
struct SimNode {
    bool directory = false;
    SimContent content;  // of a file
    SimEntries live;     // of a directory: as running processes see it
    SimEntries durable;  // and as it is after a power cut that loses all that is pending
};

// The directory tree of a simulated disk, and the changes to it that no sync_directory has made
// durable yet. A power cut drops any of those, except that what came later under a name never
// survives what came before under it; a rename inside one directory is one change. Of a rename
// from one directory to another, syncing the target alone makes the new name durable while the old one
// may come back. Thread: the owner's.
class SimTree {
 public:
    SimTree() { root_->directory = true; }

    // Errc::not_found if a part is missing, io if a part but the last is a file.
    Result<SimNodePtr> find(std::string_view path) const;
    Result<SimNodePtr> create_file(std::string_view path);
    Result<void> make_directories(std::string_view path);
    Result<void> rename(std::string_view from, std::string_view to);
    void remove(std::string_view path);
    Result<void> sync(std::string_view path);
    void cut_power(PowerCut& cut);

    // Every file of the live tree, in path order.
    void each_file(const std::function<void(const std::string&, SimNode&)>& visit) const;

 private:
    struct Change {
        std::uint64_t unit;  // changes of one unit survive together or not at all
        SimNodePtr directory;
        std::string name;
        SimNodePtr node;
        bool link;  // the name now leads to the node; else it no longer does
    };
    struct Place {
        SimNodePtr directory;
        std::string name;
    };

    Result<Place> place(std::string_view path) const;
    void change(std::uint64_t unit, const Place& place, const SimNodePtr& node, bool link);
    void remove_below(const SimNodePtr& directory);
    static void apply(const Change& change);

    SimNodePtr root_ = std::make_shared<SimNode>();
    std::vector<Change> pending_;  // oldest first
    std::uint64_t last_unit_ = 0;
};

}  // namespace quorate::sim
