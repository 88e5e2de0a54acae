#include "tests/sim/witness_log.hpp"

namespace quorate::sim {

std::vector<storage::RecoveredLog> WitnessLog::take_recovered() {
    std::vector<storage::RecoveredLog> all = store_.take_recovered();
    for (const storage::RecoveredLog& found : all) {
        auto registration = group::decode_registration(found.registration.view());
        if (!registration.has_value()) continue;
        members_[found.group] = registration->member;
        witness_.created(*registration);
        witness_.recovered(registration->member, found);
    }
    return all;
}

void WitnessLog::recover(GroupId group, Executor& on, RecoverDone done) {
    auto found = [this, group, done = std::move(done)](Result<storage::RecoveredLog> log) {
        if (log.has_value()) witness_.recovered(members_[group], *log);
        done(std::move(log));
    };
    store_.recover(group, on, std::move(found));
}

void WitnessLog::create(GroupId group, Bytes registration, Executor& on,
                        std::function<void(Result<void>)> done) {
    auto decoded = group::decode_registration(registration.view());
    auto made = [this, group, decoded, done = std::move(done)](Result<void> result) {
        if (result.has_value() && decoded.has_value()) members_[group] = decoded->member;
        done(std::move(result));
    };
    if (decoded.has_value()) witness_.created(*decoded);
    store_.create(group, std::move(registration), on, std::move(made));
}

void WitnessLog::attach(GroupId group, Executor& on, storage::LogClient& client) {
    auto& ear = ears_[group];
    ear = std::make_unique<Ear>(witness_, members_[group], client);
    store_.attach(group, on, *ear);
}

void WitnessLog::write(GroupId group, raft::Store store) {
    witness_.wrote(members_[group], store);
    store_.write(group, std::move(store));
}

}  // namespace quorate::sim
