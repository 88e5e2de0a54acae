#include "host/raft/membership.hpp"

#include "host/base/check.hpp"

#include <algorithm>
#include <string>

namespace quorate::raft {
namespace {

constexpr std::uint8_t format_version = 1;
constexpr std::size_t max_host_name = 0xffff;

template <class Number>
void put(std::string& out, Number value) {
    for (std::size_t i = 0; i < sizeof(Number); ++i)
        out.push_back(static_cast<char>(value >> (8 * i) & 0xff));
}

// Takes numbers off the front of bytes that may end too early.
class Reader {
 public:
    explicit Reader(ByteView bytes) : bytes_(bytes) {}

    template <class Number>
    Number take() {
        ByteView part = take_bytes(sizeof(Number));
        Number value = 0;
        for (std::size_t i = part.size(); i-- > 0;)
            value = static_cast<Number>(value << (sizeof(Number) > 1 ? 8 : 0) |
                                        std::to_integer<Number>(part[i]));
        return value;
    }
    ByteView take_bytes(std::size_t count) {
        if (count > bytes_.size()) {
            short_ = true;
            return {};
        }
        ByteView part = bytes_.first(count);
        bytes_ = bytes_.subspan(count);
        return part;
    }
    bool done() const { return !short_ && bytes_.empty(); }
    bool is_short() const { return short_; }

 private:
    ByteView bytes_;
    bool short_ = false;
};

}  // namespace

Bytes encode(const Membership& membership) {
    CHECK(is_valid(membership));
    std::string out;
    put(out, format_version);
    put(out, static_cast<std::uint32_t>(membership.members.size()));
    for (const Member& member : membership.members) {
        put(out, member.id.value());
        put(out, static_cast<std::uint8_t>(member.kind));
        put(out, member.promote_at.value());
        put(out, static_cast<std::uint16_t>(member.host.size()));
        out += member.host;
    }
    return Bytes::take(std::move(out));
}

std::optional<Membership> decode_membership(ByteView payload) {
    Reader in(payload);
    if (in.take<std::uint8_t>() != format_version) return std::nullopt;
    auto count = in.take<std::uint32_t>();
    Membership membership;
    for (std::uint32_t i = 0; i < count && !in.is_short(); ++i) {
        Member& member = membership.members.emplace_back();
        member.id = MemberId(in.take<std::uint64_t>());
        member.kind = static_cast<VoteKind>(in.take<std::uint8_t>());
        member.promote_at = Index(in.take<std::uint64_t>());
        member.host = as_text(in.take_bytes(in.take<std::uint16_t>()));
    }
    if (!in.done() || !is_valid(membership)) return std::nullopt;
    return membership;
}

bool is_valid(const Membership& membership) {
    MemberId before;
    for (const Member& member : membership.members) {
        if (member.id <= before || member.host.size() > max_host_name) return false;
        if (member.kind > VoteKind::non_voter) return false;
        before = member.id;
    }
    return voter_count(membership) > 0;
}

const Member* find(const Membership& membership, MemberId id) {
    auto at =
        std::lower_bound(membership.members.begin(), membership.members.end(), id,
                         [](const Member& member, MemberId sought) { return member.id < sought; });
    return at != membership.members.end() && at->id == id ? &*at : nullptr;
}

bool is_voter(const Membership& membership, MemberId id) {
    const Member* member = find(membership, id);
    return member != nullptr && member->kind == VoteKind::voter;
}

std::size_t voter_count(const Membership& membership) {
    return static_cast<std::size_t>(
        std::count_if(membership.members.begin(), membership.members.end(),
                      [](const Member& member) { return member.kind == VoteKind::voter; }));
}

const Membership& MembershipLog::at(Index index) const {
    auto after = std::upper_bound(steps_.begin(), steps_.end(), index,
                                  [](Index i, const Step& step) { return i < step.index; });
    CHECK(after != steps_.begin());
    return std::prev(after)->membership;
}

bool MembershipLog::is_voter_since(Index index, MemberId member) const {
    for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
        if (is_voter(step->membership, member)) return true;
        if (step->index <= index) return false;
    }
    return false;
}

bool MembershipLog::ever_named(MemberId member, Index until) const {
    return std::any_of(steps_.begin(), steps_.end(), [&](const Step& step) {
        return step.index <= until && find(step.membership, member) != nullptr;
    });
}

void MembershipLog::append(Index index, Membership membership) {
    CHECK(index > active_since());
    steps_.push_back({index, std::move(membership)});
}

void MembershipLog::truncate_from(Index from) {
    while (steps_.back().index >= from) {
        steps_.pop_back();
        CHECK(!steps_.empty());
    }
}

void MembershipLog::compact(Index snapshot) {
    auto after = std::upper_bound(steps_.begin(), steps_.end(), snapshot,
                                  [](Index i, const Step& step) { return i < step.index; });
    if (after != steps_.begin()) steps_.erase(steps_.begin(), std::prev(after));
}

void MembershipLog::reset(Index index, Membership membership) {
    CHECK(is_valid(membership));
    steps_.clear();
    steps_.push_back({index, std::move(membership)});
}

}  // namespace quorate::raft
