#include "host/group/snapshot_fetcher.hpp"

#include "host/base/log.hpp"
#include "host/raft/membership.hpp"

#include <algorithm>
#include <utility>

namespace quorate::group {
namespace {

// Timeouts in a row before a transfer is given up; the leader's next offer resumes it.
constexpr int max_silent = 5;

}  // namespace

void SnapshotFetcher::fetch(const raft::SnapshotWanted& wanted) {
    if (stopped_) return;
    const raft::Member* sender = raft::find(wanted.membership, wanted.from);
    HostName host = sender ? sender->host : env_.member.host_of(wanted.from);
    if (transfer_ && transfer_->snapshot == wanted.snapshot) {
        transfer_->from = wanted.from;  // the same one, perhaps of a new leader
        transfer_->host = std::move(host);
        return;
    }
    next_ = wanted;
    transfer_.reset();
    if (!busy_) begin();
}

void SnapshotFetcher::begin() {
    if (!next_ || stopped_) return;
    raft::SnapshotWanted wanted = *std::exchange(next_, std::nullopt);
    const raft::Member* sender = raft::find(wanted.membership, wanted.from);
    transfer_.emplace();
    transfer_->from = wanted.from;
    transfer_->host = sender ? sender->host : env_.member.host_of(wanted.from);
    transfer_->snapshot = wanted.snapshot;
    transfer_->piece = env_.options.snapshot_piece_bytes;
    busy_ = true;
    auto open = [this, snapshot = wanted.snapshot] {
        claimed_ = true;
        env_.background.run<Receiver>(
            [&store = env_.snapshots, group = env_.registration.group,
             snapshot]() -> Result<Receiver> {
                TRY(auto receiver, store.receive(group, snapshot));
                return std::make_shared<std::unique_ptr<storage::SnapshotReceiver>>(
                    std::move(receiver));
            },
            [this](Result<Receiver> receiver) { opened(std::move(receiver)); });
    };
    if (claimed_) return open();
    env_.taker.claim(open);
}

void SnapshotFetcher::opened(Result<Receiver> receiver) {
    busy_ = false;
    if (stopped_) return;
    if (!transfer_) return begin();
    if (!receiver.has_value()) return fail_transfer(receiver.error());
    transfer_->receiver = std::move(*receiver);
    transfer_->stored = transfer_->asked = (*transfer_->receiver)->received();
    log::info("snapshot_transfer", "receiving a snapshot from the leader",
              {{"group", env_.registration.name},
               {"from", transfer_->host},
               {"index", transfer_->snapshot.index.value()},
               {"offset", transfer_->stored}});
    ask();
    arm();
}

// ---- asking -------------------------------------------------------------------------------------

void SnapshotFetcher::ask() {
    Transfer& t = *transfer_;
    if (t.total == 0) {
        if (t.asked == t.stored) ask_for(t.stored);  // its answer tells the total
        return;
    }
    std::uint64_t window = std::uint64_t{env_.options.snapshot_window} * t.piece;
    while (t.asked < t.total && t.asked < t.stored + window) ask_for(t.asked);
}

void SnapshotFetcher::ask_for(std::uint64_t offset) {
    Transfer& t = *transfer_;
    t.asked = offset + t.piece;
    env_.links.send(t.host, SnapshotFetch{env_.registration.group, env_.registration.member, t.from,
                                          t.snapshot, offset, t.piece});
}

void SnapshotFetcher::arm() {
    if (timer_) env_.deadlines.remove(*timer_);
    timer_ = env_.deadlines.add(env_.scheduler.now() + env_.options.snapshot_piece_timeout,
                                [this] { silence(); });
}

void SnapshotFetcher::silence() {
    timer_.reset();
    if (!transfer_ || !transfer_->receiver) return;
    if (!busy_ && ++transfer_->silent >= max_silent) {
        return fail_transfer(fail(Errc::unreachable, "the sender is silent"));
    }
    transfer_->asked = held();
    ask();
    arm();
}

// ---- what arrives -------------------------------------------------------------------------------

// The first offset that is not here yet.
std::uint64_t SnapshotFetcher::held() const {
    std::uint64_t end = transfer_->stored;
    for (const auto& [offset, bytes] : transfer_->arrived) {
        if (offset > end) break;
        end = std::max(end, offset + bytes.size());
    }
    return end;
}

void SnapshotFetcher::receive(SnapshotPiece piece) {
    if (!transfer_ || !transfer_->receiver || piece.snapshot != transfer_->snapshot) return;
    Transfer& t = *transfer_;
    // Two members' files of one snapshot need not be equal: only one sender's pieces are mixed.
    if (piece.from != t.from) return;
    if (piece.total == 0) {
        return fail_transfer(fail(Errc::not_found, "the sender no longer has this snapshot"));
    }
    t.total = piece.total;
    t.silent = 0;
    arm();
    std::uint64_t end = piece.offset + piece.bytes.size();
    bool in_window = piece.offset >= t.stored &&
                     t.arrived.size() < 2 * std::size_t{env_.options.snapshot_window};
    if (in_window && !piece.bytes.empty()) t.arrived.emplace(piece.offset, std::move(piece.bytes));
    if (end < t.total && end > piece.offset && end - piece.offset < t.piece) {
        t.piece = static_cast<std::uint32_t>(end - piece.offset);  // the sender's own limit
        t.asked = held();
    }
    write_arrived();
}

void SnapshotFetcher::write_arrived() {
    Transfer& t = *transfer_;
    if (busy_) return;
    if (t.total != 0 && t.stored == t.total) return commit();
    std::vector<std::pair<std::uint64_t, Bytes>> run;
    std::uint64_t end = t.stored;
    while (!t.arrived.empty() && t.arrived.begin()->first <= end) {
        auto first = t.arrived.extract(t.arrived.begin());
        if (first.key() < end) continue;  // repeated
        end += first.mapped().size();
        run.emplace_back(first.key(), std::move(first.mapped()));
    }
    if (run.empty()) return ask();
    busy_ = true;
    env_.background.run<Done>(
        [receiver = t.receiver, run = std::move(run)]() -> Result<Done> {
            for (const auto& [offset, bytes] : run) {
                TRY_VOID((*receiver)->accept(offset, bytes.view()));
            }
            return Done{};
        },
        [this, end, receiver = t.receiver](const Result<Done>& accepted) {
            busy_ = false;
            if (stopped_) return;
            if (!transfer_ || transfer_->receiver != receiver) return begin();
            if (!accepted.has_value()) return fail_transfer(accepted.error());
            transfer_->stored = end;
            transfer_->asked = std::max(transfer_->asked, end);
            write_arrived();
        });
    ask();
}

void SnapshotFetcher::commit() {
    busy_ = true;
    env_.background.run<storage::SnapshotInfo>(
        [receiver = transfer_->receiver, snapshot = transfer_->snapshot] {
            return (*receiver)->commit(snapshot);
        },
        [this, receiver = transfer_->receiver](Result<storage::SnapshotInfo> info) {
            busy_ = false;
            if (stopped_) return;
            if (!transfer_ || transfer_->receiver != receiver) return begin();
            committed(std::move(info));
        });
}

void SnapshotFetcher::committed(Result<storage::SnapshotInfo> info) {
    if (!info.has_value()) return fail_transfer(info.error());
    if (info->meta.epoch != env_.registration.epoch) {
        return fail_transfer(fail(Errc::epoch_mismatch, "the snapshot is of another epoch"));
    }
    EntryId snapshot = transfer_->snapshot;
    end();
    env_.member.step(raft::SnapshotReceived{snapshot, info->meta.membership});
}

void SnapshotFetcher::fail_transfer(const Error& why) {
    log::warning("snapshot_not_received", to_string(why),
                 {{"group", env_.registration.name}, {"from", transfer_->host}});
    EntryId snapshot = transfer_->snapshot;
    end();
    env_.member.step(raft::SnapshotFailed{snapshot});
}

void SnapshotFetcher::end() {
    transfer_.reset();
    if (timer_) env_.deadlines.remove(*std::exchange(timer_, std::nullopt));
    if (std::exchange(claimed_, false)) env_.taker.release();
}

void SnapshotFetcher::stop() {
    stopped_ = true;
    next_.reset();
    end();
}

}  // namespace quorate::group
