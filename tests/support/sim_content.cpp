#include "tests/support/sim_content.hpp"

#include "host/base/check.hpp"

#include <algorithm>
#include <cstring>

namespace quorate::sim {

PowerCut PowerCut::draw(std::mt19937_64& random) {
    static constexpr unsigned shares[] = {0, 2, 8, 14, 16};
    unsigned kept = shares[random() % std::size(shares)];
    return {.random = random, .kept_of_16 = kept, .tear = random() % 2 == 0};
}

void SimContent::Image::read(std::uint64_t offset, std::span<std::byte> into) const {
    while (!into.empty()) {
        std::uint64_t at = offset % page_bytes;
        std::size_t count = std::min<std::uint64_t>(into.size(), page_bytes - at);
        auto page = pages.find(offset / page_bytes);
        if (page == pages.end()) {
            std::memset(into.data(), 0, count);
        } else {
            std::memcpy(into.data(), page->second.data() + at, count);
        }
        into = into.subspan(count);
        offset += count;
    }
}

void SimContent::Image::write(std::uint64_t offset, ByteView bytes) {
    while (!bytes.empty()) {
        std::uint64_t at = offset % page_bytes;
        std::size_t count = std::min<std::uint64_t>(bytes.size(), page_bytes - at);
        Page& page = pages.try_emplace(offset / page_bytes).first->second;
        std::memcpy(page.data() + at, bytes.data(), count);
        bytes = bytes.subspan(count);
        offset += count;
    }
}

void SimContent::Image::cut(std::uint64_t at) {
    pages.erase(pages.lower_bound((at + page_bytes - 1) / page_bytes), pages.end());
    auto last = pages.find(at / page_bytes);
    if (last == pages.end()) return;
    std::uint64_t kept = at % page_bytes;
    std::fill(last->second.begin() + static_cast<std::ptrdiff_t>(kept), last->second.end(),
              std::byte{});
}

std::size_t SimContent::read(std::uint64_t offset, std::span<std::byte> into) const {
    if (offset >= live_.size) return 0;
    std::size_t count = std::min<std::uint64_t>(into.size(), live_.size - offset);
    live_.read(offset, into.first(count));
    return count;
}

void SimContent::write(std::uint64_t offset, ByteView bytes) {
    if (bytes.empty()) return;
    live_.write(offset, bytes);
    live_.size = std::max(live_.size, offset + bytes.size());
    std::uint64_t last = (offset + bytes.size() - 1) / sector_bytes;
    for (std::uint64_t sector = offset / sector_bytes; sector <= last; ++sector) {
        dirty_.insert(sector);
    }
}

void SimContent::resize(std::uint64_t size) {
    if (size < live_.size) {
        constexpr std::uint64_t sectors_per_page = page_bytes / sector_bytes;
        for (const Image* image : {&live_, &durable_}) {
            for (auto page = image->pages.lower_bound(size / page_bytes);
                 page != image->pages.end(); ++page) {
                for (std::uint64_t i = 0; i < sectors_per_page; ++i) {
                    std::uint64_t sector = page->first * sectors_per_page + i;
                    if ((sector + 1) * sector_bytes > size) dirty_.insert(sector);
                }
            }
        }
        live_.cut(size);
    }
    live_.size = size;
}

void SimContent::keep_sector(std::uint64_t sector, std::uint64_t bytes) {
    std::array<std::byte, sector_bytes> buffer;
    auto part = std::span(buffer).first(bytes);
    live_.read(sector * sector_bytes, part);
    durable_.write(sector * sector_bytes, part);
}

void SimContent::sync() {
    for (std::uint64_t sector : dirty_) keep_sector(sector);
    dirty_.clear();
    if (live_.size < durable_.size) durable_.cut(live_.size);
    durable_.size = live_.size;
}

void SimContent::fail_sync(std::mt19937_64& random) {
    for (std::uint64_t sector : dirty_) {
        if (random() % 2 == 0) keep_sector(sector);
    }
    dirty_.clear();
}

void SimContent::cut_power(PowerCut& cut) {
    for (std::uint64_t sector : dirty_) {
        if (cut.tear && cut.random() % 8 == 0) {
            cut.tear = false;
            keep_sector(sector, cut.random() % sector_bytes);
        } else if (cut.keeps()) {
            keep_sector(sector);
        }
    }
    dirty_.clear();
    if (live_.size != durable_.size) {
        auto [low, high] = std::minmax(live_.size, durable_.size);
        std::uint64_t choices[] = {low, high, low + cut.random() % (high - low)};
        durable_.size = choices[cut.random() % std::size(choices)];
    }
    durable_.cut(durable_.size);
    live_ = durable_;
}

void SimContent::flip_bit(std::uint64_t offset, unsigned bit) {
    CHECK(offset < size() && bit < 8);
    for (Image* image : {&live_, &durable_}) {
        std::byte value;
        image->read(offset, {&value, 1});
        value ^= std::byte{1} << bit;
        image->write(offset, {&value, 1});
    }
}

}  // namespace quorate::sim
