#include "host/machine/plugin_tables.hpp"

#include "host/machine/default_functions.hpp"
#include "host/machine/inspect.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace quorate::machine {
namespace {

constexpr std::uint32_t max_usages = 256;

Error refused(std::string what) {
    return fail(Errc::plugin_refused, std::move(what));
}

Error outside(const std::string& what) {
    return fail(Errc::plugin_pointer_outside, what + " lies outside of the plugin's own image");
}

// Copies as much of a table as both sides know; the rest stays zero. A table begins with its size.
template <class Table>
Result<Table> copy_table(const void* from, const ImageRanges& image, const std::string& what) {
    std::uint32_t size = 0;
    if (!image.holds(from, sizeof(size))) return outside(what);
    std::memcpy(&size, from, sizeof(size));
    if (!image.holds(from, size)) return outside(what);
    Table table{};
    std::memcpy(static_cast<void*>(&table), from, std::min<std::size_t>(size, sizeof(Table)));
    return table;
}

// Null is fine here; whether a function may be absent is another question.
template <class Function>
Result<void> check_function(Function* function, const ImageRanges& image, const std::string& what) {
    if (function == nullptr) return {};
    if (!image.holds_code(reinterpret_cast<const void*>(function))) return outside(what);
    return {};
}

template <class Function>
Result<void> require(Function* function, const std::string& what) {
    if (function == nullptr) return refused(what + " is missing");
    return {};
}

Result<std::string> copy_text(const char* text, const ImageRanges& image, const std::string& what) {
    if (!image.holds_text(text)) return outside(what);
    return std::string(text);
}

Result<std::string> kind_name(std::uint32_t kind, const std::string& what) {
    switch (kind) {
        case QR_MEMORY:
            return std::string("memory");
        case QR_KV:
            return std::string("kv");
        case QR_EXTERNAL:
            return std::string("external");
        default:
            return refused(what + " has the unknown kind " + std::to_string(kind));
    }
}

Result<void> check_functions(const qr_machine_type& table, const ImageRanges& image,
                             const std::string& what) {
    TRY_VOID(check_function(table.create, image, what + ".create"));
    TRY_VOID(check_function(table.destroy, image, what + ".destroy"));
    TRY_VOID(check_function(table.open, image, what + ".open"));
    TRY_VOID(check_function(table.apply, image, what + ".apply"));
    TRY_VOID(check_function(table.query, image, what + ".query"));
    TRY_VOID(check_function(table.view_open, image, what + ".view_open"));
    TRY_VOID(check_function(table.view_save, image, what + ".view_save"));
    TRY_VOID(check_function(table.view_query, image, what + ".view_query"));
    TRY_VOID(check_function(table.view_close, image, what + ".view_close"));
    TRY_VOID(check_function(table.load, image, what + ".load"));
    TRY_VOID(check_function(table.upgrade, image, what + ".upgrade"));
    TRY_VOID(check_function(table.sync, image, what + ".sync"));
    TRY_VOID(check_function(table.hash, image, what + ".hash"));
    TRY_VOID(check_function(table.overview, image, what + ".overview"));
    return check_function(table.extension, image, what + ".extension");
}

Result<void> check_required(const qr_machine_type& table, const std::string& what) {
    TRY_VOID(require(table.create, what + ".create"));
    TRY_VOID(require(table.destroy, what + ".destroy"));
    TRY_VOID(require(table.apply, what + ".apply"));
    if (table.kind == QR_EXTERNAL) TRY_VOID(require(table.open, what + ".open"));
    if (table.kind == QR_KV) return {};
    TRY_VOID(require(table.view_open, what + ".view_open"));
    TRY_VOID(require(table.view_save, what + ".view_save"));
    TRY_VOID(require(table.view_close, what + ".view_close"));
    return require(table.load, what + ".load");
}

Result<void> read_usages(MachineType& type, const ImageRanges& image, const std::string& what) {
    const qr_text& text = type.text;
    constexpr std::size_t least = offsetof(qr_text_usage, reserved);
    if (text.count > max_usages) return refused(what + " has too many usage lines");
    if (text.count > 0 && text.stride < least) return refused(what + ".stride is too small");
    if (text.count > 0 && !image.holds(text.usages, std::uint64_t{text.count} * text.stride)) {
        return outside(what + ".usages");
    }
    for (std::uint32_t i = 0; i < text.count; ++i) {
        qr_text_usage usage{};
        std::memcpy(&usage, static_cast<const char*>(text.usages) + std::size_t{i} * text.stride,
                    least);
        TRY(std::string line, copy_text(usage.usage, image, what + ".usages"));
        if ((usage.flags & QR_TEXT_COMMAND) != 0) type.commands.push_back(line);
        if ((usage.flags & QR_TEXT_QUERY) != 0) type.queries.push_back(std::move(line));
    }
    return {};
}

// The text extension, if the type offers it.
Result<void> read_text(MachineType& type, const ImageRanges& image, const std::string& what) {
    const void* offered = nullptr;
    try {
        offered = type.table.extension(type.origin, QR_TEXT_ID);
    } catch (...) {
        return refused(what + ".extension threw an exception");
    }
    if (offered == nullptr) return {};
    std::string name = what + "'s " QR_TEXT_ID;
    TRY(type.text, copy_table<qr_text>(offered, image, name));
    TRY_VOID(check_function(type.text.encode_command, image, name + ".encode_command"));
    TRY_VOID(check_function(type.text.encode_query, image, name + ".encode_query"));
    TRY_VOID(check_function(type.text.render_reply, image, name + ".render_reply"));
    TRY_VOID(require(type.text.encode_command, name + ".encode_command"));
    TRY_VOID(require(type.text.encode_query, name + ".encode_query"));
    TRY_VOID(require(type.text.render_reply, name + ".render_reply"));
    type.has_text = true;
    return read_usages(type, image, name);
}

Result<MachineType> read_machine(const qr_machine_type* origin, const ImageRanges& image,
                                 const std::string& what) {
    MachineType type;
    type.origin = origin;
    TRY(type.table, copy_table<qr_machine_type>(origin, image, what));
    TRY(type.name, copy_text(type.table.name, image, what + ".name"));
    TRY_VOID(check_functions(type.table, image, what));
    TRY_VOID(check_required(type.table, what));
    if (type.table.version_min > type.table.version_max) {
        return refused(what + " has version_min above version_max");
    }
    set_default_functions(type.table);
    TRY_VOID(read_text(type, image, what));
    return type;
}

Result<MachineManifest> describe(const MachineType& type) {
    MachineManifest said{.name = type.name,
                         .version_min = type.table.version_min,
                         .version_max = type.table.version_max,
                         .commands = type.commands,
                         .queries = type.queries};
    TRY(said.kind, kind_name(type.table.kind, "machine " + type.name));
    return said;
}

Result<void> read_machines(PluginTables& tables, const ImageRanges& image) {
    const qr_plugin& plugin = tables.table;
    if (plugin.machine_count == 0 || plugin.machine_count > max_machines) {
        return refused("it has " + std::to_string(plugin.machine_count) + " machines; 1 to " +
                       std::to_string(max_machines) + " are possible");
    }
    if (!image.holds(plugin.machines, plugin.machine_count * sizeof(plugin.machines[0]))) {
        return outside("its list of machines");
    }
    for (std::uint32_t i = 0; i < plugin.machine_count; ++i) {
        TRY(MachineType type,
            read_machine(plugin.machines[i], image, "machine " + std::to_string(i)));
        TRY(MachineManifest said, describe(type));
        if (find_machine(tables.manifest, type.name) != nullptr) {
            return refused("two of its machines are called " + type.name);
        }
        tables.manifest.machines.push_back(std::move(said));
        tables.machines.push_back(std::move(type));
    }
    return {};
}

}  // namespace

Result<PluginTables> read_tables(const qr_plugin* plugin, const ImageRanges& image) {
    PluginTables tables;
    TRY(tables.table, copy_table<qr_plugin>(plugin, image, "the table that its entry returned"));
    tables.manifest.abi = tables.table.abi;
    TRY_VOID(check_abi(tables.table.abi));
    TRY(tables.manifest.id, copy_text(tables.table.id, image, "its id"));
    TRY(tables.manifest.version, copy_text(tables.table.version, image, "its version"));
    if (tables.table.build != nullptr) {
        TRY(tables.manifest.build, copy_text(tables.table.build, image, "its build"));
    }
    TRY_VOID(check_function(tables.table.load, image, "its load function"));
    TRY_VOID(check_function(tables.table.unload, image, "its unload function"));
    TRY_VOID(read_machines(tables, image));
    return tables;
}

Result<void> check_against_note(const PluginTables& tables, const Manifest& note) {
    const Manifest& said = tables.manifest;
    auto differ = [](const std::string& what) {
        return refused(what + " in its tables is not what its manifest note says");
    };
    if (said.id != note.id) return differ("the id " + said.id);
    if (said.version != note.version) return differ("the version " + said.version);
    if (said.abi != note.abi) return differ("the ABI");
    if (said.machines.size() != note.machines.size()) return differ("the number of machines");
    for (const MachineManifest& machine : said.machines) {
        const MachineManifest* noted = find_machine(note, machine.name);
        if (noted == nullptr || noted->kind != machine.kind ||
            noted->version_min != machine.version_min ||
            noted->version_max != machine.version_max) {
            return differ("machine " + machine.name);
        }
    }
    return {};
}

}  // namespace quorate::machine
