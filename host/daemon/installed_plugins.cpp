#include "host/daemon/installed_plugins.hpp"

#include "host/machine/plugin_probe.hpp"

namespace quorate::daemon {
namespace {

group::PluginSummary summary(const machine::PluginRecord& record) {
    group::PluginSummary summary;
    summary.id = record.manifest.id;
    summary.version = record.manifest.version;
    summary.build = record.build;
    summary.bytes = record.bytes;
    summary.manifest = record.manifest.json;
    for (const machine::MachineManifest& machine : record.manifest.machines) {
        summary.machines.push_back(machine.name);
        for (const std::string& usage : machine.commands)
            summary.usage.push_back("submit GROUP " + usage);
        for (const std::string& usage : machine.queries)
            summary.usage.push_back("query GROUP " + usage);
    }
    return summary;
}

}  // namespace

machine::HostProgram host_program(std::string version) {
    return {.name = "quorated", .version = std::move(version)};
}

InstalledPlugins::InstalledPlugins(std::unique_ptr<machine::PluginStore> store, std::string version)
    : store_(std::move(store)),
      table_(std::make_unique<machine::PluginTable>(
          *store_, host_program(std::move(version)),
          [](ByteView file) { return machine::probe_plugin(file, {}); })) {}

Result<std::unique_ptr<InstalledPlugins>> InstalledPlugins::open(
    const std::filesystem::path& directory, std::string version) {
    TRY(auto store, machine::PluginStore::open(directory));
    std::unique_ptr<InstalledPlugins> plugins(
        new InstalledPlugins(std::move(store), std::move(version)));
    plugins->table_->load_all();
    return plugins;
}

Result<group::PluginSummary> InstalledPlugins::install(Bytes image) {
    auto record = disk_.with([&](Disk&) { return table_->install(image.view()); });
    if (!record.has_value()) return record.error();
    return summary(*record);
}

std::vector<group::PluginSummary> InstalledPlugins::list() {
    std::vector<group::PluginSummary> list;
    for (const machine::PluginRecord& record : table_->loaded()) list.push_back(summary(record));
    return list;
}

Result<machine::MachineRef> InstalledPlugins::resolve(const std::string& plugin,
                                                      const std::string& machine) {
    return table_->resolve(plugin, machine);
}

Result<Bytes> InstalledPlugins::image(const std::string& build) {
    auto opened = disk_.with([&](Disk&) { return store_->open_image(build); });
    if (!opened.has_value()) return opened.error();
    return opened->file;
}

}  // namespace quorate::daemon
