#include "host/machine/loaded_plugins.hpp"

#include "host/base/log.hpp"
#include "host/machine/abi_call.hpp"
#include "host/machine/plugin_machine.hpp"

#include <algorithm>

namespace quorate::machine {
namespace {

// All builds of the process, so that they stay reachable when the table that loaded them is gone.
constinit std::atomic<LoadedBuild*> kept_builds{nullptr};

log::Level to_level(std::int32_t level) {
    switch (level) {
        case QR_LOG_DEBUG:
            return log::Level::debug;
        case QR_LOG_INFO:
            return log::Level::info;
        case QR_LOG_WARNING:
            return log::Level::warning;
        default:
            return log::Level::error;
    }
}

// A line that a plugin writes into the host's log. Nothing may be thrown through the plugin's
// frames; a line that cannot be written is dropped.
void on_log(const qr_host* host, std::int32_t level, qr_bytes text) {
    try {
        const auto& build = *static_cast<const LoadedBuild*>(host->ctx);
        constexpr std::size_t max_line = 4096;
        std::string line(reinterpret_cast<const char*>(text.data),
                         std::min<std::size_t>(text.size, max_line));
        log::write({to_level(level),
                    "plugin_says",
                    line,
                    {{"plugin", build.record.manifest.id}, {"build", build.record.build}}});
    } catch (...) {
        return;
    }
}

const void* no_extension(const qr_host*, const char*) {
    return nullptr;
}

Error refused(const std::string& what, std::string text) {
    return fail(Errc::plugin_refused, what + ": " + std::move(text));
}

Result<const qr_plugin*> call_entry(const LoadedBuild& build, qr_plugin_entry entry) {
    qr_error error = blank_error();
    const qr_plugin* plugin = nullptr;
    std::int32_t status = guarded(error, [&] {
        plugin = entry(&build.host, &error);
        return std::int32_t{QR_OK};
    });
    if (plugin != nullptr) return plugin;
    return refused("its entry function declined", text_of(error, status));
}

Result<void> call_load(const LoadedBuild& build) {
    if (build.tables.table.load == nullptr) return {};
    qr_error error = blank_error();
    std::int32_t status =
        guarded(error, [&] { return build.tables.table.load(&build.host, &error); });
    if (status == QR_OK) return {};
    return refused("its load function declined", text_of(error, status));
}

// "machine kv of quorate.kv 0.1.0 (build 3f9c12ab34cd)"
std::string machine_title(const PluginRecord& record, const std::string& machine) {
    return "machine " + machine + " of " + title(record.manifest) + " (build " +
           record.build.substr(0, 12) + ")";
}

bool share_a_table(const LoadedBuild& a, const LoadedBuild& b) {
    return std::ranges::any_of(a.tables.machines, [&b](const MachineType& type) {
        return std::ranges::find(b.tables.machines, type.origin, &MachineType::origin) !=
               b.tables.machines.end();
    });
}

}  // namespace

LoadedBuild& make_build(HostProgram program) {
    auto* build = new LoadedBuild;
    build->program = std::move(program);
    build->host = {.size = sizeof(qr_host),
                   .abi = QR_ABI,
                   .name = build->program.name.c_str(),
                   .version = build->program.version.c_str(),
                   .ctx = build,
                   .log = on_log,
                   .extension = no_extension};
    build->kept = kept_builds.load(std::memory_order_relaxed);
    while (!kept_builds.compare_exchange_weak(build->kept, build)) {
    }
    return *build;
}

Result<void> enter(LoadedBuild& build, qr_plugin_entry entry, const ImageRanges& image) {
    TRY(const qr_plugin* plugin, call_entry(build, entry));
    TRY(build.tables, read_tables(plugin, image));
    return {};
}

const LoadedBuild* LoadedPlugins::find(std::string_view build) const {
    const LoadedBuild* at = newest_.load(std::memory_order_acquire);
    while (at != nullptr && at->record.build != build) at = at->older;
    return at;
}

Result<void> LoadedPlugins::publish(LoadedBuild& build) {
    const LoadedBuild* newest = newest_.load(std::memory_order_relaxed);
    for (const LoadedBuild* at = newest; at != nullptr; at = at->older) {
        if (!share_a_table(*at, build)) continue;
        return fail(Errc::plugin_refused,
                    "its machines are those of " + title(at->record.manifest) + " (build " +
                        at->record.build.substr(0, 12) + "), which is loaded already",
                    "build each version with quorate_add_plugin(), its machines in an anonymous "
                    "namespace");
    }
    TRY_VOID(call_load(build));
    for (MachineType& type : build.tables.machines) {
        type.title = machine_title(build.record, type.name);
    }
    build.older = newest;
    newest_.store(&build, std::memory_order_release);
    return {};
}

Result<std::unique_ptr<Machine>> LoadedPlugins::create(const MachineRef& ref, GroupId group) {
    const LoadedBuild* build = find(ref.build);
    if (build == nullptr || build->record.manifest.id != ref.plugin) {
        return fail(Errc::plugin_not_found,
                    "build " + ref.build + " of plugin " + ref.plugin + " is not loaded here");
    }
    auto type = std::ranges::find(build->tables.machines, ref.machine, &MachineType::name);
    if (type == build->tables.machines.end()) {
        return fail(Errc::machine_not_found,
                    title(build->record.manifest) + " has no machine called " + ref.machine);
    }
    return PluginMachine::create(*type, build->host, ref.version, group);
}

std::vector<MachineRef> LoadedPlugins::builds_for(const MachineRef& ref) const {
    std::vector<MachineRef> builds;
    for (const LoadedBuild* at = newest_.load(std::memory_order_acquire); at != nullptr;
         at = at->older) {
        const Manifest& manifest = at->record.manifest;
        if (manifest.id != ref.plugin) continue;
        const MachineManifest* type = find_machine(manifest, ref.machine);
        if (type == nullptr || ref.version < type->version_min || ref.version > type->version_max) {
            continue;
        }
        MachineRef build = ref;
        build.build = at->record.build;
        builds.push_back(std::move(build));
    }
    return builds;
}

Result<MachineRef> LoadedPlugins::resolve(std::string_view plugin, std::string_view machine) const {
    std::vector<const PluginRecord*> records;
    for (const LoadedBuild* at = newest_.load(std::memory_order_acquire); at != nullptr;
         at = at->older) {
        records.push_back(&at->record);
    }
    TRY(const PluginRecord* record, find_plugin(records, plugin));
    const Manifest& manifest = record->manifest;
    const MachineManifest* type = machine.empty() && manifest.machines.size() == 1
                                      ? &manifest.machines.front()
                                      : find_machine(manifest, machine);
    if (type == nullptr) {
        return fail(Errc::machine_not_found,
                    machine.empty()
                        ? title(manifest) + " has several machines: name one"
                        : title(manifest) + " has no machine called " + std::string(machine));
    }
    return MachineRef{.plugin = manifest.id,
                      .build = record->build,
                      .machine = type->name,
                      .version = type->version_max};
}

std::vector<PluginRecord> LoadedPlugins::loaded() const {
    std::vector<PluginRecord> all;
    for (const LoadedBuild* at = newest_.load(std::memory_order_acquire); at != nullptr;
         at = at->older) {
        all.push_back(at->record);
    }
    return all;
}

}  // namespace quorate::machine
