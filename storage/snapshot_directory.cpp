#include "storage/snapshot_directory.hpp"

#include "host/base/log.hpp"
#include "storage/snapshot_streams.hpp"

#include <algorithm>

namespace quorate::storage {
namespace {

constexpr std::string_view aside_prefix = "tmp-";

}  // namespace

Result<std::unique_ptr<SnapshotDirectory>> SnapshotDirectory::open(Files& files, std::string root,
                                                                   Options options) {
    TRY_VOID(make_directory_durably(files, root));
    std::unique_ptr<SnapshotDirectory> store(
        new SnapshotDirectory(std::make_shared<SnapshotShelf>(files, std::move(root), options)));
    TRY_VOID(store->sweep());
    return store;
}

Result<void> SnapshotDirectory::sweep() {
    TRY(auto names, shelf_->files.list(shelf_->root));
    for (const std::string& name : names) {
        if (name.starts_with(aside_prefix)) {
            TRY_VOID(shelf_->files.remove(shelf_->root + "/" + name));
        }
        auto group = parse_hex_name(name);
        if (group) TRY_VOID(sweep_group(*group));
    }
    return {};
}

Result<void> SnapshotDirectory::sweep_group(GroupId group) {
    std::string group_path = shelf_->group_path(group);
    TRY(auto names, shelf_->files.list(group_path));
    for (const std::string& name : names) {
        if (!name.starts_with(aside_prefix)) continue;
        TRY_VOID(shelf_->files.remove(group_path + "/" + name));
    }
    return {};
}

Result<std::unique_ptr<SnapshotWriter>> SnapshotDirectory::begin(SnapshotMeta meta) {
    return make_snapshot_writer(shelf_, std::move(meta));
}

Result<std::unique_ptr<SnapshotReceiver>> SnapshotDirectory::receive(GroupId group, EntryId last) {
    return make_snapshot_receiver(shelf_, group, last);
}

Result<std::unique_ptr<SnapshotReader>> SnapshotDirectory::open(GroupId group, EntryId last) {
    return make_snapshot_reader(shelf_, group, last);
}

Result<std::unique_ptr<SnapshotSource>> SnapshotDirectory::source(GroupId group, EntryId last) {
    return make_snapshot_source(shelf_, group, last);
}

Result<std::vector<SnapshotInfo>> SnapshotDirectory::list(GroupId group) {
    TRY(auto names, shelf_->names(group));
    std::vector<SnapshotInfo> found;
    for (const SnapshotName& name : names) {
        if (!found.empty() && found.back().meta.last == name.last) continue;  // an older edition
        auto loaded = shelf_->load(group, name);
        if (loaded.has_value()) {
            found.push_back((*loaded)->info());
        } else if (loaded.error().code == Errc::corrupt) {
            TRY_VOID(shelf_->set_aside(group, name, loaded.error()));
        } else if (loaded.error().code != Errc::io || found.empty()) {
            return loaded.error();
        } else {
            log::warning("snapshot_unreadable", "an older snapshot cannot be read; a newer one can",
                         {{"group", hex_name(group)}, {"why", to_string(loaded.error())}});
        }
    }
    return found;
}

Result<void> SnapshotDirectory::prune(GroupId group, std::size_t keep) {
    TRY(auto kept, list(group));
    if (!kept.empty()) TRY_VOID(remove_transfers_up_to(group, kept.front().meta.last.index));
    kept.resize(std::min(kept.size(), keep));
    TRY(auto names, shelf_->names(group));
    std::optional<EntryId> previous;
    for (const SnapshotName& name : names) {
        bool is_kept = previous != name.last && std::ranges::any_of(kept, [&](const auto& info) {
                           return info.meta.last == name.last;
                       });
        previous = name.last;
        if (!is_kept) TRY_VOID(shelf_->drop(group, name));
    }
    return {};
}

Result<void> SnapshotDirectory::remove_transfers_up_to(GroupId group, Index newest) {
    auto claim = SnapshotClaim::take(shelf_, group);
    if (!claim.has_value()) return {};  // one is under way, and looks after the others
    std::string group_path = shelf_->group_path(group);
    TRY(auto names, shelf_->files.list(group_path));
    for (const std::string& name : names) {
        auto last = parse_partial_name(name);
        if (last && last->index <= newest) TRY_VOID(shelf_->files.remove(group_path + "/" + name));
    }
    return {};
}

// Renamed away first, so that a crash leaves all of the group or nothing of it.
Result<void> SnapshotDirectory::erase(GroupId group) {
    std::string dead = shelf_->root + "/" + std::string(aside_prefix) + "erase-" + hex_name(group);
    TRY_VOID(shelf_->files.remove(dead));
    shelf_->forget(group);
    TRY(bool is_there, shelf_->files.exists(shelf_->group_path(group)));
    if (!is_there) return {};
    TRY_VOID(shelf_->files.rename(shelf_->group_path(group), dead));
    TRY_VOID(shelf_->files.sync_directory(shelf_->root));
    return shelf_->files.remove(dead);
}

Result<std::vector<GroupId>> SnapshotDirectory::groups() {
    TRY(auto names, shelf_->files.list(shelf_->root));
    std::vector<GroupId> found;
    for (const std::string& name : names) {
        auto group = parse_hex_name(name);
        if (group) found.push_back(*group);
    }
    return found;
}

}  // namespace quorate::storage
