#include "tests/group/group_fixture.hpp"

#include "host/group/command.hpp"

#include <algorithm>

namespace quorate::testing {

// ---- a member -----------------------------------------------------------------------------------

TestMember::TestMember(TestCluster& owner, std::string name, MemberId member)
    : cluster(owner),
      host(std::move(name)),
      id(member),
      files(member.value()),
      admission(owner.scheduler, {}) {
    open_snapshots();
}

TestMember::~TestMember() = default;

void TestMember::open_snapshots() {
    // Small chunks, because a transfer resumes after the last whole one.
    storage::SnapshotDirectory::Options options;
    options.chunk_bytes = 4096;
    snapshots = storage::SnapshotDirectory::open(files, "snapshots", options).value();
}

void TestMember::create(raft::Membership initial) {
    group::Registration registration{
        TestCluster::group_id, "demo", Epoch(1), id, {"test", "build", "log", 1},
        std::move(initial),    {}};
    log.create(registration.group, encode(registration), cluster.scheduler,
               [](const Result<void>& created) { ASSERT_TRUE(created.has_value()); });
    make_group(std::move(registration), std::nullopt);
}

void TestMember::start() {
    for (storage::RecoveredLog& found : log.take_recovered()) {
        auto registration = group::decode_registration(found.registration.view()).value();
        make_group(std::move(registration), std::move(found));
    }
    ASSERT_NE(group, nullptr) << "nothing on the disk of " << host;
}

void TestMember::make_group(group::Registration registration,
                            std::optional<storage::RecoveredLog> recovered) {
    group = std::make_unique<group::Group>(
        group::Group::Environment{cluster.scheduler, *this, log, *snapshots, machines, *this, host,
                                  admission, memory},
        cluster.options, std::move(registration), std::move(recovered));
    group->start([] {});
}

void TestMember::crash() {
    files.kill();
    group.reset();
    log.crash();
    cluster.scheduler.run_ready();  // what ran in the background fails, and nobody hears of it
    snapshots.reset();
    files.restart();
    open_snapshots();
}

void TestMember::stop(bool hand_over) {
    bool done = false;
    group->stop(hand_over, [&done] { done = true; });
    ASSERT_TRUE(cluster.run_until([&] { return done; }));
    group.reset();
    log.crash();
}

void TestMember::send(const group::HostName& to, group::PeerMessage message) {
    cluster.deliver(host, to, std::move(message));
}

std::string TestMember::ask(std::string_view query) const {
    auto machine = group->machine();
    EXPECT_TRUE(machine.has_value());
    return machine.has_value() ? std::string((*machine)->query(as_bytes(query)).value().text())
                               : "";
}

std::string TestMember::trouble_of_query(std::string_view query) {
    auto answer = cluster.query(*this, group::ReadLevel::local, query);
    if (!answer.has_value()) return "waits";
    return answer->has_value() ? "none" : std::string(error_info(answer->error().code).name);
}

// ---- the cluster --------------------------------------------------------------------------------

group::GroupOptions TestCluster::fast_options() {
    group::GroupOptions options;
    options.raft.election_timeout = 1s;
    options.raft.heartbeat_interval = 100ms;
    options.snapshot_interval_entries = 0;
    return options;
}

TestCluster::TestCluster(std::size_t members, group::GroupOptions given) : options(given) {
    raft::Membership initial;
    for (std::size_t i = 0; i < members; ++i) {
        initial.members.push_back(add_host().as_member());
    }
    for (auto& member : members_) member->create(initial);
}

TestCluster::~TestCluster() {
    for (auto& member : members_) member->group.reset();
    scheduler.resume_background();
    scheduler.run_ready();
}

TestMember& TestCluster::add_host() {
    std::size_t number = members_.size() + 1;
    members_.push_back(std::make_unique<TestMember>(*this, "host" + std::to_string(number),
                                                    MemberId(100 + number)));
    return *members_.back();
}

void TestCluster::start_all() {
    for (auto& member : members_) {
        if (!member->is_up()) member->start();
    }
}

TestMember& TestCluster::leader() {
    TestMember* found = nullptr;
    auto leads = [&] {
        found = nullptr;
        for (auto& member : members_) {
            if (!member->is_up() || !member->group->is_leader()) continue;
            auto status = member->status();
            if (found == nullptr || status.term > found->status().term) found = member.get();
        }
        return found != nullptr && found->status().commit > Index{} &&
               found->status().commit == found->status().last;
    };
    if (!scheduler.run_until(leads, 60s)) throw std::runtime_error("nobody leads");
    return *found;
}

std::vector<TestMember*> TestCluster::followers() {
    TestMember& leading = leader();
    std::vector<TestMember*> others;
    for (auto& member : members_) {
        if (member.get() != &leading && member->is_up()) others.push_back(member.get());
    }
    return others;
}

TestCluster::LaterOutcome TestCluster::submit(TestMember& member, std::string_view text,
                                              Duration within) {
    LaterOutcome later;
    member.group->submit(group::make_command({scheduler.wall_ms()}, as_bytes(text)),
                         scheduler.now() + within, [later](group::Outcome outcome) {
                             EXPECT_FALSE(later.has_value()) << "answered twice";
                             *later.value = std::move(outcome);
                         });
    return later;
}

std::string TestCluster::apply(std::string_view text) {
    std::string said = say(await(submit(leader(), text)));
    EXPECT_TRUE(said.starts_with("applied ")) << said;
    return said.substr(said.find(' ') + 1);
}

void TestCluster::apply_many(std::size_t count, std::string_view prefix) {
    TestMember& to = leader();
    std::vector<LaterOutcome> all;
    for (std::size_t i = 0; i < count; ++i) {
        all.push_back(submit(to, std::string(prefix) + std::to_string(i)));
    }
    for (const LaterOutcome& each : all) {
        ASSERT_TRUE(say(await(each)).starts_with("applied")) << say(*each);
    }
}

TestCluster::LaterAnswer TestCluster::query(TestMember& member, group::ReadLevel level,
                                            std::string_view text, Index at_least,
                                            Duration within) {
    LaterAnswer later;
    member.group->query(level, at_least, Bytes::copy_of(text), scheduler.now() + within,
                        [later](Result<group::QueryAnswer> answer) {
                            EXPECT_FALSE(later.has_value()) << "answered twice";
                            *later.value = std::move(answer);
                        });
    return later;
}

void TestCluster::await_applied(Index index) {
    EXPECT_TRUE(scheduler.run_until(
        [&] {
            return std::ranges::all_of(members_, [&](const auto& member) {
                return !member->is_up() || member->has_ended || member->status().applied >= index;
            });
        },
        60s))
        << "not everybody applied " << index.value();
}

void TestCluster::expect_agreement() {
    TestMember& leading = leader();
    await_applied(leading.status().commit);
    for (auto& member : members_) {
        if (!member->is_up()) continue;
        EXPECT_EQ(member->status().applied, leading.status().applied) << member->host;
        EXPECT_EQ(member->status().outcome_hash, leading.status().outcome_hash) << member->host;
        EXPECT_EQ(member->ask("all"), leading.ask("all")) << member->host;
    }
}

void TestCluster::cut(const TestMember& a, const TestMember& b) {
    cut_.emplace(a.host, b.host);
    cut_.emplace(b.host, a.host);
}

void TestCluster::isolate(const TestMember& member) {
    for (auto& other : members_) {
        if (other.get() != &member) cut(member, *other);
    }
}

void TestCluster::deliver(const std::string& from, const std::string& to,
                          group::PeerMessage message) {
    if (lose && lose(from, to, message)) return;
    scheduler.at(scheduler.now() + 1ms, [this, from, to, message = std::move(message)]() mutable {
        if (cut_.contains({from, to})) return;
        for (auto& member : members_) {
            if (member->host != to || !member->is_up()) continue;
            if (auto* raft = std::get_if<group::RaftEnvelope>(&message)) {
                member->group->receive(std::move(*raft), from);
            } else if (auto* fetch = std::get_if<group::SnapshotFetch>(&message)) {
                member->group->receive(*fetch, from);
            } else if (auto* piece = std::get_if<group::SnapshotPiece>(&message)) {
                member->group->receive(std::move(*piece));
            }
            return;
        }
    });
}

std::string say(const group::Outcome& outcome) {
    if (auto* applied = std::get_if<group::Applied>(&outcome)) {
        return "applied " + std::string(applied->reply.text());
    }
    if (auto* not_applied = std::get_if<group::NotApplied>(&outcome)) {
        return "not_applied " + std::string(error_info(not_applied->error.code).name);
    }
    return "unknown " + std::string(error_info(std::get<group::Unknown>(outcome).error.code).name);
}

}  // namespace quorate::testing
