#include "tests/sim/world.hpp"

#include "host/base/log.hpp"
#include "host/group/command.hpp"
#include "tests/sim/faults.hpp"

#include <algorithm>
#include <cstdio>
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
          drawn_(settings),
          random_(settings.seed * 77 + 5),
          raft_witness_(witness_),
          network_(loop_, settings_, raft_witness_, random_()),
          operator_(loop_, witness_, settings_, hosts_, random_()),
          faults_({loop_, network_, settings_, hosts_, clients_, operator_}, random_()) {
        settings_.calm();
        SimHost::Environment environment{loop_,
                                         network_,
                                         witness_,
                                         raft_witness_,
                                         plugins(),
                                         settings_,
                                         [this](SimHost& host) { faults_.doom(host); },
                                         [this](SimHost& host) { faults_.while_writing(host); }};
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
        begin_faults();
        for (auto& client : clients_) client->start();
        Time end = loop_.now() + settings_.length;
        while (ok() && loop_.now() < end) {
            faults_.step();
            run_until(std::min<Time>(end, loop_.now() + settings_.fault_step));
        }
        heal();
        std::string picture = ok() ? std::string() : draw_picture();
        RunResult result{witness_.breach(),    loop_.digest(),
                         loop_.events(),       loop_.now().time_since_epoch(),
                         witness_.reach,       faults_.crashes(),
                         faults_.partitions(), std::move(picture)};
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

    // Runs events; hosts that are doomed die as soon as the event is over.
    bool run_next(Time end) {
        faults_.bury();
        return ok() && loop_.run_next(end);
    }
    void run_until(Time end) {
        while (run_next(end)) {
        }
    }
    bool run_until(Time end, const std::function<bool()>& done) {
        while (!done() && run_next(end)) {
        }
        return ok() && done();
    }

    void begin_faults() {
        settings_ = drawn_;
        network_.begin_faults();
        network_.on_sent([this](const std::string& from, const group::PeerMessage& message) {
            faults_.after_send(from, message);
        });
        raft_witness_.on_leader([this](const std::string& host) { faults_.at_new_leader(host); });
        faults_.begin();
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
                                            });
                return false;
            });
            if (ok() && !formed)
                witness_.report("group " + request.name + " was not formed on healthy hosts");
            // The call's callback refers to this frame.
            run_until(loop_.now() + 6s, [&] { return !waiting; });
        }
    }

    SimHost& any_host() { return *hosts_[random_() % hosts_.size()]; }

    // I15: with all faults over, everything becomes available and equal again.
    void heal() {
        if (!ok()) return;
        faults_.end();
        network_.heal();
        settings_.calm();
        for (auto& host : hosts_) {
            if (!host->alive()) host->start();
        }
        operator_.start_all();
        Time end = loop_.now() + healing_limit;
        run_until(loop_.now() + 5s);
        operator_.start_all();
        for (auto& client : clients_) client->stop();
        bool quiet = run_until(end, [this] {
            return std::ranges::all_of(clients_, [](auto& client) { return client->idle(); });
        });
        if (ok() && !quiet) return witness_.report("a client's operation never ended");
        for (std::size_t g = 0; ok() && g < settings_.groups; ++g)
            check_group("g" + std::to_string(g), end);
        if (ok()) check_night();
    }

    // Left alone, groups sleep: nobody says anything. When the host dies that leads one of them, the others
    // notice without a word from the group, and serve.
    void check_night() {
        const Duration timeout = settings_.group.raft.election_timeout;
        run_until(loop_.now() + 20 * timeout);
        std::uint64_t before = raft_witness_.messages();
        run_until(loop_.now() + 10 * timeout);
        if (!ok() || raft_witness_.messages() != before) return;
        witness_.reach.silent_nights++;
        SimHost* leads = survivable_leader();
        if (leads == nullptr) return;
        witness_.reach.leaders_missed++;
        leads->crash(SimHost::End::power_cut);
        run_until(loop_.now() + 4 * timeout);
        std::uint64_t others = raft_witness_.messages();
        if (others == before) return witness_.report("nobody misses a leader whose host died");
        Time end = loop_.now() + healing_limit;
        if (!write_once("g0", end) && ok())
            witness_.report("after the death of its sleeping leader g0 takes no command");
        leads->start();
        if (ok()) check_group("g0", end);
    }

    // The host that leads g0, if the group has a majority without it.
    SimHost* survivable_leader() {
        if (night_.voters < 3) return nullptr;
        auto host = std::ranges::find(hosts_, night_.leader, [](auto& one) { return one->name(); });
        return host == hosts_.end() || !(*host)->alive() ? nullptr : host->get();
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
                    if (answers.has_value()) operator_.sweep_up(*at, name, *answers);
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
        while (loop_.run_next(end)) faults_.bury();
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

    bool write_once(const std::string& name, Time end) {
        bool applied = false;
        bool busy = false;
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
                std::string payload =
                    kv::put("final", "value " + std::to_string(++attempts_) + name);
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
        if (first->name == "g0") {
            night_ = {first->leader, std::ranges::count(first->members, raft::VoteKind::voter,
                                                        &group::PeerProgress::kind)};
        }
        witness_.finish(first->group, first->applied);
        return {};
    }

    Settings settings_;  // as they are now
    const Settings drawn_;
    Random random_;
    SimLoop loop_;
    Witness witness_;
    RaftWitness raft_witness_;
    SimNetwork network_;
    std::vector<std::unique_ptr<SimHost>> hosts_;
    std::vector<std::unique_ptr<SimClient>> clients_;
    SimOperator operator_;
    Faults faults_;
    std::string last_answer_;
    int attempts_ = 0;  // of write_once()
    // Who led g0 after healing, and how many have a vote in it.
    struct Night {
        std::string leader;
        std::ptrdiff_t voters = 0;
    };
    Night night_;
};

}  // namespace

RunResult run_world(const Settings& settings) {
    return World(settings).run();
}

}  // namespace quorate::sim
