#include "host/machine/plugin_library.hpp"

#include "host/base/log.hpp"
#include "host/machine/inspect.hpp"

#include <boost/dll/shared_library.hpp>

#include <memory>

namespace quorate::machine {
namespace {

namespace dll = boost::dll;

// The dynamic linker's own words out of Boost.DLL's exception, whose error code says nothing.
std::string linker_text(const std::exception& thrown) {
    std::string text = thrown.what();
    constexpr std::string_view before = "dlerror system message: ";
    std::size_t from = text.find(before);
    if (from == text.npos) return text;
    text.erase(0, from + before.size());
    return text.substr(0, text.rfind("):"));
}

Error linker_error(const std::string& text) {
    std::string what = "the dynamic linker refuses it: " + text;
    if (text.find("undefined symbol") != text.npos) {
        return fail(Errc::plugin_symbol_missing, std::move(what));
    }
    if (text.find("version `") != text.npos) {
        return fail(Errc::plugin_abi, std::move(what),
                    "build the plugin on a system whose C and C++ libraries are no newer than the "
                    "host's");
    }
    if (text.find("cannot open shared object file") != text.npos) {
        return fail(Errc::plugin_symbol_missing, std::move(what),
                    "link what the plugin depends on statically");
    }
    return fail(Errc::plugin_not_a_plugin, std::move(what));
}

Result<std::shared_ptr<dll::shared_library>> open_library(const std::filesystem::path& path) {
    // RTLD_NOW: a missing symbol is an error here; found lazily, at its first call, it ends the
    // process.
    constexpr auto mode = dll::load_mode::rtld_now | dll::load_mode::rtld_local;
    try {
        return std::make_shared<dll::shared_library>(path, mode);
    } catch (const std::exception& thrown) {
        return linker_error(linker_text(thrown));
    } catch (...) {
        return fail(Errc::plugin_refused, "a static constructor of it threw an exception");
    }
}

void warn_of_libraries(const Inspection& found) {
    for (const std::string& library : found.foreign_libraries) {
        log::warning("plugin_needs_library",
                     "a plugin brings a shared library; another plugin with a library of the same "
                     "name would silently get this one",
                     {{"plugin", title(found.manifest)}, {"library", library}});
    }
}

Result<void> load_into(LoadedBuild& build, const dll::shared_library& library) {
    TRY(ImageRanges image, ImageRanges::of_library(library.native()));
    if (!library.has(QR_PLUGIN_ENTRY_SYMBOL)) {
        return fail(Errc::plugin_symbol_missing, "the dynamic linker does not find its entry");
    }
    auto& entry = library.get<const qr_plugin*(const qr_host*, qr_error*)>(QR_PLUGIN_ENTRY_SYMBOL);
    if (!image.holds_code(reinterpret_cast<const void*>(&entry))) {
        return fail(Errc::plugin_pointer_outside,
                    "its entry function lies outside of the plugin's own image");
    }
    TRY_VOID(enter(build, &entry, image));
    return check_against_note(build.tables, build.record.manifest);
}

}  // namespace

Result<LoadedBuild*> load_library(const PluginStore::Image& image, const HostProgram& program) {
    TRY(Inspection found, inspect(image.file.view()));
    std::string name = "plugin " + title(found.manifest);
    warn_of_libraries(found);
    log::info("plugin_loading", "running a plugin's code for the first time",
              {{"plugin", title(found.manifest)}, {"build", image.record.build}});
    auto library = open_library(image.path);
    if (!library.has_value()) return within(name, library.error());
    LoadedBuild& build = make_build(program);
    build.record = image.record;
    build.record.manifest = std::move(found.manifest);
    build.handle = *library;
    if (auto loaded = load_into(build, **library); !loaded.has_value()) {
        return within(name, loaded.error());
    }
    return &build;
}

}  // namespace quorate::machine
