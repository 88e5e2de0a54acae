#pragma once

#include "host/machine/machine.hpp"
#include "host/machine/plugin_record.hpp"
#include "host/machine/plugin_tables.hpp"

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace quorate::machine {

// What the host program says of itself to plugins.
struct HostProgram {
    std::string name = "quorated";
    std::string version;
};

// One build that is loaded: its tables and what it was given. Built by one thread, immutable once
// it is published, and never freed, because a loaded library is never unloaded (dlclose does too
// little with thread_local objects and too much with live threads) and keeps
// `host`.
struct LoadedBuild {
    PluginRecord record;
    PluginTables tables;
    HostProgram program;
    qr_host host{};
    std::shared_ptr<void> handle;        // of the library; null if linked statically
    const LoadedBuild* older = nullptr;  // the one published before it in the same LoadedPlugins
    LoadedBuild* kept = nullptr;         // the next of all builds of the process

    LoadedBuild() = default;
    LoadedBuild(const LoadedBuild&) = delete;
    LoadedBuild& operator=(const LoadedBuild&) = delete;
};

// Makes a build that lives until the process ends.
LoadedBuild& make_build(HostProgram program);

// Asks a plugin's entry for its tables, checks them and copies them into `build`. Thread: the
// loader's.
// Errc::plugin_refused: the entry declined, or an exception left it; else as read_tables().
Result<void> enter(LoadedBuild& build, qr_plugin_entry entry, const ImageRanges& image);

// The builds that one host has loaded, as a factory of machines. The list only grows, at its head,
// by one atomic store, so readers need no lock.
// Thread: any, but for publish(): one at a time.
class LoadedPlugins : public MachineFactory {
 public:
    // Errc::plugin_not_found: the exact build is not loaded; machine_not_found; plugin_refused;
    // unsupported.
    Result<std::unique_ptr<Machine>> create(const MachineRef& ref, GroupId group) override;
    std::vector<MachineRef> builds_for(const MachineRef& ref) const override;

    // What a person means by a plugin (see find_plugin) and a machine in it (empty: the only one),
    // with the machine's newest version. Errc::plugin_not_found, machine_not_found,
    // request_invalid.
    Result<MachineRef> resolve(std::string_view plugin, std::string_view machine) const;

    // Newest first.
    std::vector<PluginRecord> loaded() const;

 protected:
    // Null if there is none.
    const LoadedBuild* find(std::string_view build) const;
    // Runs the plugin's load function and lists the build. Pre: build.record is filled.
    // Errc::plugin_refused: it shares a table with a build that is there, so that one of them would
    // run the other's code; or its load function declined.
    Result<void> publish(LoadedBuild& build);

 private:
    std::atomic<const LoadedBuild*> newest_{nullptr};
};

}  // namespace quorate::machine
