#pragma once

#include "host/machine/loaded_plugins.hpp"
#include "host/machine/plugin_store.hpp"

namespace quorate::machine {

// Maps a plugin's library into this process (Boost.DLL, RTLD_NOW | RTLD_LOCAL), runs its entry and
// checks what it says. The build is not listed anywhere yet: LoadedPlugins::publish().
// Thread: the loader's. Errors: as PluginTable::load(), beginning with the plugin's name.
Result<LoadedBuild*> load_library(const PluginStore::Image& image, const HostProgram& program);

}  // namespace quorate::machine
