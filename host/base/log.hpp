#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace quorate::log {

enum class Level : std::uint8_t { debug, info, warning, error };

// One key and value of an event.
struct Field {
    std::string_view key;
    std::variant<std::string, std::int64_t, std::uint64_t, bool> value;
};

// One event, one line: a stable snake_case name, a sentence for people, and fields.
struct Event {
    Level level;
    std::string_view name;
    std::string_view text;
    std::initializer_list<Field> fields;
};

using Sink = std::function<void(const Event&)>;

// Replaces where events go; at start they go nowhere. Called once by main, or by a test, before
// other threads run. The sink must be safe to call from any thread.
void set_sink(Sink sink);

// Thread: any.
void write(const Event& event);

inline void debug(std::string_view name, std::string_view text,
                  std::initializer_list<Field> f = {}) {
    write({Level::debug, name, text, f});
}
inline void info(std::string_view name, std::string_view text,
                 std::initializer_list<Field> f = {}) {
    write({Level::info, name, text, f});
}
inline void warning(std::string_view name, std::string_view text,
                    std::initializer_list<Field> f = {}) {
    write({Level::warning, name, text, f});
}
inline void error(std::string_view name, std::string_view text,
                  std::initializer_list<Field> f = {}) {
    write({Level::error, name, text, f});
}

}  // namespace quorate::log
