#include "storage/log_engine_batch.hpp"

#include "storage/crc32c.hpp"

#include <cstring>

namespace quorate::storage {
namespace {

constexpr std::size_t copied_up_to = std::size_t{32} * 1024;
constexpr std::size_t kept_buffer =
    std::size_t{4} * 1024 * 1024;  // an outlier's memory is returned

}  // namespace

LogBatch::Placed LogBatch::add(RecordHeader header, const Bytes& payload, std::uint64_t at) {
    std::uint64_t offset = at + bytes_;
    header.length = static_cast<std::uint32_t>(payload.size());
    header.payload_crc = crc32c(payload.view());
    std::uint64_t size = record_bytes(payload.size());
    bool is_large = payload.size() > copied_up_to;
    std::size_t copied = is_large ? header_bytes : size;
    std::size_t from = buffer_.size();
    buffer_.resize(from + copied);
    auto place = std::span(buffer_).subspan(from);
    Placed placed{.payload_offset = offset + header_bytes, .payload_crc = header.payload_crc};
    placed.link = put_header(header, offset, place.first<header_bytes>());
    if (is_large) {
        large_.push_back({.before = buffer_.size(), .payload = payload});
        buffer_.resize(buffer_.size() + (size - header_bytes - payload.size()));
    } else if (!payload.empty()) {
        std::memcpy(place.data() + header_bytes, payload.view().data(), payload.size());
    }
    bytes_ += size;
    return placed;
}

Result<void> LogBatch::write_to(File& file, std::uint64_t offset) {
    std::vector<ByteView> parts;
    ByteView buffer(buffer_);
    std::size_t done = 0;
    for (const Large& large : large_) {
        parts.push_back(buffer.subspan(done, large.before - done));
        parts.push_back(large.payload.view());
        done = large.before;
    }
    parts.push_back(buffer.subspan(done));
    return file.write_at(offset, parts);
}

void LogBatch::clear() {
    if (buffer_.capacity() > kept_buffer) buffer_ = {};
    buffer_.clear();
    large_.clear();
    bytes_ = 0;
}

}  // namespace quorate::storage
