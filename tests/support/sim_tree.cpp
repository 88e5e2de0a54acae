#include "tests/support/sim_tree.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace quorate::sim {
namespace {

Error failed(std::string_view what, std::string_view path, Errc code, std::string_view why) {
    return fail(code, "cannot " + std::string(what) + " " + std::string(path) + ": " +
                          std::string(why) + " (simulated disk)");
}

Error missing(std::string_view what, std::string_view path) {
    return failed(what, path, Errc::not_found, "No such file or directory");
}

void walk(const SimNodePtr& node, const std::string& path,
          const std::function<void(const std::string&, SimNode&)>& visit) {
    if (!node->directory) return visit(path, *node);
    for (const auto& [name, child] : node->live) {
        walk(child, path.empty() ? name : path + "/" + name, visit);
    }
}

bool contains(const SimNodePtr& node, const SimNode* wanted) {
    return node.get() == wanted || std::ranges::any_of(node->live, [&](const auto& entry) {
               return contains(entry.second, wanted);
           });
}

void cut_nodes(SimNode& node, PowerCut& cut, std::set<SimNode*>& seen) {
    if (!seen.insert(&node).second) return;
    if (!node.directory) return node.content.cut_power(cut);
    node.live = node.durable;
    for (const auto& [name, child] : node.live) cut_nodes(*child, cut, seen);
}

}  // namespace

Result<SimNodePtr> SimTree::find(std::string_view path) const {
    SimNodePtr node = root_;
    for (std::string_view rest = path; !rest.empty();) {
        std::size_t slash = std::min(rest.find('/'), rest.size());
        if (!node->directory) return failed("reach", path, Errc::io, "Not a directory");
        auto entry = node->live.find(rest.substr(0, slash));
        if (entry == node->live.end()) return missing("open", path);
        node = entry->second;
        rest.remove_prefix(std::min(slash + 1, rest.size()));
    }
    return node;
}

Result<SimTree::Place> SimTree::place(std::string_view path) const {
    std::size_t slash = path.rfind('/');
    bool top = slash == std::string_view::npos;
    TRY(SimNodePtr directory, find(top ? "" : path.substr(0, slash)));
    if (!directory->directory) return failed("reach", path, Errc::io, "Not a directory");
    return Place{directory, std::string(top ? path : path.substr(slash + 1))};
}

void SimTree::change(std::uint64_t unit, const Place& place, const SimNodePtr& node, bool link) {
    if (link) {
        place.directory->live[place.name] = node;
    } else {
        place.directory->live.erase(place.name);
    }
    pending_.push_back({unit, place.directory, place.name, node, link});
}

Result<SimNodePtr> SimTree::create_file(std::string_view path) {
    TRY(Place at, place(path));
    if (at.directory->live.contains(at.name)) return failed("open", path, Errc::io, "File exists");
    auto node = std::make_shared<SimNode>();
    change(++last_unit_, at, node, true);
    return node;
}

Result<void> SimTree::make_directories(std::string_view path) {
    for (std::size_t end = 0; end < path.size();) {
        end = std::min(path.find('/', end + 1), path.size());
        TRY(Place at, place(path.substr(0, end)));
        auto entry = at.directory->live.find(at.name);
        if (entry == at.directory->live.end()) {
            auto node = std::make_shared<SimNode>();
            node->directory = true;
            change(++last_unit_, at, node, true);
        } else if (!entry->second->directory) {
            return failed("make directory", path, Errc::io, "File exists");
        }
    }
    return {};
}

Result<void> SimTree::rename(std::string_view from, std::string_view to) {
    TRY(SimNodePtr node, find(from));
    TRY(Place source, place(from));
    TRY(Place target, place(to));
    if (contains(node, target.directory.get())) {
        return failed("rename", from, Errc::io, "Invalid argument");
    }
    auto replaced = target.directory->live.find(target.name);
    if (replaced != target.directory->live.end()) {
        if (replaced->second == node) return {};
        if (replaced->second->directory != node->directory) {
            return failed("rename over", to, Errc::io, "one is a directory, the other not");
        }
        if (!replaced->second->live.empty()) {
            return failed("rename over", to, Errc::io, "Directory not empty");
        }
    }
    std::uint64_t unit = ++last_unit_;
    change(unit, source, node, false);
    change(unit, target, node, true);
    return {};
}

// As rm does it: from the leaves up, each removal a change of its own, so that a power cut may
// leave a directory with some of its files gone.
void SimTree::remove_below(const SimNodePtr& directory) {
    while (!directory->live.empty()) {
        auto [name, node] = *directory->live.begin();
        if (node->directory) remove_below(node);
        change(++last_unit_, {directory, name}, node, false);
    }
}

void SimTree::remove(std::string_view path) {
    auto node = find(path);
    if (!node.has_value()) return;
    if ((*node)->directory) remove_below(*node);
    auto at = place(path);
    if (at.has_value()) change(++last_unit_, *at, *node, false);
}

void SimTree::apply(const Change& change) {
    SimEntries& entries = change.directory->durable;
    if (change.link) {
        entries[change.name] = change.node;
        return;
    }
    auto entry = entries.find(change.name);
    if (entry != entries.end() && entry->second == change.node) entries.erase(entry);
}

Result<void> SimTree::sync(std::string_view path) {
    TRY(SimNodePtr directory, find(path));
    if (!directory->directory) return failed("sync directory", path, Errc::io, "Not a directory");
    // A node that left this directory is not lost by the sync: its new name comes with it.
    std::set<std::uint64_t> left_here;
    for (const Change& change : pending_) {
        if (change.directory == directory && !change.link) left_here.insert(change.unit);
    }
    std::vector<Change> still_pending;
    for (const Change& change : pending_) {
        if (change.directory == directory || left_here.contains(change.unit)) {
            apply(change);
            // What is pending from before under the same name is overtaken.
            std::erase_if(still_pending, [&](const Change& older) {
                return older.directory == change.directory && older.name == change.name;
            });
        } else {
            still_pending.push_back(change);
        }
    }
    pending_ = std::move(still_pending);
    return {};
}

void SimTree::cut_power(PowerCut& cut) {
    // Real file systems keep the order of such changes; POSIX promises less. Both are tried.
    bool in_order = cut.random() % 2 == 0;
    std::set<std::pair<SimNode*, std::string>> lost_names;
    std::set<SimNode*> lost_nodes;  // nothing moves into a directory that is lost itself
    std::map<std::uint64_t, bool> kept;
    bool all_lost = false;
    for (const Change& change : pending_) {
        auto [unit, is_new] = kept.try_emplace(change.unit, false);
        if (is_new) {
            bool overtaken = std::ranges::any_of(pending_, [&](const Change& other) {
                return other.unit == change.unit &&
                       (lost_nodes.contains(other.directory.get()) ||
                        lost_names.contains({other.directory.get(), other.name}));
            });
            unit->second = !overtaken && !all_lost && cut.keeps();
            if (!unit->second && in_order) all_lost = true;
        }
        if (unit->second) {
            apply(change);
        } else {
            lost_names.insert({change.directory.get(), change.name});
            if (change.link) lost_nodes.insert(change.node.get());
        }
    }
    pending_.clear();
    std::set<SimNode*> seen;
    cut_nodes(*root_, cut, seen);
}

void SimTree::each_file(const std::function<void(const std::string&, SimNode&)>& visit) const {
    walk(root_, "", visit);
}

}  // namespace quorate::sim
