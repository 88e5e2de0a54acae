#pragma once

#include "tests/sim/sim_client.hpp"
#include "tests/sim/sim_operator.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace quorate::sim {

// What goes wrong in a world, as often as its settings say: crashes and power cuts, likeliest right
// after a promise has left or with writes pending; cuts, in halves or one way; and an operator who
// changes things meanwhile.
class Faults {
 public:
    struct Stage {
        SimLoop& loop;
        SimNetwork& network;
        const Settings& settings;
        std::vector<std::unique_ptr<SimHost>>& hosts;
        std::vector<std::unique_ptr<SimClient>>& clients;
        SimOperator& operators;
    };
    Faults(Stage stage, std::uint64_t seed) : stage_(stage), random_(seed) {}

    void begin() { active_ = true; }
    // To be called every Settings::fault_step.
    void step();
    // A message left this host.
    void after_send(const std::string& from, const group::PeerMessage& message);
    // A batch waits for this host's disk.
    void while_writing(SimHost& host);
    // The first message of a new leader: its entries are here and there, and trouble does most harm.
    void at_new_leader(const std::string& host);
    // From now on hosts die no more, but for those whose disk was told to fail: they die here.
    void end();

    // The host dies as soon as the event under way is over: then bury().
    void doom(SimHost& host) { doomed_.push_back(&host); }
    void bury();

    std::uint64_t crashes() const { return crashes_; }
    std::uint64_t partitions() const { return partitions_; }

 private:
    SimHost& any_host() { return *stage_.hosts[random_() % stage_.hosts.size()]; }
    SimHost* host_named(const std::string& name);
    bool now_and_then(double per_second);
    void crash(SimHost& host);
    void crash_somehow(SimHost& host);
    void cut_halves();
    void cut_one_way();

    Stage stage_;
    Random random_;
    bool active_ = false;
    bool ended_ = false;
    std::vector<SimHost*> doomed_;
    std::vector<SimHost*> failing_;  // their disks were told to fail; forgotten when they die
    std::uint64_t crashes_ = 0;
    std::uint64_t partitions_ = 0;
};

}  // namespace quorate::sim
