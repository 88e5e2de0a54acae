#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace quorate {

// Every error that a user can meet, by its stable number: QR-<number>. Numbers are never reused.
// 1xxx configuration and the host's own files, 12xx plugins, 2xxx groups and consensus,
// 3xxx storage, 4xxx connections and requests, 9xxx our own bugs.
// errors.def gives each its name, whether a retry can help, and what to do.
enum class Errc : std::uint16_t {
#define QUORATE_ERROR(name, number, retryable, hint) name = number,
#include "host/base/errors.def"
#undef QUORATE_ERROR
};

// What the catalogue says about a code.
struct ErrorInfo {
    Errc code;
    std::string_view name;  // snake_case, as printed after the number
    bool retryable;         // the same request may succeed later without anybody changing anything
    std::string_view hint;  // what to do, for the reader of the message
};

// The catalogue's line for a code; for a number that this build does not know, the line of
// `internal`.
const ErrorInfo& error_info(Errc code);

// All lines, ascending by number.
std::span<const ErrorInfo> error_catalogue();

// One failure. `what` says what happened, where and why, in one sentence without the code; a hint
// that knows more than the catalogue's replaces it.
struct Error {
    Errc code;
    std::string what;
    std::string hint = {};
    // Of what is refused because too much is under way: when it is likely to be taken; 0: not known.
    std::uint32_t retry_after_ms = 0;

    std::string_view advice() const { return hint.empty() ? error_info(code).hint : hint; }
};

// "QR-1204 plugin_abi: <what>"
std::string to_string(const Error& error);

// The same error with "<where>: " put before its text.
Error within(std::string_view where, Error error);

}  // namespace quorate
