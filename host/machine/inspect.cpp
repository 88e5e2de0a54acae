#include "host/machine/inspect.hpp"

#include "host/machine/elf_note.hpp"

#include <algorithm>
#include <array>
#include <quorate/plugin.h>

namespace quorate::machine {
namespace {

constexpr std::string_view entry_symbol = QR_PLUGIN_ENTRY_SYMBOL;
constexpr std::string_view any_entry_symbol = "qr_plugin_entry_v";  // of any major version

// What every C or C++ library may need; sanitizers' run times are there in instrumented builds.
constexpr std::array run_time_libraries = {"libc.so.6",
                                           "libm.so.6",
                                           "libstdc++.so.6",
                                           "libgcc_s.so.1",
                                           "libpthread.so.0",
                                           "libdl.so.2",
                                           "librt.so.1",
                                           "libatomic.so.1",
                                           "ld-linux-x86-64.so.2",
                                           "ld-linux-aarch64.so.1",
                                           "libasan.so.8",
                                           "libubsan.so.1",
                                           "libtsan.so.2"};

std::string abi_text(std::uint32_t abi) {
    return std::to_string(abi >> 16) + "." + std::to_string(abi & 0xffffU);
}

std::string some_of(const std::vector<std::string>& names) {
    constexpr std::size_t shown = 3;
    std::string list;
    for (std::size_t i = 0; i < std::min(shown, names.size()); ++i) {
        list += (i == 0 ? "" : ", ") + names[i];
    }
    return names.size() <= shown ? list
                                 : list + " and " + std::to_string(names.size() - shown) + " more";
}

Result<void> check_exports(const ElfSummary& elf) {
    std::vector<std::string> leaked;
    bool has_entry = false;
    std::string other_entry;
    for (const std::string& name : elf.exports) {
        if (name == entry_symbol) {
            has_entry = true;
        } else if (name.starts_with(any_entry_symbol)) {
            other_entry = name;
        } else {
            leaked.push_back(name);
        }
    }
    if (!elf.unique.empty()) {
        return fail(Errc::plugin_symbols_leak,
                    "it has symbols that are shared by the whole process: " + some_of(elf.unique));
    }
    if (!leaked.empty()) {
        return fail(Errc::plugin_symbols_leak,
                    "it exports more than " + std::string(entry_symbol) + ": " + some_of(leaked));
    }
    if (!has_entry && !other_entry.empty()) {
        return fail(Errc::plugin_abi, "its entry is " + other_entry + ", but this host calls " +
                                          std::string(entry_symbol));
    }
    if (!has_entry) {
        return fail(Errc::plugin_symbol_missing, "it does not export " + std::string(entry_symbol),
                    "name the machines with QUORATE_PLUGIN and build with quorate_add_plugin()");
    }
    return {};
}

Result<void> check_requirements(const Manifest& manifest) {
    if (manifest.requires_extensions.empty()) return {};
    return fail(
        Errc::plugin_abi,
        "it requires what this host does not offer: " + some_of(manifest.requires_extensions),
        "upgrade the host first, or install a build of the plugin that does without");
}

Result<void> check_declared(const ElfSummary& elf, const Manifest& manifest) {
    TRY_VOID(check_abi(manifest.abi));
    TRY_VOID(check_exports(elf));
    return check_requirements(manifest);
}

}  // namespace

Result<void> check_abi(std::uint32_t abi) {
    if (abi >> 16 == QR_ABI_MAJOR) return {};
    return fail(Errc::plugin_abi,
                "it is built for ABI " + abi_text(abi) + ", but this host has " + abi_text(QR_ABI));
}

Result<Inspection> inspect(ByteView file) {
    TRY(ElfSummary elf, read_elf(file, {QR_MANIFEST_OWNER, QR_MANIFEST_TYPE}));
    if (elf.manifest.size() > QR_MANIFEST_SIZE_MAX) {
        return fail(Errc::plugin_not_a_plugin,
                    "its manifest note has " + std::to_string(elf.manifest.size()) +
                        " bytes; the limit is " + std::to_string(QR_MANIFEST_SIZE_MAX));
    }
    Inspection found;
    TRY(found.manifest, parse_manifest(elf.manifest));
    if (auto checked = check_declared(elf, found.manifest); !checked.has_value()) {
        return within("plugin " + title(found.manifest), checked.error());
    }
    for (std::string& name : elf.needed) {
        if (std::ranges::find(run_time_libraries, name) == run_time_libraries.end()) {
            found.foreign_libraries.push_back(std::move(name));
        }
    }
    return found;
}

}  // namespace quorate::machine
