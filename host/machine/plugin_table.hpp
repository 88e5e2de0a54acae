#pragma once

#include "host/machine/loaded_plugins.hpp"
#include "host/machine/plugin_store.hpp"

#include <functional>

namespace quorate::machine {

// The plugins of one host, from its store into its memory (Boost.DLL, RTLD_NOW | RTLD_LOCAL): one
// image per build, kept until the process ends; several versions side by side.
//
// A plugin's static constructors and entry run in this process: an exception there is contained, a
// crash or exit() is not. Everything that can be checked without running its code is checked
// before; a probe (plugin_probe.hpp) runs that code in another process before it is kept.
//
// Thread: install(), load() and load_all() belong to the thread that owns the store, one call at a
// time; what LoadedPlugins offers may be called from any thread meanwhile.
class PluginTable : public LoadedPlugins {
 public:
    // What is wrong with running a plugin's code, found where it does no harm.
    using Probe = std::function<Result<void>(ByteView file)>;

    // `store` outlives the table. Without a probe plugins are taken at their word.
    PluginTable(PluginStore& store, HostProgram program, Probe probe = {})
        : store_(store), program_(std::move(program)), probe_(std::move(probe)) {}

    // Probes, installs and loads. What cannot be loaded is not kept in the store. Idempotent.
    // Errors: those of the probe, PluginStore::install() and load().
    Result<PluginRecord> install(ByteView file);

    // Loads an installed build; does nothing if it is loaded. Errors begin with the plugin's name.
    // Errc::corrupt, plugin_not_found, plugin_unreadable: as PluginStore::open_image(). Those of
    // inspect(). plugin_symbol_missing: the dynamic linker misses a symbol or a library.
    // plugin_abi: it needs a newer C or C++ library than this host's. plugin_pointer_outside;
    // plugin_refused.
    Result<PluginRecord> load(std::string_view build);

    // Loads all that is installed, at start. What fails is said in the log and returned; the rest
    // is loaded.
    std::vector<Error> load_all();

 private:
    Result<PluginRecord> load_image(const PluginStore::Image& image);

    PluginStore& store_;
    HostProgram program_;
    Probe probe_;
};

}  // namespace quorate::machine
