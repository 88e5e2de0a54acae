#pragma once

#include "host/base/bytes.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <span>

namespace quorate::sim {

// How one power cut treats what was not synced. Drawn once per cut, so that one cut loses nearly
// everything and another nearly nothing.
struct PowerCut {
    std::mt19937_64& random;
    unsigned kept_of_16 = 8;  // the share of un-synced sectors and operations that survive
    bool tear = false;        // one sector may survive in part; cleared once it happened

    static PowerCut draw(std::mt19937_64& random);
    bool keeps() { return random() % 16 < kept_of_16; }
};

// The bytes of one simulated file, as the page cache shows them (`live`) and as the medium holds
// them (`durable`), with what differs known by the 512-byte sector. Bytes that nobody wrote are
// zeroes and take no memory. Thread: the owner's.
class SimContent {
 public:
    static constexpr std::uint64_t sector_bytes = 512;

    std::uint64_t size() const { return live_.size; }
    std::size_t read(std::uint64_t offset, std::span<std::byte> into) const;
    void write(std::uint64_t offset, ByteView bytes);
    void resize(std::uint64_t size);

    void sync();
    // A sync that failed: some sectors reached the medium, the others are believed clean although
    // they are not there (what Linux does, and why a failed sync is never retried).
    void fail_sync(std::mt19937_64& random);
    void cut_power(PowerCut& cut);
    // In cache and medium alike. Pre: offset < size().
    void flip_bit(std::uint64_t offset, unsigned bit);

    bool is_synced() const { return dirty_.empty() && live_.size == durable_.size; }

 private:
    static constexpr std::uint64_t page_bytes = 4096;
    using Page = std::array<std::byte, page_bytes>;
    struct Image {
        std::uint64_t size = 0;
        std::map<std::uint64_t, Page> pages;  // by number; absent: all zero

        void read(std::uint64_t offset, std::span<std::byte> into) const;
        void write(std::uint64_t offset, ByteView bytes);  // does not change the size
        void cut(std::uint64_t at);                        // zeroes at and beyond
    };

    void keep_sector(std::uint64_t sector, std::uint64_t bytes = sector_bytes);

    Image live_;
    Image durable_;
    std::set<std::uint64_t> dirty_;  // sectors in which the two may differ
};

}  // namespace quorate::sim
