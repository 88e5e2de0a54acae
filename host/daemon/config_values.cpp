#include "host/daemon/config.hpp"

#include <array>
#include <charconv>
#include <limits>
#include <utility>

namespace quorate::daemon {
namespace {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

// A whole number followed by one of the units, nothing between and nothing after.
std::optional<std::uint64_t> parse_scaled(std::string_view text, std::span<const Unit> units) {
    std::uint64_t number = 0;
    auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) return std::nullopt;
    std::string_view suffix(rest, static_cast<std::size_t>(text.data() + text.size() - rest));
    for (const Unit& unit : units) {
        if (unit.name != suffix) continue;
        if (number > std::numeric_limits<std::int64_t>::max() / unit.factor) return std::nullopt;
        return number * unit.factor;
    }
    return std::nullopt;
}

std::string in_largest(std::uint64_t value, std::span<const Unit> units) {
    const Unit* best = &units.front();
    for (const Unit& unit : units) {
        if (value != 0 && value % unit.factor == 0) best = &unit;
    }
    return std::to_string(value / best->factor) + std::string(best->name);
}

constexpr std::array<Unit, 6> time_units{{{"ns", 1},
                                          {"us", 1'000},
                                          {"ms", 1'000'000},
                                          {"s", 1'000'000'000},
                                          {"m", 60'000'000'000},
                                          {"h", 3'600'000'000'000}}};
constexpr std::array<Unit, 4> size_units{
    {{"B", 1}, {"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30}}};

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
    auto value = parse_scaled(text, time_units);
    if (!value) {
        return fail(Errc::config_invalid,
                    "'" + std::string(text) + "' is not a duration such as 100ms, 2s or 1m");
    }
    return Duration(static_cast<std::int64_t>(*value));
}

Result<std::uint64_t> parse_size(std::string_view text) {
    auto value = parse_scaled(text, size_units);
    if (!value) {
        return fail(Errc::config_invalid,
                    "'" + std::string(text) + "' is not a size such as 512B, 64KiB or 8MiB");
    }
    return *value;
}

std::string to_text(Duration duration) {
    return in_largest(static_cast<std::uint64_t>(duration / Duration(1)), time_units);
}

std::string size_text(std::uint64_t bytes) {
    return in_largest(bytes, size_units);
}

}  // namespace quorate::daemon
