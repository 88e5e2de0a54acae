#pragma once

#include "host/group/plugins.hpp"
#include "tests/group/test_machine.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace quorate::testing {

// An image of a plugin "id@version" with one machine, "log" (TestMachine). `padding` makes it larger.
Bytes plugin_image(const std::string& id, const std::string& version, std::size_t padding = 0);
// The build that an image is: 64 hex digits that differ with the image.
std::string build_of(const Bytes& image);

// The plugins of one host, and the machines in them. What is installed outlives the host's restarts.
class TestPlugins final : public group::PluginRegistry, public machine::MachineFactory {
 public:
    Result<group::PluginSummary> install(Bytes image) override;
    std::vector<group::PluginSummary> list() override;
    Result<machine::MachineRef> resolve(const std::string& plugin,
                                        const std::string& machine) override;
    Result<Bytes> image(const std::string& build) override;
    Result<std::unique_ptr<machine::Machine>> create(const machine::MachineRef& ref,
                                                     GroupId group) override;
    std::vector<machine::MachineRef> builds_for(const machine::MachineRef& ref) const override;

    bool has(const std::string& build) const { return images_.contains(build); }
    void forget(const std::string& build) { images_.erase(build); }
    // image() of it gives these bytes from now on.
    void falsify(const std::string& build, Bytes image) { falsified_[build] = std::move(image); }

    std::shared_ptr<MachineControls> controls = std::make_shared<MachineControls>();
    int installs = 0;
    int images_read = 0;

 private:
    struct Installed {
        Bytes image;
        group::PluginSummary summary;
        int installation = 0;
    };
    std::map<std::string, Installed> images_;  // by build
    std::map<std::string, Bytes> falsified_;
    bool installing_ = false;
};

}  // namespace quorate::testing
