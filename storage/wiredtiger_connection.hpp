#pragma once

#include "host/base/mailbox.hpp"
#include "host/base/result.hpp"

#include <memory>
#include <string>
#include <wiredtiger.h>

namespace quorate::storage {

// An error of WiredTiger's as ours. What it said while it failed goes with it.
Error wiredtiger_error(const std::string& what, int code);

inline Result<void> check(int code, const char* what) {
    if (code == 0) return {};
    return wiredtiger_error(what, code);
}

// One open WiredTiger. What it has to say goes to the log, and while it opens is kept, since it
// mentions some damage only in passing. Thread: one, but sessions may each be used by another.
class WiredTigerConnection {
 public:
    static Result<std::unique_ptr<WiredTigerConnection>> open(const std::string& directory,
                                                              const std::string& config);
    WiredTigerConnection(const WiredTigerConnection&) = delete;
    ~WiredTigerConnection();

    Result<WT_SESSION*> session();
    // What was said since the connection was opened.
    std::string said();

 private:
    struct Handler {
        WT_EVENT_HANDLER table{};  // first: WiredTiger gives its address back
        std::string directory;
        Guarded<std::string> said;
    };
    WiredTigerConnection() = default;
    static int on_error(WT_EVENT_HANDLER* handler, WT_SESSION*, int code, const char* text);
    static int on_message(WT_EVENT_HANDLER* handler, WT_SESSION*, const char* text);

    Handler handler_;
    WT_CONNECTION* connection_ = nullptr;
};

}  // namespace quorate::storage
