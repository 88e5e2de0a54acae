#pragma once

// What a machine may offer, found by looking at its members. The full list, with what each is for,
// is in docs/guides/write-a-plugin.md; <quorate/machine.hpp> shows the shortest machine.

#include <array>
#include <concepts>
#include <quorate/effects.hpp>
#include <quorate/stream.hpp>

#pragma GCC visibility push(hidden)
namespace quorate {
inline namespace sdk {

template <class M>
concept AppliesCommands = requires(M& machine, Command command, Effects& fx) {
    machine.apply(command, fx);
};
// Gets every entry, of every kind, and answers through fx.at(command).
template <class M>
concept AppliesBatches = requires(M& machine, Batch batch, Effects& fx) {
    machine.apply_batch(batch, fx);
};
template <class M>
concept AnswersQueries = requires(const M& machine, std::string_view query, Writer out) {
    machine.query(query, out);
};
// view() gives an object of its own that save() and query() are called on while apply goes on.
template <class M>
concept GivesViews = requires(const M& machine) {
    machine.view();
};
template <class V>
concept Saves = requires(const V& view, Writer out) {
    view.save(out);
};
template <class M>
concept LoadsVersions = requires(M& machine, Reader in, std::uint32_t from_version) {
    machine.load(in, from_version);
};
template <class M>
concept LoadsOneVersion = requires(M& machine, Reader in) {
    machine.load(in);
};
template <class M>
concept Loads = LoadsVersions<M> || LoadsOneVersion<M>;
template <class M>
concept Upgrades = requires(M& machine, Upgrade upgrade, Effects& fx) {
    machine.upgrade(upgrade, fx);
};
template <class V>
concept Hashes = requires(const V& view) {
    { view.hash() } -> std::convertible_to<std::array<std::uint64_t, 2>>;
};
template <class M>
concept GivesOverview = requires(const M& machine) {
    { machine.overview() } -> std::convertible_to<std::string>;
};
template <class V>
concept NamesLiveIndexes = requires(const V& view) {
    { view.live_indexes() } -> std::convertible_to<std::vector<std::uint64_t>>;
};

template <class M>
concept HasCommandText = requires(Words words, Writer out) {
    { M::commands[0] } -> std::convertible_to<const Usage&>;
    M::encode_command(words, out);
};
template <class M>
concept HasQueryText = requires(Words words, Writer out) {
    { M::queries[0] } -> std::convertible_to<const Usage&>;
    M::encode_query(words, out);
};
template <class M>
concept RendersReplies = requires(Words words, std::string_view reply, Writer out) {
    M::render_reply(words, reply, out);
};
template <class M>
concept MentionsText = requires {
    M::commands;
}
|| requires {
    M::queries;
}
|| requires {
    &M::encode_command;
}
|| requires {
    &M::encode_query;
}
|| requires {
    &M::render_reply;
};
template <class M>
concept HasText = RendersReplies<M> &&(HasCommandText<M> || HasQueryText<M>);

#define QUORATE_HANDLER(Concept, handler)                                    \
    template <class M>                                                       \
    concept Concept = requires(M & machine, Command command, Effects & fx) { \
        machine.handler(command, fx);                                        \
    }
QUORATE_HANDLER(HandlesTimers, on_timer);
QUORATE_HANDLER(HandlesSessionUp, on_session_up);
QUORATE_HANDLER(HandlesSessionDown, on_session_down);
QUORATE_HANDLER(HandlesHostUp, on_host_up);
QUORATE_HANDLER(HandlesHostDown, on_host_down);
QUORATE_HANDLER(HandlesGroupUp, on_group_up);
QUORATE_HANDLER(HandlesGroupDown, on_group_down);
#undef QUORATE_HANDLER

namespace detail {

template <class M>
struct ViewTypeOf {
    using type = M;
};
template <GivesViews M>
struct ViewTypeOf<M> {
    using type = decltype(std::declval<const M&>().view());
};
// What is kept while a snapshot is written: what view() returns, else a copy of the machine.
template <class M>
using ViewType = typename ViewTypeOf<M>::type;

template <class M>
consteval std::uint32_t version_max() {
    if constexpr (requires { M::version; }) return M::version;
    return 1;
}
template <class M>
consteval std::uint32_t version_min() {
    if constexpr (requires { M::version_min; }) return M::version_min;
    return version_max<M>();
}

template <class M>
consteval std::uint32_t flags_of() {
    std::uint32_t flags = QR_CANONICAL_SNAPSHOT;
    if constexpr (requires { M::canonical_snapshot; }) {
        if (!M::canonical_snapshot) flags &= ~std::uint32_t{QR_CANONICAL_SNAPSHOT};
    }
    if constexpr (requires { M::query_concurrent; }) {
        if (M::query_concurrent) flags |= QR_QUERY_CONCURRENT;
    }
    if constexpr (requires { M::slow_apply; }) {
        if (M::slow_apply) flags |= QR_SLOW_APPLY;
    }
    return flags;
}

template <class M>
inline constexpr Handles handles_of{
    .timer_missing = HandlesTimers<M> || AppliesBatches<M>
                         ? nullptr
                         : "the machine sets a timer but has no on_timer(quorate::Command, "
                           "quorate::Effects&)",
    .session_missing = HandlesSessionDown<M> || AppliesBatches<M>
                           ? nullptr
                           : "the machine monitors a session but has no "
                             "on_session_down(quorate::Command, quorate::Effects&)",
    .host_missing = HandlesHostDown<M> || AppliesBatches<M>
                        ? nullptr
                        : "the machine monitors a host but has no "
                          "on_host_down(quorate::Command, quorate::Effects&)",
    .group_missing = HandlesGroupDown<M> || AppliesBatches<M>
                         ? nullptr
                         : "the machine monitors a group but has no "
                           "on_group_down(quorate::Command, quorate::Effects&)",
};

// Says what a machine lacks in words, before the compiler says it in templates.
template <class M>
consteval bool check_machine() {
    static_assert(AppliesCommands<M> || AppliesBatches<M>,
                  "a machine has void apply(quorate::Command, quorate::Effects&), or "
                  "apply_batch(quorate::Batch, "
                  "quorate::Effects&); both are public and not const");
    static_assert(std::is_default_constructible_v<M> || std::is_constructible_v<M, const Setup&>,
                  "a machine is made from nothing or from a const quorate::Setup&");
    static_assert(
        GivesViews<M> || std::is_copy_constructible_v<M>,
        "a snapshot is saved while apply goes on: give the machine a view() const that returns "
        "what "
        "save() needs, or make it copyable (quorate::CowMap copies in constant time)");
    static_assert(Saves<ViewType<M>>,
                  "a machine, or what its view() returns, has void save(quorate::Writer) const");
    static_assert(Loads<M>, "a machine has void load(quorate::Reader, std::uint32_t from_version)");
    static_assert(version_min<M>() <= version_max<M>(), "version_min is above version");
    static_assert(
        !MentionsText<M> || HasText<M>,
        "text commands need all of: static constexpr quorate::Usage commands[], static void "
        "encode_command(quorate::Words, quorate::Writer), static void "
        "render_reply(quorate::Words, "
        "std::string_view, quorate::Writer); and queries[] with encode_query for queries");
    return true;
}

}  // namespace detail
}  // namespace sdk
}  // namespace quorate
#pragma GCC visibility pop
