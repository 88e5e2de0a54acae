#pragma once

#include "host/machine/machine.hpp"

#include <cstdint>
#include <exception>
#include <optional>
#include <quorate/effect.h>
#include <span>
#include <string>

namespace quorate::machine {

// What the plugin sees as its qr_fx during one apply(): checks what the machine puts out and hands
// it on. No exception of ours may pass through the plugin's frames, whose functions are noexcept,
// so one of the sink behind is kept until the call is over. Thread: the group's shard, during one
// call.
class CheckedSink {
 public:
    CheckedSink(std::span<const Command> batch, ApplySink& behind);
    CheckedSink(const CheckedSink&) = delete;
    CheckedSink& operator=(const CheckedSink&) = delete;

    qr_fx* fx() { return &fx_; }

    // A breach of the contract: at which entry of the batch, and which.
    struct Breach {
        std::size_t entry = 0;
        std::string text;
    };
    // Nothing was handed on since the first one.
    const std::optional<Breach>& breach() const { return breach_; }
    // Throws what the sink behind threw, if it did.
    void rethrow() const;

 private:
    static void on_reply(qr_fx* fx, std::uint32_t entry, qr_bytes bytes);
    static void on_emit(qr_fx* fx, std::uint32_t entry, const qr_effect* record);
    void reply(std::size_t entry, qr_bytes bytes);
    void emit(std::size_t entry, const qr_effect* record);
    bool enter(std::size_t entry);
    void break_at(std::size_t entry, std::string text);
    bool is_over() const { return breach_.has_value() || thrown_ != nullptr; }

    qr_fx fx_{};
    std::span<const Command> batch_;
    ApplySink& behind_;
    std::size_t entry_ = 0;      // the one that is being applied, as far as can be seen
    bool answered_ = false;      // it has a reply or has deferred it
    std::uint32_t effects_ = 0;  // of this entry
    std::optional<Breach> breach_;
    std::exception_ptr thrown_;
};

}  // namespace quorate::machine
