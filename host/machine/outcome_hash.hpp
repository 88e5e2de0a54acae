#pragma once

#include "host/base/bytes.hpp"
#include "host/base/strong.hpp"

#include <bit>
#include <cstdint>

namespace quorate::machine {

// The outcome hash (DESIGN §7, plugin-abi.md §3.9): a chain over what the machine has put out, H(i)
// = mix(H(i-1), index, reply, effects), by which members find at an index that they disagree. It
// finds accidents, not attackers. Defined over the bytes of the ABI, so hosts of different releases
// agree; its definition is part of what is replicated and never changes under this name.
//
// Per entry: begin(index), then its reply and effect records in the order in which they were sunk.
// An entry without a reply and one with an empty reply are different outcomes here: a driver that
// answers for the machine says so by reply({}) or leaves it out, the same on every member.
//
// Every step is a bijection of the value for given input, so differences never cancel by
// themselves, and lengths are mixed in, so the boundaries between records count. Pure; thread: any.
class OutcomeHash {
 public:
    OutcomeHash() = default;
    // Goes on from a value that was kept (a snapshot's).
    explicit OutcomeHash(std::uint64_t value) : value_(value) {}

    std::uint64_t value() const { return value_; }

    void begin(Index index) { mix(index.value()); }
    void reply(ByteView bytes) { mix_record(reply_tag, bytes); }
    // The whole flat record.
    void effect(ByteView record) { mix_record(effect_tag, record); }

 private:
    static constexpr std::uint64_t reply_tag = 1ull << 56;  // above any length
    static constexpr std::uint64_t effect_tag = 2ull << 56;
    static constexpr std::uint64_t odd = 0x9fb21c651e98df25;  // multiplying by it is a bijection

    void mix(std::uint64_t word) {
        value_ = (std::rotl(value_, 23) ^ word) * odd;
        value_ ^= value_ >> 32;
    }

    void mix_record(std::uint64_t tag, ByteView bytes) {
        mix(tag | bytes.size());
        while (bytes.size() >= sizeof(std::uint64_t)) {
            mix(word_of(bytes.first(sizeof(std::uint64_t))));
            bytes = bytes.subspan(sizeof(std::uint64_t));
        }
        if (!bytes.empty()) mix(word_of(bytes));
    }

    // Little endian, zeros above.
    static std::uint64_t word_of(ByteView bytes) {
        static_assert(std::endian::native == std::endian::little);
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data(), bytes.size());
        return word;
    }

    std::uint64_t value_ = 0;
};

}  // namespace quorate::machine
