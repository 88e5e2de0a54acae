#include "tests/sim/world.hpp"

#include "host/base/log.hpp"
#include "host/group/command.hpp"
#include "tests/sim/sim_client.hpp"

#include <algorithm>
#include <cstdio>
#include <set>
#include <type_traits>

QR_DECLARE_STATIC_PLUGIN(kv);

namespace quorate::sim {
namespace {

constexpr Duration formation_limit = 30s;
constexpr Duration healing_limit = 60s;

machine::StaticPlugins& plugins() {
    static machine::StaticPlugins* all = [] {
        auto* made = new machine::StaticPlugins;
        made->add(QR_STATIC_ENTRY(kv)).value();
        return made;
    }();
    return *all;
}

class World {
 public:
    explicit World(const Settings& settings)
        : settings_(settings),
          random_(settings.seed * 77 + 5),
          network_(loop_, settings_, witness_, random_()) {
        SimHost::Environment environment{
            loop_,     network_,  witness_,
            plugins(), settings_, [this](SimHost& host) { doomed_.insert(&host); }};
        for (std::size_t i = 0; i < settings_.hosts; ++i) {
            hosts_.push_back(
                std::make_unique<SimHost>(environment, "h" + std::to_string(i), random_()));
        }
        for (std::size_t i = 0; i < settings_.clients; ++i) {
            clients_.push_back(std::make_unique<SimClient>(loop_, witness_, settings_, hosts_,
                                                           "c" + std::to_string(i), random_()));
        }
        listen_to_log();
    }
    ~World() { log::set_sink({}); }

    RunResult run() {
        for (auto& host : hosts_) host->start();
        form_groups();
        network_.begin_faults();
        network_.on_sent([this](const std::string& from, const group::PeerMessage& message) {
            maybe_crash_after_send(from, message);
        });
        for (auto& client : clients_) client->start();
        Time end = loop_.now() + settings_.length;
        while (ok() && loop_.now() < end) {
            faults();
            run_until(std::min(end, loop_.now() + 100ms));
        }
        heal();
        std::string picture = ok() ? std::string() : draw_picture();
        RunResult result{
            witness_.breach(), loop_.digest(), loop_.events(), loop_.now().time_since_epoch(),
            witness_.reach,    crashes_,       partitions_,    std::move(picture)};
        return result;
    }

 private:
    bool ok() const { return witness_.breach().empty(); }

    // A broken invariant of ours fences a member and would only show as lost availability.
    void listen_to_log() {
        log::set_sink([this](const log::Event& event) {
            if (settings_.verbose) print(event);
            if (event.name == "member_fenced")
                witness_.report("a member was fenced: " + std::string(event.text));
        });
    }

    void print(const log::Event& event) const {
        std::printf("%12.6f %s %s",
                    std::chrono::duration<double>(loop_.now().time_since_epoch()).count(),
                    std::string(event.name).c_str(), std::string(event.text).c_str());
        for (const log::Field& field : event.fields) {
            std::printf(" %s=", std::string(field.key).c_str());
            std::visit(
                [](const auto& value) {
                    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string>) {
                        std::printf("%s", value.c_str());
                    } else {
                        std::printf("%s", std::to_string(value).c_str());
                    }
                },
                field.value);
        }
        std::printf("\n");
    }

    // Runs events; hosts whose disk failed die as soon as the event that noticed is over.
    void run_until(Time end) {
        while (ok() && loop_.run_next(end)) bury();
    }
    bool run_until(Time end, const std::function<bool()>& done) {
        while (ok() && !done() && loop_.run_next(end)) bury();
        return ok() && done();
    }
    void bury() {
        while (!doomed_.empty()) {
            SimHost* host = *doomed_.begin();
            doomed_.erase(doomed_.begin());
            if (host->alive()) crash(*host);
        }
    }

    void form_groups() {
        bool up = run_until(loop_.now() + formation_limit, [this] {
            return std::ranges::all_of(hosts_, [](auto& host) { return host->serving(); });
        });
        if (!up) return witness_.report("healthy hosts do not come up");
        run_until(loop_.now() + 200ms);  // until they have met
        for (std::size_t i = 0; ok() && i < settings_.groups; ++i) {
            group::CreateGroup request{.name = "g" + std::to_string(i), .plugin = "quorate.kv"};
            for (std::size_t h = 0; h < std::min(settings_.first_members, settings_.hosts); ++h) {
                request.hosts.push_back(hosts_[(h + i) % hosts_.size()]->name());
            }
            bool formed = false;
            bool waiting = false;
            run_until(loop_.now() + formation_limit, [&] {
                if (formed || waiting) return formed;
                SimHost& host = *hosts_.front();
                if (!host.serving()) return false;
                waiting = true;
                host.service().create_group(request, loop_.now() + 5s,
                                            [&](Result<group::GroupLocation> made) {
                                                waiting = false;
                                                formed = made.has_value();
                                                if (made.has_value()) ids_.push_back(made->group);
                                            });
                return false;
            });
            if (ok() && !formed)
                witness_.report("group " + request.name + " was not formed on healthy hosts");
            // The call's callback refers to this frame.
            run_until(loop_.now() + 6s, [&] { return !waiting; });
        }
    }

    void crash(SimHost& host) {
        ++crashes_;
        failing_.erase(&host);
        Owner life = host.life();
        host.crash(chance(random_, settings_.power_cuts) ? SimHost::End::power_cut
                                                         : SimHost::End::killed);
        for (auto& client : clients_) client->host_died(life);
        if (healing_) return;
        Duration away = chance(random_, 0.3) ? Duration(20ms) : Duration(4s);
        loop_.at(loop_.now() + between(random_, Duration(1ms), away), 0, [this, &host] {
            if (!host.alive()) host.start();
        });
    }

    // What a message promises is most at risk right after it left: votes, then acknowledgements.
    static double risk(const group::PeerMessage& message) {
        auto* envelope = std::get_if<group::RaftEnvelope>(&message);
        if (envelope == nullptr) return 1;
        if (auto* vote = std::get_if<raft::VoteReply>(&envelope->message)) {
            return vote->granted && !vote->pre_vote ? 200 : 1;
        }
        return std::holds_alternative<raft::AppendReply>(envelope->message) ? 3 : 1;
    }

    void maybe_crash_after_send(const std::string& from, const group::PeerMessage& message) {
        if (healing_ || !chance(random_, settings_.crashes_after_send * risk(message))) return;
        auto host = std::ranges::find(hosts_, from, [](auto& h) { return h->name(); });
        doomed_.insert(host->get());
    }

    SimHost& any_host() { return *hosts_[random_() % hosts_.size()]; }
    // Drawn once per 100 ms of simulated time.
    bool now_and_then(double per_second) { return chance(random_, per_second / 10); }

    void faults() {
        if (now_and_then(settings_.crashes)) crash_somehow(any_host());
        if (now_and_then(settings_.partitions)) partition();
        if (now_and_then(settings_.one_way_cuts))
            network_.cut(any_host().name(), any_host().name());
        if (now_and_then(settings_.partitions + settings_.one_way_cuts)) network_.mend_cuts();
        if (now_and_then(settings_.membership_changes)) change_membership();
        if (now_and_then(settings_.transfers)) transfer();
        if (now_and_then(settings_.snapshots)) take_snapshots();
    }

    void crash_somehow(SimHost& host) {
        if (!host.alive()) return;
        if (!chance(random_, settings_.crashes_in_disk)) return crash(host);
        host.fail_disk_soon();
        // If no operation follows, or the failure hit what can be done without, it dies all the same.
        Owner life = host.life();
        failing_.insert(&host);
        loop_.at(loop_.now() + 200ms, 0, [this, &host, life] {
            if (host.life() == life && !healing_) doomed_.insert(&host);
        });
    }

    // Some hosts on one side, the rest on the other.
    void partition() {
        ++partitions_;
        std::set<std::string> side;
        for (auto& host : hosts_) {
            if (chance(random_, 0.5)) side.insert(host->name());
        }
        for (auto& a : hosts_) {
            for (auto& b : hosts_) {
                if (side.contains(a->name()) != side.contains(b->name()))
                    network_.cut(a->name(), b->name());
            }
        }
    }

    std::string any_group() { return "g" + std::to_string(random_() % settings_.groups); }

    // One operator: a change begins when the former has ended, or can be taken for lost.
    void change_membership() {
        SimHost& at = any_host();
        if (!at.serving() || loop_.now() < changing_until_) return;
        changing_until_ = loop_.now() + 6s;
        auto ended = [this](Result<EntryId>) { changing_until_ = loop_.now(); };
        std::string host = any_host().name();
        Time deadline = loop_.now() + 5s;
        if (chance(random_, 0.6)) {
            auto kind = chance(random_, 0.7) ? raft::VoteKind::promotable : raft::VoteKind::voter;
            at.service().add_member(any_group(), host, kind, deadline, ended);
        } else {
            at.service().remove_member(any_group(), host, deadline, ended);
        }
    }

    void transfer() {
        SimHost& at = any_host();
        if (!at.serving()) return;
        std::string to = chance(random_, 0.5) ? std::string() : any_host().name();
        at.service().transfer_leadership(any_group(), to, loop_.now() + 3s,
                                         [](Result<group::Done>) {});
    }

    void take_snapshots() {
        SimHost& at = any_host();
        if (!at.serving()) return;
        at.service().take_snapshot(any_group(), {}, loop_.now() + 5s,
                                   [](Result<std::vector<group::SnapshotSummary>>) {});
    }

    // I15: with all faults over, everything becomes available and equal again.
    void heal() {
        if (!ok()) return;
        healing_ = true;
        while (!failing_.empty()) {
            SimHost* host = *failing_.begin();
            failing_.erase(failing_.begin());
            if (host->alive()) crash(*host);
        }
        network_.heal();
        settings_.stall = 0;
        settings_.sync_high = 2ms;
        for (auto& host : hosts_) {
            if (!host->alive()) host->start();
        }
        Time end = loop_.now() + healing_limit;
        run_until(loop_.now() + 5s);
        for (auto& client : clients_) client->stop();
        bool quiet = run_until(end, [this] {
            return std::ranges::all_of(clients_, [](auto& client) { return client->idle(); });
        });
        if (ok() && !quiet) return witness_.report("a client's operation never ended");
        for (std::size_t g = 0; ok() && g < settings_.groups; ++g)
            check_group("g" + std::to_string(g), end);
    }

    // A write through any host is applied, and all members come to the same state.
    void check_group(const std::string& name, Time end) {
        if (!write_once(name, end)) {
            if (ok())
                witness_.report("after healing, no command was applied to " + name + ": " +
                                last_answer_);
            return;
        }
        std::string why = "no host answered";
        bool asking = false;
        bool equal = run_until(end, [&] {
            if (why.empty() || asking) return why.empty();
            SimHost& host = any_host();
            if (!host.serving()) return false;
            asking = true;
            host.service().group_members(
                name, true, loop_.now() + 2s,
                [&, name, at = &host](Result<std::vector<group::MemberAnswer>> answers) {
                    asking = false;
                    if (answers.has_value()) sweep_up(*at, name, *answers);
                    why = answers.has_value() ? compare(*answers) : to_string(answers.error());
                });
            return false;
        });
        run_until(loop_.now() + 3s, [&] { return !asking; });
        if (ok() && !equal)
            witness_.report("after healing, the members of " + name + " are not equal: " + why);
    }

    // What each host says of its members, for whoever looks into a breach.
    std::string draw_picture() {
        std::string picture;
        for (auto& host : hosts_) {
            if (!host->serving()) picture += host->name() + " is not serving\n";
        }
        auto asked = std::ranges::find_if(hosts_, [](auto& host) { return host->serving(); });
        if (asked == hosts_.end()) return picture;
        (*asked)->service().list_members(loop_.now() + 1s,
                                         [&](Result<std::vector<group::MemberAnswer>> answers) {
                                             if (!answers.has_value()) return;
                                             for (const group::MemberAnswer& answer : *answers)
                                                 picture += describe(answer);
                                         });
        Time end = loop_.now() + 2s;
        while (loop_.run_next(end)) bury();
        return picture;
    }

    static std::string describe(const group::MemberAnswer& answer) {
        if (!answer.status) return answer.host + ": " + to_string(*answer.error) + "\n";
        const group::MemberStatus& s = *answer.status;
        auto number = [](auto value) { return std::to_string(value.value()); };
        std::string text = s.name + "@" + s.host + " id " + number(s.member) + " role " +
                           std::to_string(static_cast<int>(s.role)) + " kind " +
                           std::to_string(static_cast<int>(s.kind)) + " state " +
                           std::to_string(static_cast<int>(s.state)) + " " + s.trouble + " term " +
                           number(s.term) + " leader '" + s.leader + "' log " + number(s.first) +
                           ".." + number(s.last) + " commit " + number(s.commit) + " applied " +
                           number(s.applied) + " snapshot " + number(s.snapshot) + " members";
        for (const group::PeerProgress& peer : s.members) {
            text += " " + peer.host + "/" + number(peer.id) + "/" +
                    std::to_string(static_cast<int>(peer.kind));
        }
        return text + "\n";
    }

    // What an operator does with a member that its host does not have (an addition that was cut
    // short, docs/operations.md): removes it.
    void sweep_up(SimHost& at, const std::string& name,
                  const std::vector<group::MemberAnswer>& answers) {
        if (!at.serving() || loop_.now() < changing_until_) return;
        for (const group::MemberAnswer& answer : answers) {
            if (!answer.error || answer.error->code != Errc::no_such_group) continue;
            ++swept_;
            changing_until_ = loop_.now() + 3s;
            return at.service().remove_member(
                name, answer.host, loop_.now() + 2s,
                [this](Result<EntryId>) { changing_until_ = loop_.now(); });
        }
    }

    bool write_once(const std::string& name, Time end) {
        bool applied = false;
        bool busy = false;
        int attempt = 0;
        auto try_again = [&] {
            SimHost& host = any_host();
            if (!host.serving()) return;
            busy = true;
            Time deadline = loop_.now() + 3s;
            host.with_group(name, deadline, [&, deadline](Result<group::GroupPort*> port) {
                if (!port.has_value()) {
                    last_answer_ = to_string(port.error());
                    busy = false;
                    return;
                }
                std::string payload = kv::put("final", "value " + std::to_string(++attempt) + name);
                auto operation = witness_.begin((*port)->id(), payload, {});
                (*port)->submit(group::make_command({}, as_bytes(payload)), deadline,
                                [&, operation](group::Outcome outcome) {
                                    busy = false;
                                    witness_.ended(operation, outcome);
                                    applied = std::holds_alternative<group::Applied>(outcome);
                                    remember(outcome);
                                });
            });
        };
        run_until(end, [&] {
            if (!applied && !busy) try_again();
            return applied;
        });
        run_until(loop_.now() + 4s, [&] { return !busy; });
        return applied;
    }

    void remember(const group::Outcome& outcome) {
        if (auto* refused = std::get_if<group::NotApplied>(&outcome))
            last_answer_ = to_string(refused->error);
        if (auto* unknown = std::get_if<group::Unknown>(&outcome))
            last_answer_ = to_string(unknown->error);
    }

    // Empty if all members are there, whole and equal; else what is wrong.
    std::string compare(const std::vector<group::MemberAnswer>& answers) {
        const group::MemberStatus* first = nullptr;
        for (const group::MemberAnswer& answer : answers) {
            if (!answer.status)
                return answer.host +
                       " did not answer: " + (answer.error ? to_string(*answer.error) : "");
            const group::MemberStatus& s = *answer.status;
            if (s.state != group::MemberState::running)
                return answer.host + " is not running: " + s.trouble;
            if (s.applied != s.last) return answer.host + " has not applied all it holds";
            if (first == nullptr) first = &s;
            if (s.applied != first->applied) return "applied indexes differ";
            if (s.outcome_hash != first->outcome_hash) return "outcome hashes differ";
            if (s.state_hash != first->state_hash) return "state hashes differ";
        }
        if (first == nullptr) return "it has no members";
        witness_.finish(first->group, first->applied);
        return {};
    }

    Settings settings_;
    Random random_;
    SimLoop loop_;
    Witness witness_;
    SimNetwork network_;
    std::vector<std::unique_ptr<SimHost>> hosts_;
    std::vector<std::unique_ptr<SimClient>> clients_;
    std::vector<GroupId> ids_;
    std::set<SimHost*> doomed_;
    std::set<SimHost*> failing_;  // their disks were told to fail; forgotten when they die
    bool healing_ = false;
    Time changing_until_{};
    std::uint64_t swept_ = 0;
    std::uint64_t crashes_ = 0;
    std::uint64_t partitions_ = 0;
    std::string last_answer_;
};

}  // namespace

RunResult run_world(const Settings& settings) {
    return World(settings).run();
}

}  // namespace quorate::sim
