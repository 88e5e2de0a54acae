#include "host/group/command.hpp"
#include "tests/group/host_cluster.hpp"

#include <cstdlib>
#include <map>

// Every call is answered exactly once and by its deadline, whatever becomes of the messages; and
// what is said of a command is true.
namespace quorate::testing {
namespace {

using group::ReadLevel;

// Clients that call everything there is, while messages vanish, repeat and overtake each other.
class Storm {
 public:
    explicit Storm(std::uint64_t seed) : cluster_(4, 1 + seed % 3, seed), random_(seed) {
        EXPECT_TRUE(cluster_.create(cluster_.host(0), "demo", {"h1", "h2", "h3"}).has_value());
        for (TestHost* host : cluster_.hosts_up()) {
            ports_.push_back(cluster_.open(*host, "demo").value());
        }
    }

    void rage() {
        cluster_.loss = 0.1;
        cluster_.repetition = 0.1;
        for (int step = 0; step < 150; ++step) {
            for (int i = 0; i < 3; ++i) submit();
            if (draw(3) == 0) query();
            if (draw(4) == 0) call_service();
            if (draw(10) == 0) shake_network();
            cluster_.scheduler.run_for(Duration(draw(60'000'000)));
        }
    }

    void calm_down() {
        cluster_.loss = 0;
        cluster_.repetition = 0;
        cluster_.heal();
        for (const std::string& a : cluster_.names()) {
            for (const std::string& b : cluster_.names()) {
                if (a != b) cluster_.connect(a, b);
            }
        }
        cluster_.scheduler.run_for(30s);
    }

    void check() {
        EXPECT_EQ(cluster_.answers_missing, 0);
        std::string all =
            "," + cluster_.query(cluster_.host(0), "demo", ReadLevel::linearizable, "all", 30s) +
            ",";
        for (const auto& [text, told] : submits_) {
            ASSERT_TRUE(told.has_value()) << text;
            std::size_t times = 0;
            for (auto at = all.find("," + text + ","); at != all.npos;
                 at = all.find("," + text + ",", at + 1)) {
                ++times;
            }
            if (std::holds_alternative<group::Applied>(*told)) {
                EXPECT_EQ(times, 1u) << text;
                ++applied;
            } else if (std::holds_alternative<group::NotApplied>(*told)) {
                EXPECT_EQ(times, 0u) << text << " " << say(*told);
                ++not_applied;
            } else {
                EXPECT_LE(times, 1u) << text << " " << say(*told);
                ++unknown;
            }
        }
    }

    int applied = 0;
    int not_applied = 0;
    int unknown = 0;

 private:
    std::uint64_t draw(std::uint64_t below) { return random_() % below; }
    TestHost& any_host() { return cluster_.host(draw(4)); }
    Time deadline() {
        return cluster_.in(Duration(1ms) * static_cast<Duration::rep>(1 + draw(1500)));
    }

    void submit() {
        std::string text = "c" + std::to_string(submits_.size());
        Time until = deadline();
        auto& told = submits_[text];
        Bytes payload = group::make_command({cluster_.scheduler.wall_ms()}, as_bytes(text));
        ports_[draw(ports_.size())]->submit(std::move(payload), until, cluster_.tell(told, until));
    }
    void query() {
        HostCluster::Told<Result<group::QueryAnswer>> told;
        Time until = deadline();
        ports_[draw(ports_.size())]->query(static_cast<ReadLevel>(draw(3)), Index{},
                                           Bytes::copy_of("count"), until,
                                           cluster_.tell(told, until));
    }
    template <class T>
    group::Reply<T> told_by(Time until) {
        return cluster_.tell(HostCluster::Told<Result<T>>{}, until);
    }
    void call_service() {
        group::HostService& service = any_host().service();
        Time until = deadline();
        switch (draw(9)) {
            case 0: {
                std::string name = "g" + std::to_string(draw(3));
                return service.create_group({name, "test", "", {"h1", "h2", "h4"}}, until,
                                            told_by<group::GroupLocation>(until));
            }
            case 1:
                return service.delete_group("g" + std::to_string(draw(3)), until,
                                            told_by<group::Done>(until));
            case 2:
                return service.list_members(until,
                                            told_by<std::vector<group::MemberAnswer>>(until));
            case 3:
                return service.group_members("demo", true, until,
                                             told_by<std::vector<group::MemberAnswer>>(until));
            case 4:
                return service.transfer_leadership("demo", "h" + std::to_string(1 + draw(3)), until,
                                                   told_by<group::Done>(until));
            case 5:
                return service.take_snapshot("demo", "", until,
                                             told_by<std::vector<group::SnapshotSummary>>(until));
            case 6:
                return service.install_plugin(plugin_image("p", std::to_string(draw(5)), 3000),
                                              until,
                                              told_by<std::vector<group::PluginSummary>>(until));
            case 7:
                return service.list_hosts(until, told_by<std::vector<group::HostSummary>>(until));
            default:
                return draw(2) == 0
                           ? service.add_member("demo", "h4", raft::VoteKind::non_voter, until,
                                                told_by<EntryId>(until))
                           : service.remove_member("demo", "h4", until, told_by<EntryId>(until));
        }
    }
    void shake_network() {
        std::string a = any_host().name, b = any_host().name;
        if (a == b) return cluster_.heal();
        switch (draw(4)) {
            case 0:
                return cluster_.cut(a, b);
            case 1:
                return cluster_.disconnect(a, b);
            case 2:
                return cluster_.connect(a, b);
            default:
                cluster_.connect(a, b);
                return cluster_.heal();
        }
    }

    HostCluster cluster_;
    std::mt19937_64 random_;
    std::vector<std::shared_ptr<group::GroupPort>> ports_;
    std::map<std::string, HostCluster::Told<group::Outcome>> submits_;
};

TEST(HostLoss, every_call_is_answered_once_in_time_and_truly) {
    const char* wanted = std::getenv("HOST_LOSS_SEEDS");  // how many; the default is a quick look
    std::uint64_t seeds = wanted ? std::strtoull(wanted, nullptr, 10) : 8;
    int applied = 0, not_applied = 0, unknown = 0;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Storm storm(seed);
        storm.rage();
        storm.calm_down();
        storm.check();
        applied += storm.applied;
        not_applied += storm.not_applied;
        unknown += storm.unknown;
        if (HasFailure()) break;
    }
    // Otherwise the weather was too fine to prove anything.
    EXPECT_GT(applied, 500);
    EXPECT_GT(not_applied, 50);
    EXPECT_GT(unknown, 50);
    RecordProperty("applied", applied);
    RecordProperty("not_applied", not_applied);
    RecordProperty("unknown", unknown);
}

}  // namespace
}  // namespace quorate::testing
