#include "host/group/outcome_collector.hpp"

#include "host/base/check.hpp"
#include "host/base/log.hpp"

#include <algorithm>
#include <quorate/effect.h>

namespace quorate::group {

void OutcomeCollector::begin(std::span<const machine::Command> batch) {
    batch_ = batch;
    replies_.assign(batch.size(), Kept{});
    reached_ = 0;
}

void OutcomeCollector::end(std::size_t commands) {
    advance(commands);
    if (commands < reached_) hash_ = replies_[commands].hash_before;
    batch_ = {};
}

// An entry without any outcome is an outcome: it begins in the hash all the same.
void OutcomeCollector::advance(std::size_t commands) {
    CHECK(commands <= batch_.size(), "an outcome for an entry that is not in the batch");
    for (; reached_ < commands; ++reached_) {
        replies_[reached_].hash_before = hash_;
        hash_.begin(batch_[reached_].id.index);
    }
}

void OutcomeCollector::reply(std::size_t entry, ByteView bytes) {
    advance(entry + 1);
    hash_.reply(bytes);
    if (replies_[entry].wanted) replies_[entry].bytes = Bytes::copy_of(bytes);
}

// This release chains effects into the hash and counts them; it runs none but the reply.
void OutcomeCollector::effect(std::size_t entry, ByteView record) {
    advance(entry + 1);
    hash_.effect(record);
    CHECK(record.size() >= sizeof(qr_effect), "an effect shorter than its own head");
    qr_effect head;
    std::memcpy(&head, record.data(), sizeof head);
    std::size_t kind = std::min<std::size_t>(head.kind, effect_kinds - 1);
    if (effects_[kind]++ > 0) return;
    log::warning("effect_not_run", "the machine asks for an effect that this release does not run",
                 {{"group", group_.value()}, {"kind", std::uint64_t{head.kind}}});
}

}  // namespace quorate::group
