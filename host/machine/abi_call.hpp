#pragma once

#include "host/machine/machine.hpp"

#include <atomic>
#include <exception>
#include <optional>
#include <quorate/plugin.h>
#include <string>

// What a call into a plugin is made of on the host's side: errors to fill, streams, and the last
// line against exceptions. A plugin's functions should not throw, and ours, which it calls, must
// not: its thunks are noexcept, so what our sinks throw waits here until the call is over.
namespace quorate::machine {

inline qr_error blank_error() {
    return {.size = sizeof(qr_error), .code = QR_OK};
}

// The text that a plugin has put there, or a sentence that it gave none.
std::string text_of(const qr_error& error, std::int32_t status);

// Puts a text there, cut to what fits.
void set_text(qr_error& error, std::string_view text);

// Runs a call into a plugin; an exception that leaves it is QR_FAULT with its text.
template <class Call>
std::int32_t guarded(qr_error& error, Call call) {
    try {
        return call();
    } catch (const std::exception& thrown) {
        set_text(error, std::string("an exception left the plugin: ") + thrown.what());
    } catch (...) {
        set_text(error, "an exception that is not a std::exception left the plugin");
    }
    return QR_FAULT;
}

// A ByteSink as a plugin sees it.
class StreamWriter {
 public:
    explicit StreamWriter(ByteSink& behind);
    StreamWriter(const StreamWriter&) = delete;
    StreamWriter& operator=(const StreamWriter&) = delete;
    qr_writer* writer() { return &writer_; }
    // The first failure of the sink behind; throws what it threw.
    const std::optional<Error>& failure() const;

 private:
    static std::int32_t on_write(qr_writer* writer, qr_bytes bytes);
    qr_writer writer_{};
    ByteSink& behind_;
    std::optional<Error> failure_;
    std::exception_ptr thrown_;
};

// A ByteSource as a plugin sees it.
class StreamReader {
 public:
    explicit StreamReader(ByteSource& behind);
    StreamReader(const StreamReader&) = delete;
    StreamReader& operator=(const StreamReader&) = delete;
    qr_reader* reader() { return &reader_; }
    const std::optional<Error>& failure() const;

 private:
    static std::int32_t on_read(qr_reader* reader, std::uint8_t* into, std::uint64_t size,
                                std::uint64_t* got);
    qr_reader reader_{};
    ByteSource& behind_;
    std::optional<Error> failure_;
    std::exception_ptr thrown_;
};

// Collects small answers; Errc::query_failed beyond `max_bytes`.
class TextSink : public ByteSink {
 public:
    explicit TextSink(std::size_t max_bytes) : max_bytes_(max_bytes) {}
    Result<void> write(ByteView bytes) override;
    std::string take() { return std::move(text_); }

 private:
    std::size_t max_bytes_;
    std::string text_;
};

// A flag as a plugin's cancellation; null: never.
qr_cancel cancel_on(const std::atomic<bool>* flag);

}  // namespace quorate::machine
