#pragma once

#include "host/base/bytes.hpp"
#include "host/base/result.hpp"
#include "host/base/time.hpp"
#include "host/machine/loaded_plugins.hpp"

#include <filesystem>
#include <string>

namespace quorate::machine {

// Plugins are native code: one that crashes or exits while it is loaded would take its host along,
// and again at every start, once it is installed. So a host first has a child process load it
// (plugin-abi.md §3.10), and takes it only if the child lived to say so.
//
// What a probe cannot tell is how the code behaves later, in apply().
struct ProbeOptions {
    // Run as `program --probe-plugin FILE`; it calls run_probe().
    std::filesystem::path program = "/proc/self/exe";
    Duration timeout = 10s;  // the child is killed after it
};

// Blocks until the child has ended. Thread: any background thread.
// Errc::plugin_refused: loading it ends the process, or does not end. Errors of inspect(). Errc::io: no
// child could be started. What else is wrong with it, loading it says better: that is no error here.
Result<void> probe_plugin(ByteView file, const ProbeOptions& options);

// The child: loads the plugin, makes and destroys one of each of its machines, and ends the process.
[[noreturn]] void run_probe(const std::filesystem::path& file, const HostProgram& program);

}  // namespace quorate::machine
