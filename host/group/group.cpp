#include "host/group/group.hpp"

#include "host/group/group_impl.hpp"

#include <utility>

namespace quorate::group {

Group::Group(Environment environment, GroupOptions options, Registration registration,
             std::optional<storage::RecoveredLog> recovered)
    : impl_(std::make_unique<Impl>(std::move(environment), options, std::move(registration),
                                   std::move(recovered))) {}

Group::~Group() = default;

void Group::start(std::function<void()> begun) {
    impl_->guarded([&] { impl_->start(std::move(begun)); });
}

void Group::stop(bool hand_over, std::function<void()> done) {
    impl_->guarded([&] { impl_->stop(hand_over, std::move(done)); });
}

void Group::receive(RaftEnvelope message, const HostName& from) {
    impl_->guarded([&] { impl_->receive(std::move(message), from); });
}

void Group::receive(SnapshotFetch message, const HostName& from) {
    impl_->guarded([&] { impl_->receive(message, from); });
}

void Group::receive(SnapshotPiece message) {
    impl_->guarded([&] { impl_->receive(std::move(message)); });
}

void Group::submit(Bytes payload, Time deadline, std::function<void(Outcome)> done) {
    impl_->guarded([&] { impl_->submit(std::move(payload), deadline, std::move(done)); });
}

void Group::query(ReadLevel level, Index at_least, Bytes query, Time deadline,
                  Reply<QueryAnswer> done) {
    impl_->guarded(
        [&] { impl_->query(level, at_least, std::move(query), deadline, std::move(done)); });
}

void Group::change_membership(
    std::variant<raft::AddMember, raft::RemoveMember, raft::SetVoteKind> change, Time deadline,
    Reply<EntryId> done) {
    impl_->guarded([&] { impl_->change_membership(std::move(change), deadline, std::move(done)); });
}

void Group::transfer_leadership(MemberId to, Time deadline, Reply<Done> done) {
    impl_->guarded([&] { impl_->transfer_leadership(to, deadline, std::move(done)); });
}

Result<void> Group::campaign() {
    Result<void> begun;
    impl_->guarded([&] { begun = impl_->campaign(); });
    return begun;
}

void Group::end_of_life(Time deadline, Reply<Done> done) {
    impl_->guarded([&] { impl_->end_of_life(deadline, std::move(done)); });
}

void Group::take_snapshot(Reply<SnapshotSummary> done) {
    impl_->guarded([&] { impl_->take_snapshot(std::move(done)); });
}

void Group::list_snapshots(Reply<std::vector<SnapshotSummary>> done) {
    impl_->guarded([&] { impl_->list_snapshots(std::move(done)); });
}

MemberStatus Group::status() const {
    return impl_->status();
}

void Group::status_with_state_hash(Reply<MemberStatus> done) {
    impl_->guarded([&] { impl_->status_with_state_hash(std::move(done)); });
}

void Group::host_changed(const HostName& host, HostNews news) {
    impl_->guarded([&] { impl_->host_changed(host, news); });
}

std::optional<Group::Reliance> Group::reliance() const {
    return impl_->reliance();
}

bool Group::leads(const Leadership& asked) const {
    return impl_->leads(asked);
}

void Group::leader_lost(const Leadership& lost) {
    impl_->guarded([&] { impl_->leader_lost(lost); });
}

void Group::plugins_changed() {
    impl_->guarded([&] { impl_->plugins_changed(); });
}

void Group::shrink_cache(std::uint64_t keep) {
    impl_->guarded([&] { impl_->shrink_cache(keep); });
}

bool Group::is_stopped() const {
    return impl_->is_stopped();
}
const Registration& Group::registration() const {
    return impl_->registration();
}
bool Group::is_leader() const {
    return impl_->leads();
}
HostName Group::leader() const {
    return impl_->leader_host();
}

Result<const machine::Machine*> Group::machine() const {
    TRY(const machine::Machine* machine, impl_->machine());
    return machine;
}

}  // namespace quorate::group
