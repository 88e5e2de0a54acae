#pragma once

#include "host/base/result.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

namespace quorate::machine {

// Where one loaded library, or the program itself, lies in memory. A pointer that a plugin hands
// out must lie within its own image: two builds with default visibility once shared their tables,
// and the second silently ran the first one's code (plugin-abi.md, "same SDK template statics").
class ImageRanges {
 public:
    // Of the library behind a handle of dlopen(). Errc::internal: the dynamic linker does not tell.
    static Result<ImageRanges> of_library(void* handle);
    // Of whatever image holds this address: for plugins that are linked statically. No
    // ranges if none does.
    static ImageRanges around(const void* address);

    bool holds(const void* start, std::uint64_t bytes) const;
    // Whether a function may begin there.
    bool holds_code(const void* address) const;
    // Whether a zero-terminated text begins there and ends within the image.
    bool holds_text(const char* start) const;

 private:
    struct Range {
        std::uintptr_t first = 0;
        std::uintptr_t end = 0;
        bool readable = false;
        bool executable = false;
    };
    const Range* find(const void* address) const;

    std::vector<Range> ranges_;

    friend struct ImageSearch;
};

}  // namespace quorate::machine
