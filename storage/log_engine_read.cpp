#include "storage/log_engine_read.hpp"

#include "storage/crc32c.hpp"

#include <algorithm>

namespace quorate::storage {
namespace {

constexpr std::uint64_t window_bytes = std::uint64_t{256} * 1024;
constexpr std::uint64_t recover_bytes = std::uint64_t{1024} * 1024;  // of settled entries at a time

}  // namespace

Result<std::vector<raft::Entry>> LogReader::run(const ReadPlan& plan) {
    window_.clear();  // what was not durable when it was read may be there by now
    std::vector<raft::Entry> entries;
    std::uint64_t bytes = 0;
    if (plan.settled_to >= plan.read.from) {
        TRY(entries,
            settled_.read(plan.read.group, plan.read.from, plan.settled_to, plan.read.max_bytes));
        for (const raft::Entry& entry : entries) bytes += entry.payload.size();
        if (entries.back().id.index < plan.settled_to) return entries;
    }
    for (const ReadPlan::Piece& piece : plan.pieces) {
        bytes += piece.slot.length;
        if (!entries.empty() && bytes > plan.read.max_bytes) break;
        TRY(raft::Entry found, entry(piece));
        entries.push_back(std::move(found));
    }
    return entries;
}

Result<RecoveredLog> LogReader::run(const RecoverPlan& plan) {
    window_.clear();
    RecoveredLog log = plan.log;
    for (Index at = log.base.index.next(); at <= plan.settled_to;) {
        TRY(auto entries, settled_.read(log.group, at, plan.settled_to, recover_bytes));
        for (raft::Entry& one : entries) {
            raft::extend(log.runs, one.id);
            if (one.kind == raft::EntryKind::membership) log.memberships.push_back(std::move(one));
        }
        at = entries.back().id.index.next();
    }
    for (const raft::TermRun& run : plan.recent_runs) raft::extend(log.runs, {run.term, run.first});
    for (const ReadPlan::Piece& piece : plan.memberships) {
        TRY(raft::Entry found, entry(piece));
        log.memberships.push_back(std::move(found));
    }
    return log;
}

Result<raft::Entry> LogReader::entry(const ReadPlan::Piece& piece) {
    const auto& [index, slot] = piece;
    TRY(Bytes content, payload(slot));
    return raft::Entry{.id = {slot.term, index}, .kind = slot.kind, .payload = std::move(content)};
}

Result<Bytes> LogReader::payload(const Slot& slot) {
    TRY_VOID(open(slot.file));
    TRY(ByteView found, window(slot.offset, slot.length));
    if (crc32c(found) != slot.crc) {
        return fail(Errc::corrupt, paths_.wal(slot.file) + ": the record before offset " +
                                       std::to_string(slot.offset) + " fails its checksum");
    }
    return Bytes::copy_of(found);
}

Result<void> LogReader::open(std::uint64_t file) {
    if (handle_ && file_ == file) return {};
    handle_.reset();
    window_.clear();
    TRY(handle_, files_.open(paths_.wal(file), Files::Mode::read));
    file_ = file;
    return {};
}

Result<ByteView> LogReader::window(std::uint64_t offset, std::uint64_t length) {
    if (offset < window_at_ || offset + length > window_at_ + window_.size()) {
        window_.resize(std::max(length, window_bytes));
        window_at_ = offset;
        TRY(std::size_t got, handle_->read_at(offset, window_));
        window_.resize(got);
    }
    if (window_.size() - (offset - window_at_) < length) {
        return fail(Errc::corrupt,
                    paths_.wal(file_) + " ends before offset " + std::to_string(offset + length));
    }
    return ByteView(window_).subspan(offset - window_at_, length);
}

}  // namespace quorate::storage
