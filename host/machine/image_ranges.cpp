#include "host/machine/image_ranges.hpp"

#include <algorithm>
#include <cstring>
#include <dlfcn.h>
#include <link.h>

namespace quorate::machine {

// One walk over the loaded images, for the one at a base address or around an address.
struct ImageSearch {
    const link_map* linked = nullptr;
    std::uintptr_t address = 0;
    ImageRanges found;

    static ImageRanges segments(const dl_phdr_info& image) {
        ImageRanges ranges;
        for (int i = 0; i < image.dlpi_phnum; ++i) {
            const ElfW(Phdr)& segment = image.dlpi_phdr[i];
            if (segment.p_type != PT_LOAD) continue;
            std::uintptr_t first = image.dlpi_addr + segment.p_vaddr;
            ranges.ranges_.push_back({.first = first,
                                      .end = first + segment.p_memsz,
                                      .readable = (segment.p_flags & PF_R) != 0,
                                      .executable = (segment.p_flags & PF_X) != 0});
        }
        return ranges;
    }

    static int visit(dl_phdr_info* image, std::size_t, void* search) {
        auto& self = *static_cast<ImageSearch*>(search);
        ImageRanges ranges = segments(*image);
        bool is_it = self.linked != nullptr
                         ? image->dlpi_addr == self.linked->l_addr &&
                               std::strcmp(image->dlpi_name, self.linked->l_name) == 0
                         : ranges.find(reinterpret_cast<const void*>(self.address)) != nullptr;
        if (!is_it) return 0;
        self.found = std::move(ranges);
        return 1;
    }
};

Result<ImageRanges> ImageRanges::of_library(void* handle) {
    link_map* linked = nullptr;
    if (::dlinfo(handle, RTLD_DI_LINKMAP, &linked) != 0 || linked == nullptr) {
        return fail(Errc::internal, "the dynamic linker does not tell where a library lies");
    }
    ImageSearch search{.linked = linked};
    if (::dl_iterate_phdr(ImageSearch::visit, &search) == 0) {
        return fail(Errc::internal,
                    "the dynamic linker does not list a library that it has loaded");
    }
    return std::move(search.found);
}

ImageRanges ImageRanges::around(const void* address) {
    ImageSearch search{.address = reinterpret_cast<std::uintptr_t>(address)};
    ::dl_iterate_phdr(ImageSearch::visit, &search);
    return std::move(search.found);
}

const ImageRanges::Range* ImageRanges::find(const void* address) const {
    auto at = reinterpret_cast<std::uintptr_t>(address);
    auto found = std::ranges::find_if(
        ranges_, [at](const Range& range) { return range.first <= at && at < range.end; });
    return found == ranges_.end() ? nullptr : &*found;
}

bool ImageRanges::holds(const void* start, std::uint64_t bytes) const {
    const Range* range = find(start);
    return range != nullptr && range->readable &&
           bytes <= range->end - reinterpret_cast<std::uintptr_t>(start);
}

bool ImageRanges::holds_code(const void* address) const {
    const Range* range = find(address);
    return range != nullptr && range->executable;
}

bool ImageRanges::holds_text(const char* start) const {
    const Range* range = find(start);
    if (range == nullptr || !range->readable) return false;
    return std::memchr(start, 0, range->end - reinterpret_cast<std::uintptr_t>(start)) != nullptr;
}

}  // namespace quorate::machine
