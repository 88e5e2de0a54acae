#include "host/machine/plugin_view.hpp"

#include "host/base/log.hpp"
#include "host/machine/abi_call.hpp"

namespace quorate::machine {

PluginView::~PluginView() {
    qr_error error = blank_error();
    auto close = [this] {
        type_.table.view_close(view_);
        return std::int32_t{QR_OK};
    };
    if (guarded(error, close) != QR_OK) {
        log::error("view_close_failed", "a machine's view_close function threw",
                   {{"machine", type_.title}, {"why", text_of(error, QR_FAULT)}});
    }
}

Result<void> PluginView::save(ByteSink& into, const std::atomic<bool>& cancel) const {
    StreamWriter writer(into);
    qr_cancel flag = cancel_on(&cancel);
    qr_error error = blank_error();
    std::int32_t status = guarded(
        error, [&] { return type_.table.view_save(view_, writer.writer(), &flag, &error); });
    if (writer.failure()) return *writer.failure();
    if (status == QR_OK) return {};
    if (status == QR_CANCELLED) {
        return fail(Errc::cancelled, type_.title + ": saving was cancelled");
    }
    return fail(Errc::plugin_fault, type_.title + ": saving failed: " + text_of(error, status));
}

}  // namespace quorate::machine
