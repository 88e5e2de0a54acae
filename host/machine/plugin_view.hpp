#pragma once

#include "host/machine/machine.hpp"
#include "host/machine/plugin_tables.hpp"

namespace quorate::machine {

// A view that a plugin's machine has given. Thread: background, beside the machine's shard.
class PluginView : public View {
 public:
    PluginView(const MachineType& type, qr_view* view) : type_(type), view_(view) {}
    ~PluginView() override;
    PluginView(const PluginView&) = delete;
    PluginView& operator=(const PluginView&) = delete;

    // Errc::cancelled; plugin_fault, which is the view's alone: the machine goes on; or the sink's
    // own error.
    Result<void> save(ByteSink& into, const std::atomic<bool>& cancel) const override;

 private:
    const MachineType& type_;
    qr_view* view_;
};

}  // namespace quorate::machine
