#pragma once

#include "host/group/messages.hpp"

#include <cstdint>
#include <random>
#include <vector>

namespace quorate::testing {

// Messages of every kind that an honest sender could send, from a seed.
class RandomMessages {
 public:
    explicit RandomMessages(std::uint64_t seed) : random_(seed) {}

    group::PeerMessage of_kind(std::size_t kind);
    static constexpr std::size_t kinds = 8 + 2 + 15 + 10 + 2;

    std::uint64_t number(std::uint64_t below) { return random_() % below; }
    bool coin() { return number(2) == 1; }

 private:
    raft::Message raft_message(std::size_t kind);
    raft::AppendEntries append_entries();
    group::RequestBody request_body(std::size_t kind);
    group::ResponseBody response_body(std::size_t kind);
    group::MemberStatus member_status();
    group::Outcome outcome();
    raft::Membership membership();
    EntryId entry_id(std::uint64_t max_term);
    Index index() { return Index(number(1u << 20)); }
    Error error();
    std::string text(std::size_t longest);
    Bytes bytes(std::size_t longest);
    template <class Id>
    Id id() {
        return Id(number(1ull << 60) + 1);
    }
    template <class Make>
    auto some(Make make) {
        std::vector<decltype(make())> out(number(4));
        for (auto& one : out) one = make();
        return out;
    }

    std::mt19937_64 random_;
};

// A text in which every field of a message stands, so that equal texts are equal messages.
std::string describe(const group::PeerMessage& message);

}  // namespace quorate::testing
