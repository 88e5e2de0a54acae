#include "host/group/outcome_collector.hpp"

#include "host/base/check.hpp"
#include "host/base/log.hpp"
#include "host/machine/reply_text.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <quorate/effect.h>

namespace quorate::group {
namespace {

constexpr std::int32_t rejected_unsupported = -2;  // as rejected_malformed of the SDK

// Nobody would ever answer a command whose reply was put off: better a plain no.
Bytes reply_to_deferred() {
    return machine::rejection(
        rejected_unsupported,
        "the machine deferred its reply, and this release of quorated runs no "
        "effect but `reply`: the command was applied");
}

std::string_view name_of(std::uint16_t kind) {
    static constexpr std::array<std::string_view, 19> names{"none",
                                                            "defer",
                                                            "reply_to",
                                                            "send",
                                                            "timer",
                                                            "timer_at",
                                                            "timer_cancel",
                                                            "append",
                                                            "try_append",
                                                            "monitor",
                                                            "demonitor",
                                                            "aux",
                                                            "read_log",
                                                            "send_log",
                                                            "release_cursor",
                                                            "checkpoint",
                                                            "promote_checkpoint",
                                                            "trim_memory",
                                                            "background"};
    static_assert(QR_EFFECT_BACKGROUND + 1 == names.size());
    return kind < names.size() ? names[kind] : "unknown";
}

}  // namespace

void OutcomeCollector::begin(std::span<const machine::Command> batch) {
    batch_ = batch;
    replies_.assign(batch.size(), Kept{});
    reached_ = 0;
    reply_bytes_ = 0;
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
    if (!replies_[entry].wanted) return;
    replies_[entry].bytes = room_.count(Bytes::copy_of(bytes));
    reply_bytes_ += bytes.size();
}

// This release chains effects into the hash and counts them; it runs none but the reply.
void OutcomeCollector::effect(std::size_t entry, ByteView record) {
    advance(entry + 1);
    hash_.effect(record);
    CHECK(record.size() >= sizeof(qr_effect), "an effect shorter than its own head");
    qr_effect head;
    std::memcpy(&head, record.data(), sizeof head);
    std::size_t kind = std::min<std::size_t>(head.kind, effect_kinds - 1);
    if (head.kind == QR_EFFECT_DEFER && replies_[entry].wanted) {
        replies_[entry].bytes = reply_to_deferred();
    }
    if (effects_[kind]++ > 0) return;
    log::warning("effect_not_run", "the machine asks for an effect that this release does not run",
                 {{"group", group_.value()}, {"effect", std::string(name_of(head.kind))}});
}

}  // namespace quorate::group
