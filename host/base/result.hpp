#pragma once

#include "host/base/error.hpp"

#include <boost/system/result.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

namespace quorate {

// Thrown by Result::value() on an error: the caller said that it cannot happen.
class UnexpectedError : public std::runtime_error {
 public:
    explicit UnexpectedError(Error e) : std::runtime_error(to_string(e)), error(std::move(e)) {}
    Error error;
};

[[noreturn]] inline void throw_exception_from_error(const Error& error,
                                                    const boost::source_location&) {
    throw UnexpectedError(error);
}

// A value or an Error, where failure is ordinary. Only the members that std::expected also has
// are used: has_value(), value(), error(), *, ->.
template <class T>
using Result = boost::system::result<T, Error>;

inline Error fail(Errc code, std::string what, std::string hint = {}) {
    return Error{code, std::move(what), std::move(hint)};
}

// Too much is under way. `retry_after_ms`: when it is likely to be taken; 0: not known.
inline Error fail_overloaded(std::string what, std::uint32_t retry_after_ms) {
    return Error{Errc::overloaded, std::move(what), {}, retry_after_ms};
}

}  // namespace quorate

#define QUORATE_CONCAT_(a, b) a##b
#define QUORATE_CONCAT(a, b) QUORATE_CONCAT_(a, b)
#define QUORATE_TRY_VALUE(unique, declaration, ...) \
    auto&& unique = (__VA_ARGS__);                  \
    if (!unique.has_value()) return unique.error(); \
    declaration = std::move(*unique)
#define QUORATE_TRY_VOID(unique, ...)                   \
    do {                                                \
        auto&& unique = (__VA_ARGS__);                  \
        if (!unique.has_value()) return unique.error(); \
    } while (false)

// TRY(auto x, f()): x is f's value, or the error is returned from here.
// TRY_VOID(f()): the same for a Result<void>.
#define TRY(declaration, ...) \
    QUORATE_TRY_VALUE(QUORATE_CONCAT(try_, __COUNTER__), declaration, __VA_ARGS__)
#define TRY_VOID(...) QUORATE_TRY_VOID(QUORATE_CONCAT(try_, __COUNTER__), __VA_ARGS__)
