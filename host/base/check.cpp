#include "host/base/check.hpp"

#include <string>

namespace quorate {

void fail_check(const char* condition, const char* context, std::source_location where) {
    std::string text = std::string(where.file_name()) + ":" + std::to_string(where.line()) +
                       ": broken invariant: " + condition;
    if (*context != '\0') text += std::string(" (") + context + ")";
    throw BrokenInvariant(text);
}

}  // namespace quorate
