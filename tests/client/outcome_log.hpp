#pragma once

#include "host/base/mailbox.hpp"
#include "rpc/client/client.hpp"
#include "tests/client/fake_server.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace quorate::testing {

// What a pipeline told, in order. Must outlive it. Thread: any.
class OutcomeLog {
 public:
    auto callback() {
        return [this](std::span<client::PipelineOutcome> outcomes) {
            log_.with([&](Log& log) {
                ++log.calls;
                for (const auto& one : outcomes)
                    log.told.emplace_back(one.correlation, say(one.outcome));
            });
        };
    }

    using Told = std::vector<std::pair<std::uint64_t, std::string>>;
    Told told() const {
        return log_.with([](Log& log) { return log.told; });
    }
    std::size_t size() const { return told().size(); }
    int calls() const {
        return log_.with([](Log& log) { return log.calls; });
    }
    // How often each thing was said.
    std::map<std::string, int> summary() const {
        std::map<std::string, int> counts;
        for (const auto& [correlation, text] : told()) ++counts[text];
        return counts;
    }
    void wait_for(std::size_t count) const {
        while (size() < count) std::this_thread::yield();
    }

 private:
    struct Log {
        Told told;
        int calls = 0;
    };
    mutable Guarded<Log> log_;
};

inline std::unique_ptr<client::Pipeline> open_pipeline(client::Client& client, OutcomeLog& log,
                                                       client::PipelineOptions options = {}) {
    options.on_outcomes = log.callback();
    return client.group("demo").pipeline(std::move(options)).value();
}

}  // namespace quorate::testing
