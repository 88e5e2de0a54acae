#pragma once

// The manifest note (see <quorate/manifest.h>) as a constant that the compiler writes from the
// machine types themselves.

#include <climits>

#include <quorate/text_thunks.hpp>

#pragma GCC visibility push(hidden)
namespace quorate {
inline namespace sdk {
namespace detail {

template <class... Machines>
struct MachineList {};

// The name of a machine that has none of its own: the last part of the plugin's id.
consteval const char* last_part(const char* id) {
    const char* part = id;
    for (const char* at = id; *at != '\0'; ++at) {
        if (*at == '.') part = at + 1;
    }
    return part;
}
template <class M, class Plugin>
consteval const char* machine_name() {
    if constexpr (requires { M::name; })
        return M::name;
    else
        return last_part(Plugin::id);
}

// Writes JSON, or only counts it when there is nowhere to write.
class JsonText {
 public:
    constexpr explicit JsonText(char* out) : out_(out) {}
    constexpr std::size_t size() const { return size_; }

    constexpr void raw(std::string_view text) {
        for (char c : text) put(c);
    }
    constexpr void number(std::uint64_t value) {
        if (value >= 10) number(value / 10);
        put(static_cast<char>('0' + value % 10));
    }
    constexpr void string(std::string_view text) {
        put('"');
        for (char c : text) {
            if (c == '"' || c == '\\') put('\\');
            put(static_cast<unsigned char>(c) < 0x20 ? ' ' : c);
        }
        put('"');
    }
    constexpr void member(std::string_view key, std::string_view value) {
        raw(",");
        string(key);
        raw(":");
        string(value);
    }

 private:
    constexpr void put(char c) {
        if (out_ != nullptr) out_[size_] = c;
        ++size_;
    }
    char* out_;
    std::size_t size_ = 0;
};

template <class Lines>
constexpr void write_usages(JsonText& json, const char* key, const Lines& lines) {
    json.raw(",");
    json.string(key);
    json.raw(":[");
    bool first = true;
    for (const Usage& line : lines) {
        if (!first) json.raw(",");
        json.string(line.usage);
        first = false;
    }
    json.raw("]");
}

template <class M, class Plugin>
constexpr void write_machine(JsonText& json, bool first) {
    json.raw(first ? "{\"name\":" : ",{\"name\":");
    json.string(machine_name<M, Plugin>());
    json.member("kind", "memory");
    json.raw(",\"versions\":[");
    json.number(version_min<M>());
    json.raw(",");
    json.number(version_max<M>());
    json.raw("]");
    if constexpr (HasCommandText<M>) write_usages(json, "commands", M::commands);
    if constexpr (HasQueryText<M>) write_usages(json, "queries", M::queries);
    json.raw("}");
}

template <class Plugin, class... Machines>
constexpr void write_machines(JsonText& json, MachineList<Machines...>) {
    bool first = true;
    ((write_machine<Machines, Plugin>(json, first), first = false), ...);
}

template <class Plugin>
constexpr void write_manifest(JsonText& json) {
    json.raw("{\"id\":");
    json.string(Plugin::id);
    json.member("version", Plugin::version);
    json.member("build", Plugin::build);
    json.raw(",\"abi\":");
    json.number(QR_ABI);
    json.member("sdk", QR_SDK_VERSION);
    json.raw(",\"machines\":[");
    write_machines<Plugin>(json, typename Plugin::Machines{});
    json.raw("],\"requires\":[]");
#ifdef __clang__
    json.member("compiler", "clang " __clang_version__);
#else
    json.member("compiler", "g++ " __VERSION__);
#endif
#ifdef __GLIBC__
    json.raw(",\"libc\":\"glibc ");
    json.number(__GLIBC__);
    json.raw(".");
    json.number(__GLIBC_MINOR__);
    json.raw("\"");
#endif
    json.raw("}");
}

template <std::size_t n>
struct Note {
    std::uint32_t owner_size;
    std::uint32_t json_size;
    std::uint32_t type;
    char owner[sizeof QR_MANIFEST_OWNER];
    char json[n];
};

template <class Plugin>
consteval std::size_t manifest_size() {
    JsonText json(nullptr);
    write_manifest<Plugin>(json);
    return json.size();
}

template <class Plugin>
consteval auto make_note() {
    constexpr std::size_t size = manifest_size<Plugin>();
    static_assert(size <= QR_MANIFEST_SIZE_MAX,
                  "the manifest passes 4 KiB: shorten the usage lines");
    constexpr std::size_t padded = (size + 3) & ~std::size_t{3};
    Note<padded> note{sizeof QR_MANIFEST_OWNER, padded, QR_MANIFEST_TYPE, QR_MANIFEST_OWNER, {}};
    JsonText json(note.json);
    write_manifest<Plugin>(json);
    return note;
}

}  // namespace detail
}  // namespace sdk
}  // namespace quorate
#pragma GCC visibility pop
