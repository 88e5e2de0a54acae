#include "storage/wiredtiger_connection.hpp"

#include "host/base/log.hpp"

#include <cerrno>

namespace quorate::storage {

Error wiredtiger_error(const std::string& what, int code) {
    Errc errc = code == ENOSPC || code == EDQUOT             ? Errc::disk_full
                : code == WT_NOTFOUND                        ? Errc::not_found
                : code == WT_ERROR || code == WT_TRY_SALVAGE ? Errc::corrupt
                                                             : Errc::io;
    return fail(errc, "WiredTiger cannot " + what + ": " + wiredtiger_strerror(code));
}

int WiredTigerConnection::on_error(WT_EVENT_HANDLER* table, WT_SESSION*, int, const char* text) {
    auto* handler = reinterpret_cast<Handler*>(table);
    handler->said.with([&](std::string& said) { (said += text) += '\n'; });
    log::error("wiredtiger", text, {{"directory", handler->directory}});
    return 0;
}

int WiredTigerConnection::on_message(WT_EVENT_HANDLER* table, WT_SESSION*, const char* text) {
    auto* handler = reinterpret_cast<Handler*>(table);
    handler->said.with([&](std::string& said) { (said += text) += '\n'; });
    log::info("wiredtiger", text, {{"directory", handler->directory}});
    return 0;
}

Result<std::unique_ptr<WiredTigerConnection>> WiredTigerConnection::open(
    const std::string& directory, const std::string& config) {
    std::unique_ptr<WiredTigerConnection> opened(new WiredTigerConnection());
    opened->handler_.directory = directory;
    opened->handler_.table.handle_error = on_error;
    opened->handler_.table.handle_message = on_message;
    int code = wiredtiger_open(directory.c_str(), &opened->handler_.table, config.c_str(),
                               &opened->connection_);
    if (code != 0) {
        opened->connection_ = nullptr;
        Error error = wiredtiger_error("open " + directory, code);
        std::string said = opened->said();
        if (!said.empty()) error.what += " (" + said.substr(0, said.find('\n')) + ")";
        return error;
    }
    return opened;
}

WiredTigerConnection::~WiredTigerConnection() {
    if (connection_ != nullptr) connection_->close(connection_, nullptr);
}

Result<WT_SESSION*> WiredTigerConnection::session() {
    WT_SESSION* session = nullptr;
    int code = connection_->open_session(connection_, nullptr, nullptr, &session);
    if (code != 0) return wiredtiger_error("open a session", code);
    return session;
}

std::string WiredTigerConnection::said() {
    return handler_.said.with([](const std::string& said) { return said; });
}

}  // namespace quorate::storage
