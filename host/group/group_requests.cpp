#include "host/group/command.hpp"
#include "host/group/group_impl.hpp"
#include "host/group/host_entry.hpp"
#include "host/group/names.hpp"
#include "host/raft/membership.hpp"

#include <utility>

// What callers ask of a member, and what it says of itself.
namespace quorate::group {

Error Group::Impl::why_inactive() const {
    if (phase_ == Phase::fenced)
        return fail(Errc::member_fenced, "the member is fenced: " + trouble_);
    if (phase_ == Phase::stopped) return fail(Errc::member_stopped, "the member was stopped");
    return fail(Errc::member_recovering, "the member is starting");
}

// ---- commands -----------------------------------------------------------------------------------

void Group::Impl::submit(Bytes payload, Time deadline, std::function<void(Outcome)> done) {
    if (std::optional<NotApplied> refused = refusal(payload, deadline))
        return done(std::move(*refused));
    submissions_.add(std::move(payload), deadline, std::move(done));
    wake();
}

// Why nothing is applied, for those whose commands it is about. Pre: machine() is an error.
Error Group::Impl::machine_trouble() const {
    return within("group " + quoted(registration_.name) + " on host " + quoted(env_.host),
                  machine().error());
}

// Why one more command of so many bytes would be too much; nothing if it is not.
std::optional<Error> Group::Impl::overload(std::uint64_t bytes) const {
    if (submissions_.count() >= options_.max_queued_commands ||
        submissions_.bytes() + bytes > options_.max_queued_bytes) {
        return fail_overloaded(std::to_string(submissions_.count()) + " commands of " +
                                   std::to_string(submissions_.bytes()) +
                                   " bytes wait for their answers",
                               submissions_.retry_after_ms());
    }
    if (unstored_bytes_ > options_.max_queued_bytes || memory_->disk_is_behind()) {
        return fail_overloaded(
            "the leader's disk is behind: " + std::to_string(memory_->unstored.load()) +
                " bytes wait for it, " + std::to_string(unstored_bytes_) + " of them this group's",
            submissions_.retry_after_ms());
    }
    return std::nullopt;
}

// Why a command is not even taken; nothing if it is.
std::optional<NotApplied> Group::Impl::refusal(const Bytes& payload, Time deadline) const {
    if (!is_active()) return NotApplied{why_inactive(), {}};
    auto refuse = [this](Errc code, std::string what) {
        return NotApplied{fail(code, std::move(what)), leader_host()};
    };
    if (left_ || applier_.state() == Applier::State::ended) {
        return NotApplied{fail(Errc::no_such_group, "the group was deleted"), {}};
    }
    if (!leads()) return refuse(Errc::not_leader, "this member does not lead the group");
    if (phase_ == Phase::stopping) {
        return NotApplied{fail(Errc::member_stopped, "the leader is stopping"), {}};
    }
    if (!machine_is_coming() && !machine().has_value()) return NotApplied{machine_trouble(), {}};
    if (!parse_command(payload.view())) {
        return refuse(Errc::request_invalid,
                      "the payload has no command header of a known version");
    }
    std::uint64_t size = payload.size() - command_header_bytes;
    if (size > options_.max_command_bytes) {
        return refuse(Errc::command_too_large, "the command has " + std::to_string(size) +
                                                   " bytes, the limit is " +
                                                   std::to_string(options_.max_command_bytes));
    }
    if (std::optional<Error> full = overload(payload.size())) {
        return NotApplied{std::move(*full), leader_host()};
    }
    if (env_.log.space() == storage::Space::low) {
        return refuse(Errc::disk_full, "the leader's disk is nearly full");
    }
    if (deadline <= scheduler_.now()) {
        return refuse(Errc::deadline_exceeded, "the command's deadline had passed when it came");
    }
    return std::nullopt;
}

// ---- queries ------------------------------------------------------------------------------------

void Group::Impl::query(ReadLevel level, Index at_least, Bytes query, Time deadline,
                        Reply<QueryAnswer> done) {
    if (!is_active()) return done(why_inactive());
    if (left_ || applier_.state() == Applier::State::ended) {
        return done(fail(Errc::no_such_group, "the group was deleted"));
    }
    if (queries_.count() >= options_.max_queued_commands ||
        queries_.bytes() + query.size() > options_.max_queued_bytes) {
        return done(fail_overloaded(std::to_string(queries_.count()) + " queries of " +
                                        std::to_string(queries_.bytes()) +
                                        " bytes wait for their answers",
                                    queries_.retry_after_ms()));
    }
    queries_.add({level, at_least, std::move(query), deadline}, std::move(done));
}

// ---- changes ------------------------------------------------------------------------------------

void Group::Impl::change_membership(Changes::Change change, Time deadline, Reply<EntryId> done) {
    if (!is_active()) return done(why_inactive());
    changes_.change(std::move(change), deadline, std::move(done));
}

void Group::Impl::transfer_leadership(MemberId to, Time deadline, Reply<Done> done) {
    if (!is_active()) return done(why_inactive());
    changes_.transfer(to, deadline, std::move(done));
}

Result<void> Group::Impl::campaign() {
    if (!is_active()) return why_inactive();
    const raft::Member* self = raft::find(core_->membership(), registration_.member);
    if (self == nullptr || self->kind != raft::VoteKind::voter) {
        return fail(Errc::not_voter, "the member is not a voter");
    }
    if (core_->recovering()) {
        return fail(Errc::member_recovering, "the member lost entries and catches up");
    }
    step(raft::Campaign{});
    return {};
}

void Group::Impl::end_of_life(Time deadline, Reply<Done> done) {
    if (!is_active()) return done(why_inactive());
    changes_.propose({raft::EntryKind::host, encode(HostEntry::end_of_life)}, deadline,
                     [done = std::move(done)](const Result<EntryId>& entry) {
                         if (!entry.has_value()) return done(entry.error());
                         done(Done{});
                     });
}

void Group::Impl::take_snapshot(Reply<SnapshotSummary> done) {
    if (!is_active()) return done(why_inactive());
    taker_.take(std::move(done));
}

void Group::Impl::list_snapshots(Reply<std::vector<SnapshotSummary>> done) {
    if (!is_active()) return done(why_inactive());
    using Infos = std::vector<storage::SnapshotInfo>;
    background_.run<Infos>(
        [&store = env_.snapshots, group = registration_.group] { return store.list(group); },
        [this, done = std::move(done)](const Result<Infos>& infos) {
            if (!infos.has_value()) return done(infos.error());
            std::vector<SnapshotSummary> summaries;
            for (const storage::SnapshotInfo& info : *infos)
                summaries.push_back(taker_.summary(info));
            done(std::move(summaries));
        });
}

void Group::Impl::plugins_changed() {
    if (is_active()) applier_.try_again();
}

// ---- the machine ----------------------------------------------------------------------------------

Result<machine::Machine*> Group::Impl::machine() const {
    if (applier_.state() == Applier::State::running) return applier_.machine().get();
    if (applier_.trouble()) return *applier_.trouble();
    if (!is_active()) return why_inactive();
    if (applier_.state() == Applier::State::ended) {
        return fail(Errc::no_such_group, "the group was deleted");
    }
    return fail(Errc::plugin_not_found, "the machine is being loaded");
}

bool Group::Impl::machine_is_coming() const {
    return applier_.state() == Applier::State::loading;
}

// ---- status ---------------------------------------------------------------------------------------

MemberState Group::Impl::state() const {
    if (phase_ == Phase::fenced) return MemberState::fenced;
    if (phase_ == Phase::stopped || left_) return MemberState::stopped;
    if (!is_active()) return MemberState::starting;
    switch (applier_.state()) {
        case Applier::State::waiting_for_plugin:
            return MemberState::waiting_for_plugin;
        case Applier::State::faulted:
            return MemberState::faulted;
        case Applier::State::loading:
            return MemberState::starting;
        case Applier::State::ended:
            return MemberState::stopped;
        case Applier::State::running:
            break;
    }
    return core_->recovering() ? MemberState::recovering : MemberState::running;
}

std::vector<PeerProgress> Group::Impl::progress() const {
    std::vector<PeerProgress> members;
    bool leads = core_->role() == raft::Role::leader;
    for (const raft::Member& member : core_->membership().members) {
        Index match = leads && member.id == core_->self() ? core_->durable() : Index{};
        members.push_back({member.id, member.host, member.kind, match, {}});
    }
    using State = raft::Core::PeerStatus::State;
    for (const raft::Core::PeerStatus& peer : core_->peers()) {
        for (PeerProgress& member : members) {
            if (member.id != peer.id) continue;
            member.match = peer.match;
            member.state = peer.state == State::probe       ? "probe"
                           : peer.state == State::replicate ? "replicate"
                                                            : "snapshot";
        }
    }
    return members;
}

MemberStatus Group::Impl::status() const {
    MemberStatus status;
    status.group = registration_.group;
    status.name = registration_.name;
    status.epoch = registration_.epoch;
    status.member = registration_.member;
    status.host = env_.host;
    status.machine = applier_.build();
    status.state = state();
    status.trouble = applier_.trouble() ? to_string(*applier_.trouble()) : trouble_;
    status.applied = applied().index;
    status.outcome_hash = applier_.outcome_hash();
    status.commands = applier_.commands();
    status.queries = queries_.answered();
    if (!core_) return status;
    status.term = core_->term();
    if (is_active()) {
        status.role = core_->role();
        status.leader = leader_host();
    }
    status.first = core_->first();
    status.last = core_->last().index;
    status.commit = core_->commit();
    status.snapshot = core_->snapshot().index;
    status.members = progress();
    const raft::Member* self = raft::find(core_->membership(), registration_.member);
    status.kind = self ? self->kind : raft::VoteKind::non_voter;
    return status;
}

void Group::Impl::status_with_state_hash(Reply<MemberStatus> done) {
    if (!is_active() || !machine().has_value()) return done(status());
    taker_.hash([this, done = std::move(done)](const Result<SnapshotTaker::Hash>& hashed) {
        MemberStatus answer = status();
        if (!hashed.has_value()) return done(hashed.error());
        answer.applied = hashed->at.index;
        answer.outcome_hash = hashed->outcome_hash;
        answer.state_hash = hashed->state;
        done(std::move(answer));
    });
}

}  // namespace quorate::group
