#pragma once

// "quorate.text/1" for a machine class that declares commands[], queries[] and their functions.

#include <quorate/concepts.hpp>
#include <quorate/guard.hpp>
#include <quorate/text.h>

#pragma GCC visibility push(hidden)
namespace quorate {
inline namespace sdk {
namespace detail {

template <class M>
class TextThunks {
    static std::vector<std::string_view> words(std::uint32_t argc, const qr_bytes* argv) {
        std::vector<std::string_view> list;
        list.reserve(argc);
        for (std::uint32_t i = 0; i < argc; ++i) list.push_back(from_abi(argv[i]));
        return list;
    }

    template <class Write>
    static std::int32_t write(std::uint32_t argc, const qr_bytes* argv, qr_writer* sink,
                              qr_error* error, Write write_words) noexcept {
        return guarded(error, [&] {
            std::vector<std::string_view> list = words(argc, argv);
            if (list.empty()) reject_malformed("there are no words");
            PlainOutput output(sink);
            write_words(Words(list), Writer(output));
            output.flush();
        });
    }

    static void render_rejection(const RejectionView& rejection, Writer out) {
        out.write("rejected (");
        out.write(std::to_string(rejection.code));
        out.write("): ");
        out.write(rejection.text);
    }

 public:
    static std::int32_t encode_command(std::uint32_t argc, const qr_bytes* argv, qr_writer* sink,
                                       qr_error* error) noexcept {
        return write(argc, argv, sink, error, [](Words list, Writer out) {
            if constexpr (HasCommandText<M>)
                M::encode_command(list, out);
            else
                reject_malformed("the machine has no text commands");
        });
    }
    static std::int32_t encode_query(std::uint32_t argc, const qr_bytes* argv, qr_writer* sink,
                                     qr_error* error) noexcept {
        return write(argc, argv, sink, error, [](Words list, Writer out) {
            if constexpr (HasQueryText<M>)
                M::encode_query(list, out);
            else
                reject_malformed("the machine has no text queries");
        });
    }
    static std::int32_t render_reply(std::uint32_t argc, const qr_bytes* argv, qr_bytes reply,
                                     qr_writer* sink, qr_error* error) noexcept {
        return write(argc, argv, sink, error, [reply](Words list, Writer out) {
            std::string_view bytes = from_abi(reply);
            if (RejectionView rejection = rejection_of(bytes); rejection.code != 0) {
                render_rejection(rejection, out);
            } else {
                M::render_reply(list, bytes, out);
            }
        });
    }
};

template <class M>
consteval std::size_t command_count() {
    if constexpr (HasCommandText<M>) return std::size(M::commands);
    return 0;
}
template <class M>
consteval std::size_t query_count() {
    if constexpr (HasQueryText<M>) return std::size(M::queries);
    return 0;
}

template <class M>
consteval auto make_usages() {
    std::array<qr_text_usage, command_count<M>() + query_count<M>()> lines{};
    std::size_t at = 0;
    if constexpr (HasCommandText<M>) {
        for (const Usage& line : M::commands)
            lines[at++] = {line.usage, line.help, QR_TEXT_COMMAND, 0};
    }
    if constexpr (HasQueryText<M>) {
        for (const Usage& line : M::queries)
            lines[at++] = {line.usage, line.help, QR_TEXT_QUERY, 0};
    }
    return lines;
}

template <class M>
inline constexpr auto usages_of = make_usages<M>();

template <class M>
inline constexpr qr_text text_of{
    .size = sizeof(qr_text),
    .stride = sizeof(qr_text_usage),
    .count = static_cast<std::uint32_t>(usages_of<M>.size()),
    .reserved = 0,
    .usages = usages_of<M>.data(),
    .encode_command = &TextThunks<M>::encode_command,
    .encode_query = &TextThunks<M>::encode_query,
    .render_reply = &TextThunks<M>::render_reply,
};

}  // namespace detail
}  // namespace sdk
}  // namespace quorate
#pragma GCC visibility pop
