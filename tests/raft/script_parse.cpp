#include "host/raft/membership.hpp"
#include "tests/raft/script.hpp"

#include <sstream>
#include <stdexcept>

namespace quorate::raft::test {
namespace {

EntryId parse_id(const std::string& text) {
    std::size_t slash = text.find('/');
    if (slash == std::string::npos) throw std::runtime_error("not term/index: " + text);
    return {Term(std::stoull(text)), Index(std::stoull(text.substr(slash + 1)))};
}

}  // namespace

Words::Words(const std::string& line) {
    std::istringstream in(line);
    in >> verb;
    for (std::string word; in >> word;) {
        std::size_t equals = word.find('=');
        if (equals == std::string::npos || word[0] == '+') {
            plain.push_back(word);
        } else {
            named[word.substr(0, equals)] = word.substr(equals + 1);
        }
    }
}

std::uint64_t Words::number(std::size_t place, std::uint64_t otherwise) const {
    return place < plain.size() ? std::stoull(plain[place]) : otherwise;
}

std::uint64_t Words::named_number(const std::string& key, std::uint64_t otherwise) const {
    auto found = named.find(key);
    return found != named.end() ? std::stoull(found->second) : otherwise;
}

bool Words::has(const std::string& word) const {
    for (const std::string& other : plain) {
        if (other == word) return true;
    }
    return false;
}

// 1,2,3?5,4-: voters 1 and 2, a promotable 3 that is due at 5, a non-voter 4.
Membership parse_members(const std::string& text) {
    Membership membership;
    std::istringstream in(text);
    for (std::string word; std::getline(in, word, ',');) {
        Member member{.id = MemberId(std::stoull(word)),
                      .host = "h" + std::to_string(std::stoull(word))};
        std::size_t mark = word.find_first_of("?-");
        if (mark != std::string::npos && word[mark] == '-') member.kind = VoteKind::non_voter;
        if (mark != std::string::npos && word[mark] == '?') {
            member.kind = VoteKind::promotable;
            member.promote_at = Index(std::stoull("0" + word.substr(mark + 1)));
        }
        membership.members.push_back(member);
    }
    return membership;
}

// +2/7'x' a command, +2/7noop, +2/7[1,2,3] a membership
Entry parse_entry(const std::string& text) {
    Entry entry{.id = parse_id(text.substr(1))};
    std::size_t rest = text.find_first_not_of("0123456789/", 1);
    if (rest == std::string::npos || text[rest] == '\'') {
        std::string payload =
            rest == std::string::npos ? "" : text.substr(rest + 1, text.size() - rest - 2);
        entry.payload = Bytes::copy_of(payload);
    } else if (text[rest] == '[') {
        entry.kind = EntryKind::membership;
        entry.payload = encode(parse_members(text.substr(rest + 1, text.size() - rest - 2)));
    } else {
        entry.kind = EntryKind::noop;
    }
    return entry;
}

Message parse_message(const Words& words, std::size_t first) {
    const std::string& kind = words.plain.at(first);
    Term term(words.named_number("term"));
    std::uint64_t round = words.named_number("round");
    auto id = [&](const char* key) {
        return words.named.contains(key) ? parse_id(words.named.at(key)) : EntryId{};
    };
    bool pre = kind.starts_with("PreVote");
    if (kind == "Vote" || kind == "PreVote")
        return VoteRequest{
            .term = term, .last = id("last"), .pre_vote = pre, .transfer = words.has("transfer")};
    if (kind == "VoteReply" || kind == "PreVoteReply")
        return VoteReply{.term = term, .pre_vote = pre, .granted = words.has("granted")};
    if (kind == "Append") {
        AppendEntries m{.term = term,
                        .prev = id("prev"),
                        .commit = Index(words.named_number("commit")),
                        .round = round,
                        .sleep = words.has("sleep")};
        for (const std::string& word : words.plain) {
            if (word[0] == '+') m.entries.push_back(parse_entry(word));
        }
        m.last = m.prev.index + m.entries.size();
        m.leader_last = std::max(m.last, m.commit);
        return m;
    }
    if (kind == "AppendReply") {
        bool refused = words.named.contains("refused");
        return AppendReply{.term = term,
                           .accepted = !refused,
                           .recovering = words.has("recovering"),
                           .match = Index(words.named_number(refused ? "refused" : "match")),
                           .hint = id("hint"),
                           .round = round,
                           .asleep = words.has("asleep")};
    }
    if (kind == "SnapshotOffer")
        return SnapshotOffer{term, id("last"), parse_members(words.named.at("members")), round};
    if (kind == "TimeoutNow") return TimeoutNow{term};
    if (kind == "ReadIndex") return ReadIndexRequest{term, ReadId(words.named_number("id", 1))};
    if (kind == "ReadIndexReply")
        return ReadIndexReply{
            term, ReadId(words.named_number("id", 1)), Index(words.named_number("index")), {}};
    throw std::runtime_error("no such message: " + kind);
}

}  // namespace quorate::raft::test
