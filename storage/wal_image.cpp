#include "storage/wal_image.hpp"

#include "storage/wal_bytes.hpp"

#include <algorithm>

namespace quorate::storage {
namespace {

// Runs without those that begin above `last`.
void cut_runs(std::vector<raft::TermRun>& runs, Index last) {
    while (!runs.empty() && runs.back().first > last) runs.pop_back();
}

}  // namespace

void GroupImage::append(EntryId id, raft::EntryKind kind) {
    raft::extend(runs, id);
    if (kind == raft::EntryKind::membership) memberships.push_back(id.index);
    last = id.index;
}

void GroupImage::truncate_from(Index from) {
    if (from > last) return;
    last = std::max(base.index, from.value() == 0 ? Index() : from.prev());
    cut_runs(runs, last);
    while (!memberships.empty() && memberships.back() > last) memberships.pop_back();
}

void GroupImage::reset(EntryId to) {
    base = to;
    last = to.index;
    runs.clear();
    memberships.clear();
}

void GroupImage::release(Index up_to) {
    up_to = std::min(up_to, last);
    if (up_to <= base.index) return;
    base = {term_at(up_to), up_to};
    std::erase_if(memberships, [&](Index at) { return at <= up_to; });
    auto next = std::ranges::upper_bound(runs, up_to.next(), {}, &raft::TermRun::first);
    runs.erase(runs.begin(), next - 1);
    if (last == up_to) {
        runs.clear();
    } else {
        runs.front().first = up_to.next();
    }
}

Term GroupImage::term_at(Index index) const {
    if (index <= base.index || index > last) return {};
    auto next = std::ranges::upper_bound(runs, index, {}, &raft::TermRun::first);
    return next == runs.begin() ? Term() : (next - 1)->term;
}

bool operator==(const GroupImage& a, const GroupImage& b) {
    return encode(a) == encode(b);
}

std::string encode(const GroupImage& image) {
    ByteWriter out;
    out.put(image_format);
    out.put_bytes(image.registration.view());
    out.put(image.hard.term.value());
    out.put(image.hard.vote.value());
    out.put(image.base.term.value());
    out.put(image.base.index.value());
    out.put(image.last.value());
    out.put(image.chain);
    out.put(static_cast<std::uint32_t>(image.runs.size()));
    for (const raft::TermRun& run : image.runs) {
        out.put(run.first.value());
        out.put(run.term.value());
    }
    out.put(static_cast<std::uint32_t>(image.memberships.size()));
    for (Index index : image.memberships) out.put(index.value());
    out.put(static_cast<std::uint8_t>(image.damage ? 1 : 0));
    if (image.damage) {
        out.put_bytes(as_bytes(image.damage->what));
        out.put(image.damage->promised.value());
    }
    return out.take();
}

std::optional<GroupImage> decode_image(ByteView bytes) {
    ByteReader in(bytes);
    if (in.get<std::uint8_t>() != image_format) return {};
    GroupImage image;
    image.registration = Bytes::copy_of(in.get_bytes());
    image.hard.term = Term(in.get<std::uint64_t>());
    image.hard.vote = MemberId(in.get<std::uint64_t>());
    image.base.term = Term(in.get<std::uint64_t>());
    image.base.index = Index(in.get<std::uint64_t>());
    image.last = Index(in.get<std::uint64_t>());
    image.chain = in.get<std::uint64_t>();
    image.runs.resize(in.get_count(2 * sizeof(std::uint64_t)));
    for (raft::TermRun& run : image.runs) {
        run.first = Index(in.get<std::uint64_t>());
        run.term = Term(in.get<std::uint64_t>());
    }
    image.memberships.resize(in.get_count(sizeof(std::uint64_t)));
    for (Index& index : image.memberships) index = Index(in.get<std::uint64_t>());
    if (in.get<std::uint8_t>() != 0) {
        std::string what(as_text(in.get_bytes()));
        image.damage = RecoveredLog::Damage{std::move(what), Index(in.get<std::uint64_t>())};
    }
    if (!in.at_end()) return {};
    return image;
}

}  // namespace quorate::storage
