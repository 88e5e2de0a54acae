#include "tests/group/host_plugins.hpp"

#include <gtest/gtest.h>

namespace quorate::testing {
namespace {

constexpr std::string_view magic = "plugin:";

}  // namespace

Bytes plugin_image(const std::string& id, const std::string& version, std::size_t padding) {
    return Bytes::take(std::string(magic) + id + "@" + version + ":" + std::string(padding, 'p'));
}

std::string build_of(const Bytes& image) {
    std::string digits;
    std::uint64_t hash = 14695981039346656037u;
    for (int round = 0; round < 4; ++round) {
        for (char c : image.text()) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
        for (int i = 0; i < 16; ++i) digits += "0123456789abcdef"[(hash >> (4 * i)) & 15];
    }
    return digits;
}

Result<group::PluginSummary> TestPlugins::install(Bytes image) {
    EXPECT_FALSE(installing_) << "one install at a time";
    installing_ = true;
    ++installs;
    installing_ = false;
    std::string_view text = image.text();
    std::size_t at = text.find('@');
    std::size_t colon = text.find(':', magic.size());
    if (!text.starts_with(magic) || at == text.npos || colon == text.npos || colon < at) {
        return fail(Errc::plugin_not_a_plugin, "the image is not a plugin");
    }
    group::PluginSummary summary;
    summary.id = text.substr(magic.size(), at - magic.size());
    summary.version = text.substr(at + 1, colon - at - 1);
    summary.build = build_of(image);
    summary.bytes = image.size();
    summary.machines = {"log"};
    images_.try_emplace(summary.build, Installed{std::move(image), summary, installs});
    return summary;
}

std::vector<group::PluginSummary> TestPlugins::list() {
    std::vector<group::PluginSummary> all;
    for (const auto& [build, installed] : images_) all.push_back(installed.summary);
    return all;
}

Result<machine::MachineRef> TestPlugins::resolve(const std::string& plugin,
                                                 const std::string& machine) {
    const group::PluginSummary* found = nullptr;
    for (const auto& [build, installed] : images_) {
        const group::PluginSummary& summary = installed.summary;
        bool named = plugin == summary.id || plugin == summary.id + "@" + summary.version ||
                     (plugin.size() >= 6 && build.starts_with(plugin));
        if (named && (found == nullptr || found->version < summary.version)) found = &summary;
    }
    if (found == nullptr) return fail(Errc::plugin_not_found, "no plugin '" + plugin + "'");
    if (!machine.empty() && machine != "log") {
        return fail(Errc::machine_not_found, "no machine '" + machine + "' in '" + plugin + "'");
    }
    return machine::MachineRef{found->id, found->build, "log", 1};
}

std::vector<machine::MachineRef> TestPlugins::builds_for(const machine::MachineRef& ref) const {
    std::map<int, std::string, std::greater<>> newest_first;
    for (const auto& [build, installed] : images_) {
        if (installed.summary.id == ref.plugin) newest_first[installed.installation] = build;
    }
    std::vector<machine::MachineRef> builds;
    for (const auto& [installation, build] : newest_first) {
        builds.push_back(ref);
        builds.back().build = build;
    }
    return builds;
}

Result<Bytes> TestPlugins::image(const std::string& build) {
    ++images_read;
    if (auto false_one = falsified_.find(build); false_one != falsified_.end()) {
        return false_one->second;
    }
    auto found = images_.find(build);
    if (found == images_.end()) return fail(Errc::plugin_not_found, "no build " + build);
    return found->second.image;
}

Result<std::unique_ptr<machine::Machine>> TestPlugins::create(const machine::MachineRef& ref,
                                                              GroupId group) {
    if (!has(ref.build)) return fail(Errc::plugin_not_found, "build " + ref.build + " is not here");
    return TestMachines(controls).create(ref, group);
}

}  // namespace quorate::testing
