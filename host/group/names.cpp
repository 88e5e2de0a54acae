#include "host/group/names.hpp"

#include <algorithm>

namespace quorate::group {
namespace {

// Not std::isalnum: that asks the locale.
bool is_alphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_name_character(char c) {
    return is_alphanumeric(c) || c == '.' || c == '_' || c == '-';
}

}  // namespace

Result<void> check_name(std::string_view name) {
    if (name.empty()) return fail(Errc::name_invalid, "the group's name is empty");
    if (name.size() > name_length_max) {
        return fail(Errc::name_invalid,
                    "the group's name " + quoted(name) + " has " + std::to_string(name.size()) +
                        " characters, more than " + std::to_string(name_length_max));
    }
    if (!is_alphanumeric(name.front())) {
        return fail(Errc::name_invalid,
                    "the group's name " + quoted(name) + " does not begin with a letter or digit");
    }
    auto wrong = std::find_if_not(name.begin(), name.end(), is_name_character);
    if (wrong == name.end()) return {};
    return fail(Errc::name_invalid, "the group's name " + quoted(name) + " holds the character " +
                                        quoted(std::string_view(&*wrong, 1)));
}

std::string quoted(std::string_view text) {
    constexpr std::size_t shown = 2 * name_length_max;
    constexpr char digits[] = "0123456789abcdef";
    std::string out = "'";
    for (char c : text.substr(0, shown)) {
        auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7f) {
            out += c;
        } else {
            out += "\\x";
            out += digits[byte >> 4];
            out += digits[byte & 15];
        }
    }
    if (text.size() > shown) out += "...";
    return out + "'";
}

}  // namespace quorate::group
