#include "host/machine/manifest.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <optional>

namespace quorate::machine {
namespace {

namespace json = boost::json;

constexpr std::size_t max_list = 256;  // usage lines, required extensions
constexpr std::size_t max_depth = 8;   // of nesting; a manifest needs four

Error malformed(const std::string& what) {
    return fail(Errc::plugin_not_a_plugin, "its manifest note is malformed: " + what);
}

const json::value* member(const json::object& object, std::string_view name) {
    return object.if_contains(json::string_view(name.data(), name.size()));
}

Result<std::string> text(const json::object& object, std::string_view name) {
    const json::value* value = member(object, name);
    const json::string* content = value == nullptr ? nullptr : value->if_string();
    if (content == nullptr) return malformed("\"" + std::string(name) + "\" is not a text");
    return std::string(content->data(), content->size());
}

// The same; empty if it is absent.
Result<std::string> optional_text(const json::object& object, std::string_view name) {
    if (member(object, name) == nullptr) return std::string();
    return text(object, name);
}

// A name as ids, versions and machine names are written.
Result<std::string> name_member(const json::object& object, std::string_view name,
                                std::size_t max_bytes) {
    TRY(std::string value, text(object, name));
    auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '_' || c == '-' || c == '+';
    };
    if (value.empty() || value.size() > max_bytes || !std::ranges::all_of(value, allowed)) {
        return malformed("\"" + std::string(name) + "\" must be 1 to " + std::to_string(max_bytes) +
                         " of a-z A-Z 0-9 . _ - +");
    }
    return value;
}

std::optional<std::uint32_t> as_number(const json::value& value) {
    json::error_code refusal;
    auto number = value.to_number<std::uint32_t>(refusal);
    if (refusal) return std::nullopt;
    return number;
}

// A list of texts; empty if it is absent.
Result<std::vector<std::string>> text_list(const json::object& object, std::string_view name) {
    std::vector<std::string> list;
    const json::value* value = member(object, name);
    if (value == nullptr) return list;
    const json::array* array = value->if_array();
    if (array == nullptr || array->size() > max_list) {
        return malformed("\"" + std::string(name) + "\" is not a list of at most " +
                         std::to_string(max_list) + " texts");
    }
    for (const json::value& element : *array) {
        const json::string* content = element.if_string();
        if (content == nullptr) return malformed("\"" + std::string(name) + "\" holds no text");
        list.emplace_back(content->data(), content->size());
    }
    return list;
}

Result<void> parse_versions(const json::object& object, MachineManifest& machine) {
    const json::value* value = member(object, "versions");
    const json::array* pair = value == nullptr ? nullptr : value->if_array();
    if (pair == nullptr || pair->size() != 2) return malformed("\"versions\" is not [min, max]");
    auto lowest = as_number((*pair)[0]);
    auto highest = as_number((*pair)[1]);
    if (!lowest || !highest || *lowest > *highest) {
        return malformed("\"versions\" is not [min, max]");
    }
    machine.version_min = *lowest;
    machine.version_max = *highest;
    return {};
}

Result<MachineManifest> parse_machine(const json::value& value) {
    const json::object* object = value.if_object();
    if (object == nullptr) return malformed("\"machines\" holds something else than an object");
    MachineManifest machine;
    TRY(machine.name, name_member(*object, "name", 64));
    TRY(machine.kind, text(*object, "kind"));
    if (machine.kind != "memory" && machine.kind != "kv" && machine.kind != "external") {
        return malformed("\"kind\" is none of memory, kv, external");
    }
    TRY_VOID(parse_versions(*object, machine));
    TRY(machine.commands, text_list(*object, "commands"));
    TRY(machine.queries, text_list(*object, "queries"));
    return machine;
}

Result<std::vector<MachineManifest>> parse_machines(const json::object& object) {
    const json::value* value = member(object, "machines");
    const json::array* array = value == nullptr ? nullptr : value->if_array();
    if (array == nullptr || array->empty() || array->size() > max_machines) {
        return malformed("\"machines\" is not a list of 1 to " + std::to_string(max_machines));
    }
    std::vector<MachineManifest> machines;
    for (const json::value& element : *array) {
        TRY(MachineManifest machine, parse_machine(element));
        if (std::ranges::find(machines, machine.name, &MachineManifest::name) != machines.end()) {
            return malformed("two machines are called \"" + machine.name + "\"");
        }
        machines.push_back(std::move(machine));
    }
    return machines;
}

json::array as_array(const std::vector<std::string>& list) {
    json::array array;
    for (const std::string& element : list) array.emplace_back(element);
    return array;
}

}  // namespace

Result<Manifest> parse_manifest(std::string_view text_of_note) {
    json::parse_options options;
    options.max_depth = max_depth;
    json::error_code refusal;
    json::value value = json::parse(json::string_view(text_of_note.data(), text_of_note.size()),
                                    refusal, {}, options);
    if (refusal) return malformed("not JSON: " + refusal.message());
    const json::object* object = value.if_object();
    if (object == nullptr) return malformed("not a JSON object");
    Manifest manifest;
    TRY(manifest.id, name_member(*object, "id", 128));
    TRY(manifest.version, name_member(*object, "version", 64));
    TRY(manifest.build, optional_text(*object, "build"));
    TRY(manifest.sdk, optional_text(*object, "sdk"));
    const json::value* abi = member(*object, "abi");
    auto number = abi == nullptr ? std::nullopt : as_number(*abi);
    if (!number) return malformed("\"abi\" is not a number");
    manifest.abi = *number;
    TRY(manifest.machines, parse_machines(*object));
    TRY(manifest.requires_extensions, text_list(*object, "requires"));
    manifest.json = std::string(text_of_note);
    return manifest;
}

std::string write_manifest(const Manifest& manifest) {
    json::array machines;
    for (const MachineManifest& machine : manifest.machines) {
        machines.push_back(json::object{{"name", machine.name},
                                        {"kind", machine.kind},
                                        {"versions", {machine.version_min, machine.version_max}},
                                        {"commands", as_array(machine.commands)},
                                        {"queries", as_array(machine.queries)}});
    }
    return json::serialize(json::object{{"id", manifest.id},
                                        {"version", manifest.version},
                                        {"build", manifest.build},
                                        {"abi", manifest.abi},
                                        {"sdk", manifest.sdk},
                                        {"machines", std::move(machines)},
                                        {"requires", as_array(manifest.requires_extensions)}});
}

std::string title(const Manifest& manifest) {
    return manifest.id + " " + manifest.version;
}

const MachineManifest* find_machine(const Manifest& manifest, std::string_view name) {
    auto found = std::ranges::find(manifest.machines, name, &MachineManifest::name);
    return found == manifest.machines.end() ? nullptr : &*found;
}

}  // namespace quorate::machine
