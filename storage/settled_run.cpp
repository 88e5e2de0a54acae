#include "storage/settled_run.hpp"

#include "host/base/check.hpp"

namespace quorate::storage {
namespace {

// Enough that the tree costs next to nothing per entry, and few enough that cutting a row or reading one
// entry of it is cheap.
constexpr std::size_t row_bytes = 32 * 1024;

constexpr std::size_t head_bytes = 13;  // before a payload: term, kind, length

}  // namespace

bool Run::has_room_for(ByteView payload) const {
    return empty() || row().size() + head_bytes + payload.size() <= row_bytes;
}

void Run::add(EntryId id, raft::EntryKind kind, ByteView payload) {
    if (empty()) first_ = next_ = id.index;
    CHECK(id.index == next_, "a run has no gaps");
    next_ = next_.next();
    row_.put(id.term.value());
    row_.put(static_cast<std::uint8_t>(kind));
    row_.put_bytes(payload);
}

std::optional<std::vector<raft::Entry>> decode_run(const Bytes& row, Index first) {
    std::vector<raft::Entry> run;
    ByteReader in(row.view());
    for (Index index = first; !in.at_end(); index = index.next()) {
        Term term(in.get<std::uint64_t>());
        auto kind = static_cast<raft::EntryKind>(in.get<std::uint8_t>());
        ByteView payload = in.get_bytes();
        if (!in.ok()) return std::nullopt;
        auto offset = static_cast<std::size_t>(payload.data() - row.view().data());
        run.push_back(
            {.id = {term, index}, .kind = kind, .payload = row.slice(offset, payload.size())});
    }
    if (run.empty()) return std::nullopt;
    return run;
}

}  // namespace quorate::storage
