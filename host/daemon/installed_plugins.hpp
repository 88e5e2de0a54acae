#pragma once

#include "host/base/mailbox.hpp"
#include "host/group/plugins.hpp"
#include "host/machine/plugin_table.hpp"

#include <filesystem>
#include <memory>

namespace quorate::daemon {

// What this program says of itself to plugins.
machine::HostProgram host_program(std::string version);

// The plugins of this host's data directory: the store on disk and the table of what is loaded, as
// the host's operations need them. Thread: as PluginRegistry says, and install() and image() may
// meet: the store is used by one at a time.
class InstalledPlugins final : public group::PluginRegistry {
 public:
    // Opens the store and loads all that is installed; what does not load is said in the log. What is
    // installed later is probed by this very program (machine::run_probe()).
    static Result<std::unique_ptr<InstalledPlugins>> open(const std::filesystem::path& directory,
                                                          std::string version);

    Result<group::PluginSummary> install(Bytes image) override;
    std::vector<group::PluginSummary> list() override;
    Result<machine::MachineRef> resolve(const std::string& plugin,
                                        const std::string& machine) override;
    Result<Bytes> image(const std::string& build) override;

    machine::MachineFactory& machines() { return *table_; }

 private:
    InstalledPlugins(std::unique_ptr<machine::PluginStore> store, std::string version);

    std::unique_ptr<machine::PluginStore> store_;
    std::unique_ptr<machine::PluginTable> table_;
    struct Disk {};
    Guarded<Disk>
        disk_;  // held by whoever uses the store; background threads only, so waiting is fine
};

}  // namespace quorate::daemon
