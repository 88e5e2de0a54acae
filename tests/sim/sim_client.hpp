#pragma once

#include "tests/sim/sim_host.hpp"

#include <memory>
#include <string>
#include <vector>

namespace quorate::sim {

// A client: one operation at a time, each at a host drawn anew, on few keys with values that never
// repeat. An operation at a host that dies ends as unknown; none is ever sent twice.
class SimClient {
 public:
    SimClient(SimLoop& loop, Witness& witness, const Settings& settings,
              std::vector<std::unique_ptr<SimHost>>& hosts, std::string name, std::uint64_t seed)
        : loop_(loop),
          witness_(witness),
          settings_(settings),
          hosts_(hosts),
          name_(std::move(name)),
          random_(seed) {}

    void start() { think(); }
    // No new operations; what is under way ends.
    void stop() { stopped_ = true; }
    bool idle() const { return !busy_; }
    void host_died(Owner life);

 private:
    void think();
    Duration rest();
    void act();
    void command(SimHost& host, group::GroupPort& group);
    void query(SimHost& host, group::GroupPort& group);
    std::string next_command();
    std::string key() { return "k" + std::to_string(random_() % settings_.keys); }
    void done(std::uint64_t turn);

    SimLoop& loop_;
    Witness& witness_;
    const Settings& settings_;
    std::vector<std::unique_ptr<SimHost>>& hosts_;
    std::string name_;
    Random random_;
    bool stopped_ = false;
    bool busy_ = false;
    Owner at_ = 0;            // the life that serves the operation under way
    std::uint64_t turn_ = 0;  // of that operation: answers of former ones are not ours
    std::uint64_t values_ = 0;
    std::string last_value_;
};

}  // namespace quorate::sim
