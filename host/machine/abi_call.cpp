#include "host/machine/abi_call.hpp"

#include <algorithm>
#include <cstring>

namespace quorate::machine {

std::string text_of(const qr_error& error, std::int32_t status) {
    const char* end = std::find(std::begin(error.text), std::end(error.text), '\0');
    std::string text(error.text, end);
    return text.empty() ? "status " + std::to_string(status) + " without a text" : text;
}

void set_text(qr_error& error, std::string_view text) {
    std::size_t kept = text.copy(error.text, sizeof(error.text) - 1);
    error.text[kept] = '\0';
}

StreamWriter::StreamWriter(ByteSink& behind)
    : writer_{.size = sizeof(qr_writer), .reserved = 0, .ctx = this, .write = on_write},
      behind_(behind) {}

std::int32_t StreamWriter::on_write(qr_writer* writer, qr_bytes bytes) {
    auto& self = *static_cast<StreamWriter*>(writer->ctx);
    if (self.failure_ || self.thrown_ != nullptr) return QR_IO;
    try {
        auto written =
            self.behind_.write({reinterpret_cast<const std::byte*>(bytes.data), bytes.size});
        if (written.has_value()) return QR_OK;
        self.failure_ = written.error();
    } catch (...) {
        self.thrown_ = std::current_exception();
    }
    return QR_IO;
}

const std::optional<Error>& StreamWriter::failure() const {
    if (thrown_ != nullptr) std::rethrow_exception(thrown_);
    return failure_;
}

StreamReader::StreamReader(ByteSource& behind)
    : reader_{.size = sizeof(qr_reader), .reserved = 0, .ctx = this, .read = on_read},
      behind_(behind) {}

std::int32_t StreamReader::on_read(qr_reader* reader, std::uint8_t* into, std::uint64_t size,
                                   std::uint64_t* got) {
    auto& self = *static_cast<StreamReader*>(reader->ctx);
    *got = 0;
    if (self.failure_ || self.thrown_ != nullptr) return QR_IO;
    try {
        auto count = self.behind_.read({reinterpret_cast<std::byte*>(into), size});
        if (count.has_value()) {
            *got = *count;
            return QR_OK;
        }
        self.failure_ = count.error();
    } catch (...) {
        self.thrown_ = std::current_exception();
    }
    return QR_IO;
}

const std::optional<Error>& StreamReader::failure() const {
    if (thrown_ != nullptr) std::rethrow_exception(thrown_);
    return failure_;
}

Result<void> TextSink::write(ByteView bytes) {
    if (bytes.size() > max_bytes_ - text_.size()) {
        return fail(Errc::query_failed,
                    "the machine's answer is larger than " + std::to_string(max_bytes_) + " bytes");
    }
    text_ += as_text(bytes);
    return {};
}

qr_cancel cancel_on(const std::atomic<bool>* flag) {
    auto asked = [](const qr_cancel* cancel) -> std::int32_t {
        const auto* set = static_cast<const std::atomic<bool>*>(cancel->ctx);
        return set != nullptr && set->load(std::memory_order_relaxed) ? 1 : 0;
    };
    return {.size = sizeof(qr_cancel), .reserved = 0, .ctx = flag, .is_cancelled = asked};
}

}  // namespace quorate::machine
