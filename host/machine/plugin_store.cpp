#include "host/machine/plugin_store.hpp"

#include "host/base/log.hpp"
#include "host/machine/disk.hpp"
#include "host/machine/inspect.hpp"
#include "host/machine/sha256.hpp"

#include <algorithm>
#include <set>
#include <system_error>

namespace quorate::machine {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view library_suffix = ".so";
constexpr std::string_view record_suffix = ".json";
constexpr std::string_view damaged_suffix = ".damaged";
constexpr std::uint64_t max_record_bytes = 64 * 1024;
constexpr mode_t read_only = 0444;

std::string library_name(std::string_view build) {
    return std::string(build) + ".so";
}
std::string record_name(std::string_view build) {
    return std::string(build) + ".json";
}

// Errc::io for a file system call that failed.
Error directory_error(std::string_view action, const fs::path& path, const std::error_code& why) {
    return disk::system_error(Errc::io, action, path, why.value());
}

Result<std::vector<std::string>> names_in(const fs::path& directory) {
    std::vector<std::string> names;
    std::error_code why;
    for (fs::directory_iterator at(directory, why), end; !why && at != end; at.increment(why)) {
        names.push_back(at->path().filename().string());
    }
    if (why) return directory_error("list", directory, why);
    std::ranges::sort(names);
    return names;
}

// The build that a file of that name and suffix belongs to; empty if it is none of ours.
std::string build_of(const std::string& name, std::string_view suffix) {
    if (!name.ends_with(suffix)) return {};
    std::string build = name.substr(0, name.size() - suffix.size());
    return is_build_name(build) ? build : std::string();
}

}  // namespace

Result<std::unique_ptr<PluginStore>> PluginStore::open(fs::path directory, Options options) {
    std::error_code why;
    fs::create_directories(directory, why);
    if (why) return directory_error("make", directory, why);
    fs::permissions(directory, fs::perms::owner_all, why);
    if (why) return directory_error("set the mode of", directory, why);
    std::unique_ptr<PluginStore> store(new PluginStore(std::move(directory), options));
    TRY_VOID(store->recover());
    return store;
}

Result<void> PluginStore::recover() {
    TRY(std::vector<std::string> names, names_in(directory_));
    std::set<std::string> libraries;
    for (const std::string& name : names) {
        if (auto build = build_of(name, library_suffix); !build.empty()) libraries.insert(build);
    }
    for (const std::string& name : names) {
        std::string recorded = build_of(name, record_suffix);
        bool orphan = !recorded.empty() && !libraries.contains(recorded);
        if (!orphan && !name.ends_with(disk::unfinished_suffix)) continue;
        std::error_code why;
        fs::remove(directory_ / name, why);
        if (why) return directory_error("remove", directory_ / name, why);
        if (orphan) {
            log::warning("plugin_missing",
                         "a plugin's library is gone; it is not installed here any more",
                         {{"build", recorded}});
        } else {
            log::info("plugin_leftover_removed",
                      "removed what an interrupted installation has left", {{"file", name}});
        }
    }
    for (const std::string& build : libraries) TRY_VOID(recover_build(build));
    return {};
}

// Takes a library's record from the disk, or makes it anew.
Result<void> PluginStore::recover_build(const std::string& build) {
    fs::path path = directory_ / record_name(build);
    std::error_code why;
    bool exists = fs::exists(path, why);
    if (!exists) return remake_record(build);
    auto text = disk::read_file(path, max_record_bytes);
    Result<PluginRecord> record = text.has_value() ? decode_record(*text) : text.error();
    if (record.has_value() && record->build == build) {
        records_.emplace(build, *std::move(record));
        return {};
    }
    log::warning("plugin_record_damaged", "a plugin's record is damaged and is made anew",
                 {{"file", path.string()},
                  {"why", record.has_value() ? "of another build" : to_string(record.error())}});
    set_aside(record_name(build));
    return remake_record(build);
}

// From the library itself. What is not a whole plugin is set aside: it is not what its name says.
Result<void> PluginStore::remake_record(const std::string& build) {
    auto file = disk::read_file(directory_ / library_name(build), options_.max_plugin_bytes);
    std::string why;
    if (!file.has_value()) {
        why = to_string(file.error());
    } else if (sha256_hex(as_bytes(*file)) != build) {
        why = "its SHA-256 is not its name";
    } else if (auto found = inspect(as_bytes(*file)); !found.has_value()) {
        why = to_string(found.error());
    } else {
        return keep(
            {.build = build, .manifest = std::move(found->manifest), .bytes = file->size()});
    }
    log::error("plugin_damaged", "a stored plugin is damaged and was set aside",
               {{"build", build}, {"why", why}});
    set_aside(library_name(build));
    return {};
}

Result<void> PluginStore::keep(PluginRecord record) {
    TRY_VOID(disk::write_durably(directory_, record_name(record.build), as_bytes(encode(record)),
                                 read_only));
    std::string build = record.build;
    records_.insert_or_assign(std::move(build), std::move(record));
    return {};
}

// Out of the way but kept as evidence. An earlier one of that name gives way.
void PluginStore::set_aside(const std::string& file_name) {
    fs::path path = directory_ / file_name;
    fs::path aside = directory_ / (file_name + std::string(damaged_suffix));
    std::error_code why;
    fs::rename(path, aside, why);
    if (!why) {
        if (auto synced = disk::sync_directory(directory_); synced.has_value()) return;
    }
    log::error("plugin_not_set_aside", "a damaged file could not be set aside",
               {{"file", path.string()}, {"why", why.message()}});
}

std::uint64_t PluginStore::last_installation() const {
    std::uint64_t last = 0;
    for (const auto& [build, record] : records_) last = std::max(last, record.installed);
    return last;
}

Result<PluginRecord> PluginStore::install(ByteView file) {
    if (file.size() > options_.max_plugin_bytes) {
        return fail(Errc::plugin_unreadable, "the plugin has " + std::to_string(file.size()) +
                                                 " bytes; the limit is " +
                                                 std::to_string(options_.max_plugin_bytes));
    }
    TRY(Inspection found, inspect(file));
    std::string build = sha256_hex(file);
    auto known = records_.find(build);
    std::error_code unreadable;
    if (known != records_.end() && fs::exists(directory_ / library_name(build), unreadable)) {
        return known->second;
    }
    if (records_.size() >= options_.max_plugins) {
        return fail(Errc::overloaded,
                    "already " + std::to_string(records_.size()) + " plugins are installed",
                    "remove builds that no group uses");
    }
    // The library first: a crash between the two leaves one that recover() takes up.
    TRY_VOID(disk::write_durably(directory_, library_name(build), file, read_only));
    PluginRecord record{.build = build,
                        .manifest = std::move(found.manifest),
                        .bytes = file.size(),
                        .installed = last_installation() + 1};
    if (auto kept = keep(record); !kept.has_value()) {
        std::error_code ignored;
        fs::remove(directory_ / library_name(build), ignored);
        return kept.error();
    }
    return record;
}

Result<PluginRecord> PluginStore::install_file(const fs::path& path) {
    TRY(std::string file, disk::read_file(path, options_.max_plugin_bytes));
    auto installed = install(as_bytes(file));
    if (!installed.has_value()) return within(path.string(), installed.error());
    return installed;
}

std::vector<PluginRecord> PluginStore::list() const {
    std::vector<PluginRecord> all;
    for (const auto& [build, record] : records_) all.push_back(record);
    std::ranges::stable_sort(all, {}, &PluginRecord::installed);
    return all;
}

Result<PluginRecord> PluginStore::find(std::string_view what) const {
    std::vector<const PluginRecord*> all;
    for (const auto& [build, record] : records_) all.push_back(&record);
    TRY(const PluginRecord* found, find_plugin(all, what));
    return *found;
}

Result<PluginStore::Image> PluginStore::open_image(std::string_view build) {
    auto known = records_.find(build);
    if (known == records_.end()) {
        return fail(Errc::plugin_not_found, "build " + std::string(build) + " is not installed");
    }
    fs::path path = directory_ / library_name(build);
    TRY(std::string file, disk::read_file(path, options_.max_plugin_bytes));
    if (sha256_hex(as_bytes(file)) == build) {
        return Image{known->second, std::move(path), Bytes::take(std::move(file))};
    }
    std::string name = title(known->second.manifest);
    set_aside(library_name(build));
    TRY_VOID(remove(build));
    return fail(Errc::corrupt,
                "plugin " + name + ": " + path.string() +
                    " is not what was installed, its SHA-256 differs; it was set aside",
                "install it again, or let this host fetch it from another");
}

Result<void> PluginStore::remove(std::string_view build) {
    auto known = records_.find(build);
    if (known == records_.end()) return {};
    records_.erase(known);
    for (const std::string& name : {library_name(build), record_name(build)}) {
        std::error_code why;
        fs::remove(directory_ / name, why);
        if (why) return directory_error("remove", directory_ / name, why);
    }
    return disk::sync_directory(directory_);
}

}  // namespace quorate::machine
