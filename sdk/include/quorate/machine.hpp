#pragma once

// Write a replicated state machine as a C++ class. The shortest:
//
//   #include <quorate/machine.hpp>
//   namespace {
//   struct Counter {
//       std::uint64_t value = 0;
//       void apply(quorate::Command c, quorate::Effects& fx) {
//           fx.reply(value += c.as<std::uint64_t>());
//       }
//       void query(std::string_view, quorate::Writer out) const { out.put(value); }
//       void save(quorate::Writer out) const { out.put(value); }
//       void load(quorate::Reader in, std::uint32_t) { value = in.get<std::uint64_t>(); }
//   };
//   }  // namespace
//   QUORATE_PLUGIN(Counter, "demo.counter", "1.0.0")
//
// Everything else that a machine may offer is found by concepts (<quorate/concepts.hpp>) and
// explained in docs/guides/write-a-plugin.md. Keep machines in an anonymous namespace and build
// with quorate_add_plugin(): both keep two builds of one plugin apart within one host.
//
// A machine throws quorate::Rejection (by quorate::reject) to say a deterministic no; any other
// exception is a fault, which stops the group on this member. apply(), save() and load() must be
// deterministic: no clock but Command::time_ms(), no randomness, no order of hashed containers, no
// addresses.

#include <quorate/note.hpp>
#include <quorate/thunks.hpp>

#pragma GCC visibility push(hidden)
namespace quorate {
inline namespace sdk {
namespace detail {

template <class M, class Plugin>
inline constexpr qr_machine_type type_of = make_type<M>(machine_name<M, Plugin>());

template <class Plugin, class... Machines>
consteval auto make_types(MachineList<Machines...>) {
    return std::array<const qr_machine_type*, sizeof...(Machines)>{&type_of<Machines, Plugin>...};
}
template <class Plugin>
inline constexpr auto types_of = make_types<Plugin>(typename Plugin::Machines{});

template <class Plugin>
inline constexpr qr_plugin plugin_of{
    .size = sizeof(qr_plugin),
    .abi = QR_ABI,
    .id = Plugin::id,
    .version = Plugin::version,
    .build = Plugin::build,
    .machine_count = static_cast<std::uint32_t>(types_of<Plugin>.size()),
    .reserved = 0,
    .machines = types_of<Plugin>.data(),
    .load = nullptr,
    .unload = nullptr,
};

template <class Plugin>
const qr_plugin* enter(const qr_host* host, qr_error* error) noexcept {
    if (host != nullptr && (host->abi >> 16) != QR_ABI_MAJOR) {
        fail(error, QR_REFUSED, 0, "the host speaks another major version of the plugin ABI");
        return nullptr;
    }
    return &plugin_of<Plugin>;
}

}  // namespace detail
}  // namespace sdk
}  // namespace quorate
#pragma GCC visibility pop

// quorate_add_plugin(BUILD ...) sets it.
#ifndef QR_PLUGIN_BUILD
#define QR_PLUGIN_BUILD ""
#endif

// QUORATE_PLUGIN(Machine, "com.example.name", "1.0.0"): the one line that makes a class a plugin.
// The machine is called by the id's last part unless it has a `static constexpr const char* name`.
#define QUORATE_PLUGIN(Machine, plugin_id, plugin_version) \
    QUORATE_PLUGIN_OF(plugin_id, plugin_version, Machine)
// QUORATE_PLUGIN_OF("com.example.name", "1.0.0", First, Second): several machines in one plugin,
// each with a name of its own.
#define QUORATE_PLUGIN_OF(plugin_id, plugin_version, ...)                       \
    namespace {                                                                 \
    struct QuoratePlugin {                                                      \
        static constexpr const char* id = plugin_id;                            \
        static constexpr const char* version = plugin_version;                  \
        static constexpr const char* build = QR_PLUGIN_BUILD;                   \
        using Machines = quorate::detail::MachineList<__VA_ARGS__>;             \
    };                                                                          \
    QR_NOTE_ATTRIBUTES constinit const auto quorate_manifest_note =             \
        quorate::detail::make_note<QuoratePlugin>();                            \
    }                                                                           \
    QR_EXPORT const qr_plugin* QR_ENTRY(const qr_host* host, qr_error* error) { \
        return quorate::detail::enter<QuoratePlugin>(host, error);              \
    }                                                                           \
    static_assert(true)
