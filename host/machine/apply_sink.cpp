#include "host/machine/apply_sink.hpp"

#include "host/machine/effect_rules.hpp"

namespace quorate::machine {

CheckedSink::CheckedSink(std::span<const Command> batch, ApplySink& behind)
    : fx_{.size = sizeof(qr_fx), .reserved = 0, .ctx = this, .reply = on_reply, .emit = on_emit},
      batch_(batch),
      behind_(behind) {}

void CheckedSink::rethrow() const {
    if (thrown_ != nullptr) std::rethrow_exception(thrown_);
}

void CheckedSink::on_reply(qr_fx* fx, std::uint32_t entry, qr_bytes bytes) {
    auto& self = *static_cast<CheckedSink*>(fx->ctx);
    try {
        if (!self.is_over()) self.reply(entry, bytes);
    } catch (...) {
        self.thrown_ = std::current_exception();
    }
}

void CheckedSink::on_emit(qr_fx* fx, std::uint32_t entry, const qr_effect* record) {
    auto& self = *static_cast<CheckedSink*>(fx->ctx);
    try {
        if (!self.is_over()) self.emit(entry, record);
    } catch (...) {
        self.thrown_ = std::current_exception();
    }
}

void CheckedSink::break_at(std::size_t entry, std::string text) {
    breach_ = Breach{entry, std::move(text)};
}

// Replies and effects come in the order of their entries: their order is that of execution, so
// anything else would make the outcome depend on where batches are cut.
bool CheckedSink::enter(std::size_t entry) {
    if (entry >= batch_.size()) {
        break_at(entry_, "it answered entry " + std::to_string(entry) + " of a batch of " +
                             std::to_string(batch_.size()));
        return false;
    }
    if (entry < entry_) {
        break_at(entry_, "it went back to an earlier entry of the batch");
        return false;
    }
    if (entry > entry_) {
        entry_ = entry;
        answered_ = false;
        effects_ = 0;
    }
    return true;
}

void CheckedSink::reply(std::size_t entry, qr_bytes bytes) {
    if (!enter(entry)) return;
    if (answered_) return break_at(entry, "it answered one entry twice");
    if (bytes.size > QR_REPLY_SIZE_MAX) {
        return break_at(entry, "its reply has " + std::to_string(bytes.size) +
                                   " bytes; the limit is QR_REPLY_SIZE_MAX, " +
                                   std::to_string(QR_REPLY_SIZE_MAX));
    }
    if (bytes.data == nullptr && bytes.size != 0) return break_at(entry, "its reply is null");
    answered_ = true;
    behind_.reply(entry, {reinterpret_cast<const std::byte*>(bytes.data), bytes.size});
}

void CheckedSink::emit(std::size_t entry, const qr_effect* record) {
    if (!enter(entry)) return;
    std::string defect = effect_defect(record, batch_[entry].id.index);
    if (!defect.empty()) return break_at(entry, std::move(defect));
    if (++effects_ > QR_EFFECTS_PER_ENTRY_MAX) {
        return break_at(entry,
                        "it emitted more than QR_EFFECTS_PER_ENTRY_MAX effects for one entry");
    }
    if (record->kind == QR_EFFECT_DEFER) {
        if (answered_) return break_at(entry, "it answered one entry twice");
        answered_ = true;
    }
    behind_.effect(entry, effect_bytes(record));
}

}  // namespace quorate::machine
