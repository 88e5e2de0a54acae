#pragma once

#include "host/group/plugins.hpp"
#include "host/machine/static_plugins.hpp"
#include "tests/sim/witness.hpp"

#include <memory>
#include <string>

namespace quorate::sim {

// The kv machine, linked statically, with the witness looking over its shoulder: what each host's
// MachineFactory makes.
class WitnessMachines final : public machine::MachineFactory {
 public:
    WitnessMachines(machine::StaticPlugins& plugins, Witness& witness, std::string host)
        : plugins_(plugins), witness_(witness), host_(std::move(host)) {}
    Result<std::unique_ptr<machine::Machine>> create(const machine::MachineRef& ref,
                                                     GroupId group) override;
    std::vector<machine::MachineRef> builds_for(const machine::MachineRef& ref) const override {
        return plugins_.builds_for(ref);
    }

 private:
    machine::StaticPlugins& plugins_;
    Witness& witness_;
    std::string host_;
};

// The one plugin, which every host has.
class SimPlugins final : public group::PluginRegistry {
 public:
    explicit SimPlugins(machine::StaticPlugins& plugins) : plugins_(plugins) {}
    Result<group::PluginSummary> install(Bytes) override {
        return fail(Errc::unsupported, "simulated hosts have their plugin linked in");
    }
    std::vector<group::PluginSummary> list() override;
    Result<machine::MachineRef> resolve(const std::string& plugin,
                                        const std::string& machine) override {
        return plugins_.resolve(plugin, machine);
    }
    Result<Bytes> image(const std::string& build) override {
        return fail(Errc::plugin_not_found, "no image of " + build);
    }

 private:
    machine::StaticPlugins& plugins_;
};

}  // namespace quorate::sim
