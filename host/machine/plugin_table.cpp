#include "host/machine/plugin_table.hpp"

#include "host/base/log.hpp"
#include "host/machine/plugin_library.hpp"
#include "host/machine/sha256.hpp"

namespace quorate::machine {

Result<PluginRecord> PluginTable::load_image(const PluginStore::Image& image) {
    TRY(LoadedBuild * build, load_library(image, program_));
    if (auto published = publish(*build); !published.has_value()) {
        return within("plugin " + title(build->record.manifest), published.error());
    }
    log::info("plugin_loaded", "a plugin is loaded",
              {{"plugin", title(build->record.manifest)}, {"build", build->record.build}});
    return build->record;
}

Result<PluginRecord> PluginTable::load(std::string_view build) {
    if (const LoadedBuild* there = find(build)) return there->record;
    TRY(PluginStore::Image image, store_.open_image(build));
    return load_image(image);
}

Result<PluginRecord> PluginTable::install(ByteView file) {
    if (probe_ && find(sha256_hex(file)) == nullptr) TRY_VOID(probe_(file));
    TRY(PluginRecord installed, store_.install(file));
    auto loaded = load(installed.build);
    if (loaded.has_value()) return loaded;
    if (auto removed = store_.remove(installed.build); !removed.has_value()) {
        log::error("plugin_not_removed", "a plugin that cannot be loaded could not be removed",
                   {{"build", installed.build}, {"why", to_string(removed.error())}});
    }
    return loaded;
}

std::vector<Error> PluginTable::load_all() {
    std::vector<Error> errors;
    for (const PluginRecord& record : store_.list()) {
        auto loaded = load(record.build);
        if (loaded.has_value()) continue;
        log::error("plugin_not_loaded", "an installed plugin cannot be loaded",
                   {{"build", record.build}, {"why", to_string(loaded.error())}});
        errors.push_back(loaded.error());
    }
    return errors;
}

}  // namespace quorate::machine
