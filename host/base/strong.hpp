#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace quorate {

// A position in a log. The first entry is at 1; 0 is the position before the log.
// An Index is a point: Index + count is an Index, Index - Index is a count, Index + Index is
// nonsense and does not compile.
class Index {
 public:
    constexpr Index() = default;
    constexpr explicit Index(std::uint64_t value) : value_(value) {}
    constexpr std::uint64_t value() const { return value_; }
    constexpr Index next() const { return Index(value_ + 1); }
    // Pre: not 0.
    constexpr Index prev() const { return Index(value_ - 1); }
    friend constexpr auto operator<=>(Index, Index) = default;
    friend constexpr Index operator+(Index i, std::uint64_t n) { return Index(i.value_ + n); }
    friend constexpr Index operator-(Index i, std::uint64_t n) { return Index(i.value_ - n); }
    friend constexpr std::uint64_t operator-(Index a, Index b) { return a.value_ - b.value_; }

 private:
    std::uint64_t value_ = 0;
};

// A Raft term. 0 is the time before the first election.
class Term {
 public:
    constexpr Term() = default;
    constexpr explicit Term(std::uint64_t value) : value_(value) {}
    constexpr std::uint64_t value() const { return value_; }
    constexpr Term next() const { return Term(value_ + 1); }
    friend constexpr auto operator<=>(Term, Term) = default;

 private:
    std::uint64_t value_ = 0;
};

// Where an entry stands and under which term it was made. Ordered as §3.6.1 compares logs: the
// later term first, then the longer log.
struct EntryId {
    Term term;
    Index index;
    friend constexpr auto operator<=>(const EntryId&, const EntryId&) = default;
};

// A number that names something: comparable, hashable, no arithmetic. 0 names nothing.
template <class Tag>
class Id {
 public:
    constexpr Id() = default;
    constexpr explicit Id(std::uint64_t value) : value_(value) {}
    constexpr std::uint64_t value() const { return value_; }
    constexpr explicit operator bool() const { return value_ != 0; }
    friend constexpr auto operator<=>(Id, Id) = default;

 private:
    std::uint64_t value_ = 0;
};

// One replica's incarnation: random, minted when the member is created from nothing. A wiped and
// re-created replica has another id, so no quorum ever counts it as the old one.
using MemberId = Id<struct MemberIdTag>;
// One group, over its whole life and on every host. Random; a deleted and re-created group of the
// same name has another id.
using GroupId = Id<struct GroupIdTag>;
// A group's generation, counted from 1; a quorum repair makes the next one and fences the former.
using Epoch = Id<struct EpochTag>;
// Names one Store that a core emitted; grows by one with each.
using Ticket = Id<struct TicketTag>;
// Names one read that a driver asked its core to confirm.
using ReadId = Id<struct ReadIdTag>;

}  // namespace quorate

template <>
struct std::hash<quorate::Index> {
    std::size_t operator()(quorate::Index i) const noexcept { return i.value(); }
};
template <class Tag>
struct std::hash<quorate::Id<Tag>> {
    std::size_t operator()(quorate::Id<Tag> id) const noexcept { return id.value(); }
};
