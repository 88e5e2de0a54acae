#include "host/machine/effect_rules.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace quorate::machine {
namespace {

// The fields that a kind may use beside its kind and sizes.
enum Field : std::uint32_t { key = 1, body = 2, target = 4, value = 8, token = 16 };

constexpr std::uint32_t run(unsigned scope) {
    return 1U << scope;
}
constexpr std::uint32_t run_default = run(QR_RUN_DEFAULT);
constexpr std::uint32_t run_leader = run_default | run(QR_RUN_LEADER_ONLY);
constexpr std::uint32_t run_local = run_leader | run(QR_RUN_LOCAL);
constexpr std::uint32_t run_everywhere = run_default | run(QR_RUN_ALL);

struct Rule {
    std::uint16_t kind;
    std::uint32_t fields;
    std::uint32_t scopes;  // which QR_RUN_... it may ask for, as bits
    std::uint32_t flags;   // beyond the scope
};

// One line per kind of quorate/effect.h, in its order.
constexpr std::array rules = {
    Rule{QR_EFFECT_DEFER, 0, run_default, 0},
    Rule{QR_EFFECT_REPLY_TO, key | body | target, run_local | run_everywhere | run(QR_RUN_MEMBER),
         0},
    Rule{QR_EFFECT_SEND, body | target, run_local, 0},
    Rule{QR_EFFECT_TIMER, key | value, run_default, 0},
    Rule{QR_EFFECT_TIMER_AT, key | value, run_default, 0},
    Rule{QR_EFFECT_TIMER_CANCEL, key, run_default, 0},
    Rule{QR_EFFECT_APPEND, body | target | token, run_leader, QR_APPEND_LOW_PRIORITY},
    Rule{QR_EFFECT_TRY_APPEND, body | target | token, run_default, QR_APPEND_LOW_PRIORITY},
    Rule{QR_EFFECT_MONITOR, key | target | value, run_default, 0},
    Rule{QR_EFFECT_DEMONITOR, key | target | value, run_default, 0},
    Rule{QR_EFFECT_AUX, body, run_leader | run_everywhere, 0},
    Rule{QR_EFFECT_READ_LOG, body | target | token, run_local, 0},
    Rule{QR_EFFECT_SEND_LOG, body | target | token, run_local, 0},
    Rule{QR_EFFECT_RELEASE_CURSOR, target | value, run_everywhere,
         QR_WHEN_WRITTEN | QR_WHEN_NO_SNAPSHOT_SENDS},
    Rule{QR_EFFECT_CHECKPOINT, target, run_everywhere, 0},
    Rule{QR_EFFECT_PROMOTE_CHECKPOINT, target, run_everywhere, 0},
    Rule{QR_EFFECT_TRIM_MEMORY, 0, run_everywhere, 0},
    Rule{QR_EFFECT_BACKGROUND, body, run_leader | run_everywhere, 0},
};

const Rule* rule_of(std::uint16_t kind) {
    auto found = std::ranges::find(rules, kind, &Rule::kind);
    return found == rules.end() ? nullptr : &*found;
}

unsigned scope_of(const qr_effect& effect) {
    return effect.flags & unsigned{QR_RUN_MASK};
}

const char* size_defect(const qr_effect& effect) {
    if (effect.size % 8 != 0) return "its size is no multiple of 8";
    if (effect.head < sizeof(qr_effect) || effect.head % 8 != 0) return "its head is too short";
    if (effect.key_size > QR_KEY_SIZE_MAX) return "its key is larger than QR_KEY_SIZE_MAX";
    if (effect.body_size > QR_BODY_SIZE_MAX) return "its body is larger than QR_BODY_SIZE_MAX";
    std::uint64_t used = std::uint64_t{effect.head} + effect.key_size + effect.body_size;
    if ((used + 7) / 8 * 8 != effect.size) return "its sizes do not add up";
    ByteView padding = effect_bytes(&effect).subspan(used);
    // The record is hashed as it stands, so what is behind the body must be the same everywhere.
    if (std::ranges::any_of(padding, [](std::byte b) { return b != std::byte{0}; })) {
        return "its padding is not zero";
    }
    return nullptr;
}

const char* field_defect(const qr_effect& effect, const Rule& rule) {
    std::uint32_t used = (effect.key_size != 0 ? key : 0U) | (effect.body_size != 0 ? body : 0U) |
                         (effect.target != 0 ? target : 0U) | (effect.value != 0 ? value : 0U) |
                         (effect.token != 0 ? token : 0U);
    if ((used & ~rule.fields) != 0) return "it sets a field that its kind does not have";
    if (effect.reserved != 0) return "its reserved field is not zero";
    if ((effect.flags & ~(rule.flags | QR_RUN_MASK)) != 0) return "it sets an unknown flag";
    if ((rule.scopes & run(scope_of(effect))) == 0) return "its kind cannot run where it asks to";
    return nullptr;
}

bool is_watch(const qr_effect& effect) {
    if (effect.value == QR_WATCH_SESSION) return effect.target != 0 && effect.key_size == 0;
    return (effect.value == QR_WATCH_HOST || effect.value == QR_WATCH_GROUP) &&
           effect.target == 0 && effect.key_size != 0;
}

// What single kinds ask for beyond the table.
const char* kind_defect(const qr_effect& effect, Index index) {
    switch (effect.kind) {
        case QR_EFFECT_REPLY_TO:
            if ((effect.key_size != 0) != (scope_of(effect) == QR_RUN_MEMBER)) {
                return "a key goes with QR_RUN_MEMBER and with nothing else";
            }
            return effect.target == 0 ? "it names no entry" : nullptr;
        case QR_EFFECT_SEND:
        case QR_EFFECT_SEND_LOG:
            return effect.target == 0 ? "it names no session" : nullptr;
        case QR_EFFECT_TIMER:
            return effect.value < 0 ? "its time is negative" : nullptr;
        case QR_EFFECT_MONITOR:
        case QR_EFFECT_DEMONITOR:
            return is_watch(effect) ? nullptr : "it does not name one session, host or group";
        case QR_EFFECT_RELEASE_CURSOR:
            if (effect.value != 0 && (effect.flags & QR_WHEN_WRITTEN) == 0) {
                return "it names an index to be written without QR_WHEN_WRITTEN";
            }
            return effect.target > index.value() ? "its index is above its entry's" : nullptr;
        case QR_EFFECT_CHECKPOINT:
        case QR_EFFECT_PROMOTE_CHECKPOINT:
            return effect.target > index.value() ? "its index is above its entry's" : nullptr;
        default:
            return nullptr;
    }
}

const char* defect(const qr_effect* record, Index index) {
    if (record == nullptr) return "it is null";
    if (reinterpret_cast<std::uintptr_t>(record) % alignof(qr_effect) != 0) {
        return "it is not 8-byte aligned";
    }
    if (record->size < sizeof(qr_effect)) return "its size is smaller than its head";
    const Rule* rule = rule_of(record->kind);
    if (rule == nullptr) return "this host knows no such kind";
    if (const char* wrong = size_defect(*record)) return wrong;
    if (const char* wrong = field_defect(*record, *rule)) return wrong;
    bool of_indexes = record->kind == QR_EFFECT_READ_LOG || record->kind == QR_EFFECT_SEND_LOG;
    if (of_indexes && record->body_size % sizeof(std::uint64_t) != 0) {
        return "its body is no list of indexes";
    }
    return kind_defect(*record, index);
}

}  // namespace

std::string effect_defect(const qr_effect* record, Index index) {
    const char* wrong = defect(record, index);
    if (wrong == nullptr) return {};
    std::string kind = record == nullptr ? "" : " of kind " + std::to_string(record->kind);
    return "it emitted a bad effect" + kind + ": " + wrong;
}

ByteView effect_bytes(const qr_effect* record) {
    return {reinterpret_cast<const std::byte*>(record), record->size};
}

}  // namespace quorate::machine
