#include "storage/snapshot_shelf.hpp"

#include "host/base/log.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace quorate::storage {
namespace {

std::optional<std::uint64_t> parse_number(std::string_view text, int base = 10) {
    std::uint64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

}  // namespace

std::string SnapshotName::text() const {
    char buffer[72];
    int size = std::snprintf(&buffer[0], sizeof(buffer), "%020llu-%llu-%llu",
                             static_cast<unsigned long long>(last.index.value()),
                             static_cast<unsigned long long>(last.term.value()),
                             static_cast<unsigned long long>(edition));
    return {&buffer[0], static_cast<std::size_t>(size)};
}

std::optional<SnapshotName> SnapshotName::parse(std::string_view text) {
    std::size_t first = text.find('-');
    std::size_t second = text.rfind('-');
    if (first == std::string_view::npos || first == second) return std::nullopt;
    auto index = parse_number(text.substr(0, first));
    auto term = parse_number(text.substr(first + 1, second - first - 1));
    auto edition = parse_number(text.substr(second + 1));
    if (!index || !term || !edition) return std::nullopt;
    SnapshotName name{{Term(*term), Index(*index)}, *edition};
    if (name.text() != text) return std::nullopt;
    return name;
}

std::string hex_name(GroupId group) {
    char buffer[17];
    std::snprintf(&buffer[0], sizeof(buffer), "%016llx",
                  static_cast<unsigned long long>(group.value()));
    return {&buffer[0], 16};
}

std::optional<GroupId> parse_hex_name(std::string_view name) {
    auto value = parse_number(name, 16);
    if (!value || hex_name(GroupId(*value)) != name) return std::nullopt;
    return GroupId(*value);
}

Result<std::vector<SnapshotName>> SnapshotShelf::names_on_disk(GroupId group) {
    auto listed = files.list(group_path(group));
    if (!listed.has_value() && listed.error().code == Errc::not_found) {
        return std::vector<SnapshotName>();
    }
    if (!listed.has_value()) return listed.error();
    std::vector<SnapshotName> found;
    for (const std::string& text : *listed) {
        auto name = SnapshotName::parse(text);
        if (name) found.push_back(*name);
    }
    return found;
}

Result<std::vector<SnapshotName>> SnapshotShelf::names(GroupId group) {
    TRY(auto found, names_on_disk(group));
    known_.with([&](Known& known) {
        std::erase_if(found, [&](const SnapshotName& name) {
            auto slot = known.slots.find(path(group, name));
            return slot != known.slots.end() && slot->second.doomed;
        });
    });
    std::ranges::sort(found, [](const SnapshotName& a, const SnapshotName& b) {
        return std::tie(b.last.index, b.last.term, b.edition) <
               std::tie(a.last.index, a.last.term, a.edition);
    });
    return found;
}

Result<SnapshotName> SnapshotShelf::find(GroupId group, EntryId last) {
    TRY(auto all, names(group));
    auto found = std::ranges::find(all, last, &SnapshotName::last);
    if (found != all.end()) return *found;
    return fail(Errc::not_found,
                "there is no snapshot at index " + std::to_string(last.index.value()) +
                    " of term " + std::to_string(last.term.value()) + " in " + group_path(group));
}

Result<std::unique_ptr<SnapshotFile>> SnapshotShelf::load(GroupId group, const SnapshotName& name) {
    std::string where = path(group, name);
    Condition condition = known_.with([&](Known& known) { return known.slots[where].condition; });
    if (condition == Condition::bad) {
        return fail(Errc::corrupt,
                    where + ": a part of it was found to be corrupt when it was read");
    }
    auto file = SnapshotFile::open(files, file_path(group, name));
    // The rename that gave it its name came after its file was synced: one without is damaged.
    if (!file.has_value() && file.error().code == Errc::not_found) {
        return fail(Errc::corrupt, file.error().what);
    }
    if (!file.has_value()) return file.error();
    const SnapshotMeta& meta = (*file)->meta();
    if (meta.group != group || meta.last != name.last) {
        return fail(Errc::corrupt, where + ": it holds a snapshot of another group or entry");
    }
    if (condition == Condition::unknown) {
        TRY_VOID((*file)->verify(SnapshotFile::Depth::checksums));
        known_.with([&](Known& known) { known.slots[where].condition = Condition::good; });
    }
    return file;
}

void SnapshotShelf::mark_bad(GroupId group, const SnapshotName& name) {
    known_.with([&](Known& known) {
        auto slot = known.slots.find(path(group, name));
        if (slot != known.slots.end()) slot->second.condition = Condition::bad;
    });
}

Result<void> SnapshotShelf::set_aside(GroupId group, const SnapshotName& name, const Error& why) {
    std::string from = path(group, name);
    std::string to;
    for (int attempt = 1; to.empty(); ++attempt) {
        std::string candidate =
            group_path(group) + "/bad-" + name.text() + "-" + std::to_string(attempt);
        TRY(bool taken, files.exists(candidate));
        if (!taken) to = candidate;
    }
    TRY_VOID(files.rename(from, to));
    TRY_VOID(files.sync_directory(group_path(group)));
    known_.with([&](Known& known) { known.slots.erase(from); });
    log::warning("snapshot_set_aside",
                 "a snapshot failed its checks and was set aside; it may be deleted",
                 {{"group", hex_name(group)},
                  {"index", name.last.index.value()},
                  {"term", name.last.term.value()},
                  {"moved_to", to},
                  {"why", to_string(why)}});
    return {};
}

Result<SnapshotName> SnapshotShelf::next_edition(GroupId group, EntryId last) {
    TRY(auto all, names_on_disk(group));
    SnapshotName next{last, 1};
    for (const SnapshotName& name : all) {
        if (name.last == last) next.edition = std::max(next.edition, name.edition + 1);
    }
    return next;
}

Result<SnapshotInfo> SnapshotShelf::publish(GroupId group, const std::string& from,
                                            SnapshotInfo info) {
    auto existing = find(group, info.meta.last);
    if (existing.has_value()) {
        auto loaded = load(group, *existing);
        if (loaded.has_value() && (*loaded)->meta() == info.meta) {
            TRY_VOID(files.remove(from));
            return (*loaded)->info();
        }
    }
    TRY(SnapshotName name, next_edition(group, info.meta.last));
    TRY_VOID(files.sync_directory(from));
    TRY_VOID(files.rename(from, path(group, name)));
    TRY_VOID(files.sync_directory(group_path(group)));
    known_.with([&](Known& known) { known.slots[path(group, name)].condition = Condition::good; });
    return info;
}

// Renamed away first: what lies under a snapshot's name is whole at every moment.
Result<void> SnapshotShelf::remove_snapshot(GroupId group, const SnapshotName& name) {
    std::string from = path(group, name);
    std::string dead = group_path(group) + "/tmp-dead-" + name.text();
    known_.with([&](Known& known) { known.slots.erase(from); });
    TRY_VOID(files.remove(dead));
    TRY_VOID(files.rename(from, dead));
    TRY_VOID(files.sync_directory(group_path(group)));
    return files.remove(dead);
}

Result<void> SnapshotShelf::drop(GroupId group, const SnapshotName& name) {
    bool is_open = known_.with([&](Known& known) {
        Slot& slot = known.slots[path(group, name)];
        slot.doomed = slot.open > 0;
        return slot.doomed;
    });
    if (is_open) return {};
    return remove_snapshot(group, name);
}

void SnapshotShelf::opened(GroupId group, const SnapshotName& name) {
    known_.with([&](Known& known) { ++known.slots[path(group, name)].open; });
}

void SnapshotShelf::closed(GroupId group, const SnapshotName& name) {
    bool is_last_of_doomed = known_.with([&](Known& known) {
        // Gone if the group was erased, or the snapshot set aside, meanwhile.
        auto slot = known.slots.find(path(group, name));
        if (slot == known.slots.end() || slot->second.open == 0) return false;
        return --slot->second.open == 0 && slot->second.doomed;
    });
    if (!is_last_of_doomed) return;
    auto removed = remove_snapshot(group, name);
    if (removed.has_value()) return;
    log::warning("snapshot_not_removed",
                 "an outdated snapshot could not be removed; the next start lists it again",
                 {{"path", path(group, name)}, {"why", to_string(removed.error())}});
}

Result<void> SnapshotShelf::claim(GroupId group) {
    bool is_free = known_.with([&](Known& known) { return known.claimed.insert(group).second; });
    if (is_free) return {};
    return fail(Errc::snapshot_busy,
                "a snapshot of group " + hex_name(group) + " is being written or received");
}

void SnapshotShelf::unclaim(GroupId group) {
    known_.with([&](Known& known) { known.claimed.erase(group); });
}

void SnapshotShelf::forget(GroupId group) {
    std::string prefix = group_path(group) + "/";
    auto is_of_group = [&](const auto& entry) { return entry.first.starts_with(prefix); };
    known_.with([&](Known& known) {
        std::erase_if(known.slots, is_of_group);
        std::erase_if(known.partial, is_of_group);
    });
}

void SnapshotShelf::set_partial(const std::string& path, std::uint64_t bytes) {
    known_.with([&](Known& known) { known.partial[path] = bytes; });
}

std::optional<std::uint64_t> SnapshotShelf::take_partial(const std::string& path) {
    return known_.with([&](Known& known) -> std::optional<std::uint64_t> {
        auto found = known.partial.extract(path);
        if (found.empty()) return std::nullopt;
        return found.mapped();
    });
}

Result<SnapshotClaim> SnapshotClaim::take(SnapshotShelfPtr shelf, GroupId group) {
    TRY_VOID(shelf->claim(group));
    return SnapshotClaim(std::move(shelf), group);
}

}  // namespace quorate::storage
