#pragma once

#include <source_location>
#include <stdexcept>

namespace quorate {

// Thrown by a failed CHECK: an invariant of ours is broken. A group's driver catches it and fences
// that one member (DESIGN: a deterministic bug in one group must not take down every host that
// carries it); anywhere else it ends the process.
class BrokenInvariant : public std::logic_error {
 public:
    using std::logic_error::logic_error;
};

[[noreturn]] void fail_check(const char* condition, const char* context,
                             std::source_location where = std::source_location::current());

}  // namespace quorate

// Always on, in release builds too. The second argument, if given, is a string literal or C string
// that says what the broken condition means. Never for input from outside: that is an Error.
#define CHECK(condition, ...) \
    (static_cast<bool>(condition) ? void(0) : ::quorate::fail_check(#condition, "" __VA_ARGS__))
