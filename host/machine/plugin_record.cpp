#include "host/machine/plugin_record.hpp"

#include "host/machine/sha256.hpp"

#include <boost/json.hpp>

#include <algorithm>

namespace quorate::machine {
namespace {

namespace json = boost::json;

constexpr std::uint64_t record_format = 1;
constexpr std::size_t build_name_size = 64;
constexpr std::size_t min_prefix_size = 6;

bool is_hex(std::string_view text) {
    return std::ranges::all_of(
        text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Error corrupt(const char* what) {
    return fail(Errc::corrupt, std::string("the plugin's record is damaged: ") + what);
}

Result<PluginRecord> decode_body(std::string_view text) {
    json::error_code refusal;
    json::value value = json::parse(json::string_view(text.data(), text.size()), refusal);
    const json::object* object = refusal ? nullptr : value.if_object();
    if (object == nullptr) return corrupt("not a JSON object");
    auto number = [object](const char* name) {
        json::error_code failed;
        const json::value* found = object->if_contains(name);
        return found == nullptr ? 0 : found->to_number<std::uint64_t>(failed);
    };
    auto content = [object](const char* name) {
        const json::value* found = object->if_contains(name);
        const json::string* string = found == nullptr ? nullptr : found->if_string();
        return string == nullptr ? std::string() : std::string(string->data(), string->size());
    };
    if (number("format") != record_format) return corrupt("of another format");
    PluginRecord record;
    record.build = content("build");
    record.bytes = number("bytes");
    record.installed = number("installed");
    TRY(record.manifest, parse_manifest(content("manifest")));
    return record;
}

// Of those that `matches` holds for, the one installed last; null if there is none.
template <class Matches>
const PluginRecord* newest(std::span<const PluginRecord* const> records, Matches matches) {
    const PluginRecord* best = nullptr;
    for (const PluginRecord* record : records) {
        if (!matches(*record)) continue;
        if (best == nullptr || record->installed >= best->installed) best = record;
    }
    return best;
}

Result<const PluginRecord*> find_by_prefix(std::span<const PluginRecord* const> records,
                                           std::string_view digits) {
    const PluginRecord* found = nullptr;
    for (const PluginRecord* record : records) {
        if (!record->build.starts_with(digits)) continue;
        if (found != nullptr) {
            return fail(Errc::request_invalid,
                        "several builds begin with " + std::string(digits) + ": " + found->build +
                            " and " + record->build,
                        "give more digits");
        }
        found = record;
    }
    if (found == nullptr) {
        return fail(Errc::plugin_not_found,
                    "no installed build begins with " + std::string(digits));
    }
    return found;
}

}  // namespace

std::string encode(const PluginRecord& record) {
    std::string body = json::serialize(json::object{{"format", record_format},
                                                    {"build", record.build},
                                                    {"bytes", record.bytes},
                                                    {"installed", record.installed},
                                                    {"manifest", record.manifest.json}});
    return sha256_hex(as_bytes(body)) + "\n" + body;
}

Result<PluginRecord> decode_record(std::string_view text) {
    if (text.size() <= build_name_size || text[build_name_size] != '\n') {
        return corrupt("no checksum line");
    }
    std::string_view body = text.substr(build_name_size + 1);
    if (sha256_hex(as_bytes(body)) != text.substr(0, build_name_size)) {
        return corrupt("its checksum is wrong");
    }
    return decode_body(body);
}

bool is_build_name(std::string_view text) {
    return text.size() == build_name_size && is_hex(text);
}

Result<const PluginRecord*> find_plugin(std::span<const PluginRecord* const> records,
                                        std::string_view what) {
    constexpr std::string_view scheme = "sha256:";
    if (what.starts_with(scheme)) return find_by_prefix(records, what.substr(scheme.size()));
    std::size_t at = what.find('@');
    std::string_view id = what.substr(0, at);
    const PluginRecord* found = newest(records, [id, at, what](const PluginRecord& record) {
        return record.manifest.id == id &&
               (at == what.npos || record.manifest.version == what.substr(at + 1));
    });
    if (found != nullptr) return found;
    if (what.size() >= min_prefix_size && is_hex(what)) return find_by_prefix(records, what);
    return fail(Errc::plugin_not_found, "no plugin " + std::string(what) + " is installed");
}

}  // namespace quorate::machine
