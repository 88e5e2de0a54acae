#include "host/group/snapshot_sender.hpp"

#include "host/base/log.hpp"

#include <algorithm>
#include <utility>

namespace quorate::group {
namespace {

// Pieces that wait for the disk; whoever asked for more asks again.
constexpr std::size_t max_waiting = 256;
// In piece timeouts: a receiver that is silent for longer has gone, or will find it closed.
constexpr int idle_timeouts = 10;

}  // namespace

void SnapshotSender::serve(const SnapshotFetch& wanted, const HostName& to) {
    if (stopped_) return;
    OpenPtr& open = open_[wanted.snapshot];
    if (!open) open = std::make_shared<Open>();
    open->last_use = env_.scheduler.now();
    if (open->waiting.size() < max_waiting) open->waiting.emplace_back(wanted, to);
    if (!open->busy) read_next(wanted.snapshot, open);
    if (std::exchange(sweeping_, true)) return;
    env_.deadlines.add(env_.scheduler.now() + idle_timeouts * env_.options.snapshot_piece_timeout,
                       [this] { close_idle(); });
}

void SnapshotSender::read_next(EntryId snapshot, const OpenPtr& open) {
    if (open->waiting.empty() || stopped_) return;
    auto [wanted, to] = std::move(open->waiting.front());
    open->waiting.erase(open->waiting.begin());
    open->busy = true;
    env_.background.run<ReadPiece>(
        [open, wanted = wanted, &store = env_.snapshots, group = env_.registration.group,
         limit = env_.options.snapshot_piece_bytes]() -> Result<ReadPiece> {
            if (!open->source) {
                TRY(open->source, store.source(group, wanted.snapshot));
            }
            ReadPiece piece{open->source->size(), {}};
            if (wanted.offset >= piece.total) return piece;
            std::uint64_t count =
                std::min<std::uint64_t>({limit, wanted.max_bytes, piece.total - wanted.offset});
            TRY(piece.bytes, open->source->read_at(wanted.offset, count));
            return piece;
        },
        [this, open, wanted = wanted, to = to, snapshot](Result<ReadPiece> piece) {
            open->busy = false;
            if (stopped_) return;
            // Total 0 tells the receiver that it is not to be had here.
            SnapshotPiece answer{env_.registration.group, wanted.to, wanted.from, wanted.snapshot,
                                 wanted.offset,           0,         {}};
            if (piece.has_value()) {
                answer.total = piece->total;
                answer.bytes = std::move(piece->bytes);
            } else {
                log::warning("snapshot_not_sent", to_string(piece.error()),
                             {{"group", env_.registration.name}});
                open->source.reset();
            }
            env_.links.send(to, std::move(answer));
            read_next(snapshot, open);
        });
}

void SnapshotSender::close_idle() {
    sweeping_ = false;
    Duration idle = idle_timeouts * env_.options.snapshot_piece_timeout;
    Time now = env_.scheduler.now();
    std::erase_if(open_, [&](const auto& item) {
        return !item.second->busy && item.second->last_use + idle <= now;
    });
    if (open_.empty()) return;
    sweeping_ = true;
    env_.deadlines.add(now + idle, [this] { close_idle(); });
}

void SnapshotSender::stop() {
    stopped_ = true;
    open_.clear();
}

}  // namespace quorate::group
