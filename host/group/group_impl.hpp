#pragma once

#include "host/base/ring.hpp"
#include "host/group/applier.hpp"
#include "host/group/catch_up_pace.hpp"
#include "host/group/changes.hpp"
#include "host/group/group.hpp"
#include "host/group/queries.hpp"
#include "host/group/recovery.hpp"
#include "host/group/snapshot_fetcher.hpp"
#include "host/group/snapshot_sender.hpp"
#include "host/group/snapshot_taker.hpp"
#include "host/group/submissions.hpp"

#include <map>
#include <memory>

namespace quorate::group {

// The member itself: owns the core and the parts, and executes what the core puts out. What each
// part does stands with the part; here is only what connects them.
//
// By role: group_lifecycle.cpp (start, stop, fence, end), group_turn.cpp (inputs, the turn and its
// output), group_requests.cpp (what callers ask), group_sleep.cpp (what sleepers rely on).
class Group::Impl final : public Member, public storage::LogClient, public ApplyListener {
 public:
    Impl(Environment environment, GroupOptions options, Registration registration,
         std::optional<storage::RecoveredLog> recovered);
    ~Impl() override;
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    // Runs what a caller asks; what it throws fences the member.
    void guarded(const Task& task) { scheduler_.run(task); }

    // ---- lifecycle
    void start(std::function<void()> begun);
    void stop(bool hand_over, std::function<void()> done);

    // ---- messages
    void receive(RaftEnvelope message, const HostName& from);
    void receive(const SnapshotFetch& message, const HostName& from);
    void receive(SnapshotPiece message);

    // ---- requests
    void submit(Bytes payload, Time deadline, std::function<void(Outcome)> done);
    void query(ReadLevel level, Index at_least, Bytes query, Time deadline,
               Reply<QueryAnswer> done);
    void change_membership(Changes::Change change, Time deadline, Reply<EntryId> done);
    void transfer_leadership(MemberId to, Time deadline, Reply<Done> done);
    Result<void> campaign();
    void end_of_life(Time deadline, Reply<Done> done);
    void take_snapshot(Reply<SnapshotSummary> done);
    void list_snapshots(Reply<std::vector<SnapshotSummary>> done);
    void status_with_state_hash(Reply<MemberStatus> done);
    void plugins_changed();
    void shrink_cache(std::uint64_t keep);

    // ---- sleep (group_sleep.cpp)
    void host_changed(const HostName& host, HostNews news);
    std::optional<Reliance> reliance() const;
    bool leads(const Leadership& asked) const;
    void leader_lost(const Leadership& lost);

    MemberStatus status() const;
    const Registration& registration() const { return registration_; }
    bool is_stopped() const { return stopped_; }

    // ---- Member
    void step(raft::Input input) override;
    void wake() override;
    const raft::Core& core() const override { return *core_; }
    bool leads() const override;
    HostName leader_host() const override;
    HostName host_of(MemberId member) const override;
    EntryId applied() const override { return applier_.applied(); }
    Index highest_applied() const override { return applier_.highest_applied(); }
    Result<machine::Machine*> machine() const override;
    bool machine_is_coming() const override;

    // ---- LogClient
    void stored(Ticket ticket) override;

    // ---- ApplyListener
    void entry_applied(EntryId entry, const Bytes& reply) override;
    bool wants_reply(EntryId entry) const override { return submissions_.wants(entry); }
    void state_moved() override;
    void machine_leaves() override { taker_.machine_leaves(); }
    void applying_stopped() override;
    void build_changed() override;
    void end_of_life(EntryId entry) override;

 private:
    enum class Phase : std::uint8_t { created, starting, running, stopping, stopped, fenced };

    bool is_active() const { return phase_ == Phase::running || phase_ == Phase::stopping; }
    Error why_inactive() const;

    // ---- lifecycle
    void found(FoundState state);
    void remember_damage(Recovery recovery, FoundState state);
    void begin(Recovery recovery, FoundState state);
    void fence(const std::exception& broken);
    void silence(const Error& why);
    void finish_stop();
    void check_hand_over();
    void settle_recovery();
    void hand_over_soon(Duration wait);
    void hand_over();
    MemberId able_member() const;
    void say_cannot_apply(const HostName& heir);
    void leave(const char* why);
    void await_followers(Index entry, Time give_up);

    // ---- sleep
    std::vector<MemberId> unreachable(const HostName& and_on = {}) const;
    void tell_reachability();
    void wake_followers();

    // ---- turn
    void tell_time();
    void turn();
    Admission::Place::Load load() const {
        return {.queued = submissions_.queued(), .under_way = submissions_.under_way()};
    }
    std::optional<raft::Propose> take_commands();
    void execute(raft::Output output);
    void write(raft::Store store);
    void send(raft::Send message);
    void attach_entries(MemberId to, raft::AppendEntries& append) const;
    const raft::Entry* find_fetched(MemberId to, Index index) const;
    void fetch_entries(const raft::NeedEntries& need);
    void read_entries(const raft::NeedEntries& need);
    void on(const raft::RoleChange& change);
    void on(const raft::Proposed& proposed);
    void install(EntryId snapshot);
    void trim_cache();
    void drop_cached(std::uint64_t keep);
    void count_cache();
    void arm_tick();
    void remember_hosts(const raft::Membership& membership);

    // ---- requests
    Error machine_trouble() const;
    std::optional<Error> overload(std::uint64_t bytes) const;
    std::optional<NotApplied> refusal(const Bytes& payload, Time deadline) const;
    std::vector<PeerProgress> progress() const;
    MemberState state() const;

    Environment env_;
    const GroupOptions options_;
    Registration registration_;
    std::optional<storage::RecoveredLog> recovered_;
    Phase phase_ = Phase::created;
    bool stopped_ = false;  // for good: stop() is done
    std::string trouble_;

    SharedHostMemory memory_;
    ReplyRoom replies_;
    MemberScheduler scheduler_;
    Deadlines deadlines_;
    Background background_;
    EntryCache cache_;
    std::unique_ptr<raft::Core> core_;
    Applier applier_;
    Submissions submissions_;
    Admission::Place place_;
    Queries queries_;
    Changes changes_;
    SnapshotTaker taker_;
    SnapshotFetcher fetcher_;
    SnapshotSender sender_;

    bool turn_posted_ = false;
    Time told_time_{};
    TimerId tick_timer_ = 0;
    Time tick_at_ = Time::max();
    bool attached_ = false;

    // Stores on their way to the disk, and how far the log is durable.
    struct Storing {
        Ticket ticket;
        Index last;
        std::uint64_t bytes = 0;  // of payloads
    };
    Ring<Storing> storing_;
    std::uint64_t unstored_bytes_ = 0;  // of them all
    Index durable_;
    std::uint64_t cached_bytes_ = 0;  // of cache_, as memory_ counts it

    // Entries read back for a peer; they go out with the turn that follows.
    std::map<MemberId, std::vector<std::vector<raft::Entry>>> fetched_;
    CatchUpPace pace_;
    std::map<MemberId, HostName> hosts_;

    raft::RoleChange role_;
    HostName told_leader_;
    Index told_applied_;
    std::function<void()> begun_ = [] {};
    bool was_recovering_ = false;
    Duration hand_over_delay_{};
    bool hand_over_pending_ = false;
    std::optional<HostName>
        told_heir_;  // the log says that leadership goes there, or (empty) nowhere
    bool left_ = false;
    bool handed_over_ = false;
    bool saying_farewell_ = false;
    std::function<void()> stop_done_;
};

}  // namespace quorate::group
