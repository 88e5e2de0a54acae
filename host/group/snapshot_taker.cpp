#include "host/group/snapshot_taker.hpp"

#include "host/base/log.hpp"
#include "host/group/state_hash.hpp"

#include <algorithm>
#include <utility>

namespace quorate::group {
namespace {

class SnapshotSink final : public machine::ByteSink {
 public:
    explicit SnapshotSink(storage::SnapshotWriter& writer) : writer_(writer) {}
    Result<void> write(ByteView bytes) override { return writer_.write(bytes); }

 private:
    storage::SnapshotWriter& writer_;
};

}  // namespace

SnapshotSummary SnapshotTaker::summary(const storage::SnapshotInfo& info) const {
    return {env_.host,      info.meta.last,    info.bytes,
            info.raw_bytes, info.meta.machine, info.meta.machine_version};
}

storage::SnapshotMeta SnapshotTaker::meta() const {
    storage::SnapshotMeta meta;
    meta.group = env_.registration.group;
    meta.epoch = env_.registration.epoch;
    meta.last = env_.applier.applied();
    meta.membership = env_.member.core().membership_at(meta.last.index);
    meta.machine = env_.registration.machine.machine;
    meta.machine_version = env_.registration.machine.version;
    meta.build = env_.registration.machine.build;
    meta.outcome_hash = env_.applier.outcome_hash();
    meta.time_ms = env_.applier.time_ms();
    return meta;
}

Result<SnapshotTaker::Job> SnapshotTaker::open_view() {
    TRY_VOID(env_.member.machine());
    auto job = std::make_shared<ViewJob>();
    job->machine = env_.applier.machine();
    TRY(job->view, job->machine->open_view());
    job_ = job;
    return job;
}

void SnapshotTaker::cancel() {
    if (job_) job_->cancel = true;
}

void SnapshotTaker::view_ended() {
    job_.reset();
    if (!hashes_.empty()) start_hash();
}

// ---- taking ---------------------------------------------------------------------------------

void SnapshotTaker::take(Reply<SnapshotSummary> done) {
    if (stopped_) return done(*stopped_);
    if (place_ != Place::free || job_) {
        return done(fail(Errc::snapshot_busy, place_ == Place::receiving
                                                  ? "a snapshot from the leader is being received"
                                                  : "a snapshot is being taken"));
    }
    begin(std::move(done));
}

void SnapshotTaker::state_moved() {
    if (env_.options.snapshot_interval_entries == 0 || place_ != Place::free || job_ || stopped_)
        return;
    Index from = std::max(attempted_, env_.member.core().snapshot().index);
    Index applied = env_.applier.applied().index;
    if (applied < from + env_.options.snapshot_interval_entries) return;
    begin([](const Result<SnapshotSummary>&) {});
}

void SnapshotTaker::begin(Reply<SnapshotSummary> done) {
    Result<machine::Machine*> machine = env_.member.machine();
    if (!machine.has_value()) return done(machine.error());
    // A build that repeats what another applied may yet turn out to do so in another way.
    if (env_.applier.replaying()) {
        return done(fail(Errc::snapshot_busy,
                         "the machine is being rebuilt: it has come to entry " +
                             std::to_string(env_.applier.applied().index.value()) + " of " +
                             std::to_string(env_.applier.highest_applied().value())));
    }
    if (env_.applier.applied().index <= env_.member.core().snapshot().index) {
        return env_.background.run<storage::SnapshotInfo>(
            [&store = env_.snapshots,
             group = env_.registration.group]() -> Result<storage::SnapshotInfo> {
                TRY(std::vector<storage::SnapshotInfo> all, store.list(group));
                if (!all.empty()) return all.front();
                return fail(Errc::not_found, "nothing has been applied yet");
            },
            [this, done = std::move(done)](Result<storage::SnapshotInfo> found) {
                if (!found.has_value()) return done(found.error());
                done(summary(*found));
            });
    }
    attempted_ = env_.applier.applied().index;
    Result<Job> opened = open_view();
    if (!opened.has_value()) return done(opened.error());
    place_ = Place::taking;
    env_.background.run<storage::SnapshotInfo>(
        [job = *opened, &store = env_.snapshots, meta = meta()]() -> Result<storage::SnapshotInfo> {
            std::unique_ptr<machine::View> view = std::move(job->view);
            TRY(auto writer, store.begin(meta));
            SnapshotSink sink(*writer);
            TRY_VOID(view->save(sink, job->cancel));
            view.reset();
            if (job->cancel) return fail(Errc::cancelled, "the snapshot was given up");
            return writer->commit();
        },
        [this, job = *opened, done = std::move(done)](Result<storage::SnapshotInfo> result) {
            saved(std::move(result), done);
        });
}

void SnapshotTaker::saved(Result<storage::SnapshotInfo> result,
                          const Reply<SnapshotSummary>& done) {
    place_ = Place::free;
    if (result.has_value()) {
        if (!stopped_) compact(*result);
    } else if (result.error().code != Errc::cancelled) {
        log::warning("snapshot_failed", to_string(result.error()),
                     {{"group", env_.registration.name}});
    }
    view_ended();
    if (waiting_claim_) {
        place_ = Place::receiving;
        std::exchange(waiting_claim_, nullptr)();
    }
    if (!result.has_value()) return done(result.error());
    done(summary(*result));
}

// The log behind the snapshot goes, but for what lets a follower that was away shortly catch
// up without a transfer.
void SnapshotTaker::compact(const storage::SnapshotInfo& info) {
    const raft::Core& core = env_.member.core();
    EntryId last = info.meta.last;
    if (last.index <= core.snapshot().index) return;  // a later one was received meanwhile
    std::uint64_t kept = std::min(env_.options.retained_entries, last.index.value() - 1);
    Index start = std::max(core.first(), last.index - kept);
    EntryId released{core.term_at(start.prev()), start.prev()};
    bool releases = start > core.first();
    env_.member.step(raft::Compacted{last, info.meta.membership, start});
    env_.applier.rebuild_from(last);
    if (releases) env_.log.release(env_.registration.group, released);
    log::info(
        "snapshot_taken", "a snapshot was taken",
        {{"group", env_.registration.name}, {"index", last.index.value()}, {"bytes", info.bytes}});
    env_.background.run<Done>(
        [&store = env_.snapshots, group = env_.registration.group,
         keep = env_.options.snapshots_kept]() -> Result<Done> {
            TRY_VOID(store.prune(group, keep));
            return Done{};
        },
        [](const Result<Done>&) {});
}

// ---- hashing ----------------------------------------------------------------------------------

void SnapshotTaker::hash(Reply<Hash> done) {
    if (stopped_) return done(*stopped_);
    hashes_.push_back(std::move(done));
    if (!job_) start_hash();
}

void SnapshotTaker::start_hash() {
    std::vector<Reply<Hash>> waiting = std::exchange(hashes_, {});
    Result<Job> opened = open_view();
    if (!opened.has_value()) {
        for (const Reply<Hash>& done : waiting) done(opened.error());
        return;
    }
    Hash base{env_.applier.applied(), env_.applier.outcome_hash(), {}};
    env_.background.run<Hash>(
        [job = *opened, base]() -> Result<Hash> {
            std::unique_ptr<machine::View> view = std::move(job->view);
            Hash hashed = base;
            TRY(hashed.state, state_hash(*view, job->cancel));
            return hashed;
        },
        [this, job = *opened, waiting = std::move(waiting)](Result<Hash> result) {
            view_ended();
            for (const Reply<Hash>& done : waiting) done(result);
        });
}

// ---- the place ----------------------------------------------------------------------------------

void SnapshotTaker::claim(Task granted) {
    if (place_ == Place::taking) {
        cancel();
        waiting_claim_ = std::move(granted);
        return;
    }
    place_ = Place::receiving;
    granted();
}

void SnapshotTaker::release() {
    waiting_claim_ = nullptr;
    if (place_ == Place::receiving) place_ = Place::free;
}

void SnapshotTaker::stop(const Error& why) {
    stopped_ = why;
    cancel();
    waiting_claim_ = nullptr;
    for (const Reply<Hash>& done : std::exchange(hashes_, {})) done(why);
}

}  // namespace quorate::group
