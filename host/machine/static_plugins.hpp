#pragma once

#include "host/machine/loaded_plugins.hpp"

namespace quorate::machine {

// Plugins that are linked into the program, for the simulator and for tests: no store, no shared
// libraries, but the same checks of their tables and the same machines. A plugin's load function
// runs once per StaticPlugins, so one object serves all simulated hosts of a process.
//
//   QR_DECLARE_STATIC_PLUGIN(kv);
//   StaticPlugins plugins;
//   plugins.add(QR_STATIC_ENTRY(kv)).value();
//
// Thread: add() before others use it, or one call at a time; else any.
class StaticPlugins : public LoadedPlugins {
 public:
    StaticPlugins() = default;
    explicit StaticPlugins(HostProgram program) : program_(std::move(program)) {}

    // The build's name is a SHA-256 over id, version and source revision: the same in every
    // process.
    // Errc::plugin_refused: also one that is there already; else as PluginTable::load().
    Result<PluginRecord> add(qr_plugin_entry entry);

 private:
    HostProgram program_;
};

}  // namespace quorate::machine
