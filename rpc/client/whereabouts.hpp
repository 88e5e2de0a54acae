#pragma once

#include "host/base/time.hpp"

#include <map>
#include <string>
#include <vector>

namespace quorate::client {

// What a client has learnt of its cluster: where hosts listen, which of them leads which group, and
// which endpoints failed lately. Values only; nothing here connects. Thread: one.
class Whereabouts {
 public:
    // An endpoint that failed is put behind the others for a second, and twice as long for each
    // time that it fails again before it works.
    static constexpr Duration shun_first = std::chrono::seconds(1);
    static constexpr Duration shun_longest = std::chrono::seconds(30);

    explicit Whereabouts(std::vector<std::string> given) : given_(std::move(given)) {}

    // Every known endpoint once, in the order in which to try them: `preferred` (may be empty), the
    // one that worked last, those given, those learnt. Those that failed lately follow, the longest
    // ago first.
    std::vector<std::string> in_turn(const std::string& preferred, Time now) const;

    // A connection was made, and this host answered there.
    void works(const std::string& endpoint, const std::string& host);
    // It could not be reached, its connection broke, or it does not serve. Whom it led is
    // forgotten.
    void failed(const std::string& endpoint, Time now);
    // A host says where another listens: believed unless we know better from having been there.
    void heard(const std::string& host, const std::string& endpoint);
    // Empty: changes nothing.
    void leads(const std::string& group, const std::string& host);

    // Where the group's leader listens; empty: not known, or it failed lately.
    std::string leader(const std::string& group, Time now) const;

 private:
    struct Host {
        std::string endpoint;
        bool seen = false;  // we were there and it answered by this name
    };
    struct Failure {
        Time at;
        Time shunned_until;
        Duration next_shun = shun_first;
    };
    const Failure* shunned(const std::string& endpoint, Time now) const;

    std::vector<std::string> given_;
    std::string last_;  // that worked
    std::map<std::string, Host> hosts_;
    std::map<std::string, std::string> leaders_;  // group -> host
    std::map<std::string, Failure> failures_;     // by endpoint; until it works
};

}  // namespace quorate::client
