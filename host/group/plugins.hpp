#pragma once

#include "host/base/bytes.hpp"
#include "host/base/result.hpp"
#include "host/group/status.hpp"
#include "host/machine/machine.hpp"

#include <string>
#include <vector>

namespace quorate::group {

// The plugin builds that this host has, as the host's operations need them. Implemented by the
// daemon over the plugin store and the plugin table. Summaries need not name a host: Host fills
// that in.
class PluginRegistry {
 public:
    virtual ~PluginRegistry() = default;
    // Checks the image, stores it durably and makes its machines known to the MachineFactory. The
    // same image again: its summary. May block on the disk.
    // Errors: the plugin_* codes; io. Thread: background, one call at a time.
    virtual Result<PluginSummary> install(Bytes image) = 0;
    // Thread: any; quick.
    virtual std::vector<PluginSummary> list() = 0;
    // `plugin`: an id (its newest version), id@version, or the first characters of a build's
    // SHA-256. `machine`: empty takes the plugin's only one.
    // Errc::plugin_not_found, machine_not_found, request_invalid (ambiguous). Thread: any; quick.
    virtual Result<machine::MachineRef> resolve(const std::string& plugin,
                                                const std::string& machine) = 0;
    // The installed file, byte for byte. May block on the disk. Errc::plugin_not_found, io.
    // Thread: background.
    virtual Result<Bytes> image(const std::string& build) = 0;
};

}  // namespace quorate::group
