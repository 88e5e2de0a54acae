#include "host/raft/term_log.hpp"

#include "host/raft/random.hpp"

#include <gtest/gtest.h>

#include <map>

namespace quorate::raft {
namespace {

// The same log as a map from index to term.
struct PlainLog {
    EntryId base;
    std::map<Index, Term> terms;

    Index last() const { return terms.empty() ? base.index : terms.rbegin()->first; }
    Term term_at(Index index) const { return index == base.index ? base.term : terms.at(index); }
    EntryId latest_not_after(Index limit, Term term) const {
        for (auto entry = terms.rbegin(); entry != terms.rend(); ++entry) {
            if (entry->first <= limit && entry->second <= term)
                return {entry->second, entry->first};
        }
        return base;
    }
};

void expect_same(const PlainLog& plain, const TermLog& log) {
    ASSERT_EQ(log.base(), plain.base);
    ASSERT_EQ(log.last(), (EntryId{plain.term_at(plain.last()), plain.last()}));
    for (Index i = plain.base.index; i <= plain.last(); i = i.next()) {
        ASSERT_EQ(log.term_at(i), plain.term_at(i)) << i.value();
        ASSERT_TRUE(log.contains({plain.term_at(i), i}));
        ASSERT_FALSE(log.contains({plain.term_at(i).next(), i}));
    }
    ASSERT_FALSE(log.holds(plain.last().next()));
    for (std::size_t i = 1; i < log.runs().size(); ++i) {
        ASSERT_LT(log.runs()[i - 1].first, log.runs()[i].first);
        ASSERT_LT(log.runs()[i - 1].term, log.runs()[i].term);
    }
}

// Does one random thing to both.
void disturb(Random& random, PlainLog& plain, TermLog& log) {
    Index last = plain.last();
    std::uint64_t held = last - plain.base.index;
    switch (random.below(10)) {
        case 0: {  // truncate
            Index from = plain.base.index.next() + random.below(held + 2);
            log.truncate_from(from);
            plain.terms.erase(plain.terms.lower_bound(from), plain.terms.end());
            break;
        }
        case 1: {  // compact
            Index to = plain.base.index + random.below(held + 1);
            EntryId base{plain.term_at(to), to};
            log.compact(to);
            plain.terms.erase(plain.terms.begin(), plain.terms.upper_bound(to));
            plain.base = base;
            break;
        }
        case 2: {  // reset
            if (random.below(5) != 0) break;
            plain.base = {plain.term_at(last).next(), last + random.below(5)};
            plain.terms.clear();
            log.reset(plain.base);
            break;
        }
        default: {
            Term term(plain.term_at(last).value() +
                      (random.below(4) == 0 ? 1 + random.below(2) : 0));
            plain.terms[last.next()] = term;
            log.append(term);
        }
    }
}

TEST(TermLog, behaves_as_a_plain_map_of_terms) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        SCOPED_TRACE(seed);
        Random random(seed);
        PlainLog plain;
        TermLog log;
        for (int i = 0; i < 100; ++i) {
            disturb(random, plain, log);
            ASSERT_NO_FATAL_FAILURE(expect_same(plain, log));
            Index limit(random.below(plain.last().value() + 3));
            Term term(random.below(plain.term_at(plain.last()).value() + 2));
            ASSERT_EQ(log.latest_not_after(limit, term), plain.latest_not_after(limit, term));
        }
    }
}

TEST(TermLog, is_rebuilt_from_its_own_runs) {
    TermLog log;
    for (std::uint64_t term : {1, 1, 2, 4, 4, 7}) log.append(Term(term));
    log.compact(Index(2));
    TermLog again(log.base(), log.runs(), log.last().index);
    EXPECT_EQ(again.last(), (EntryId{Term(7), Index(6)}));
    EXPECT_EQ(again.term_at(Index(3)), Term(2));
    EXPECT_EQ(again.base(), (EntryId{Term(1), Index(2)}));
}

}  // namespace
}  // namespace quorate::raft
