#include "storage/wal_reader.hpp"

#include <algorithm>
#include <span>

namespace quorate::storage {
namespace {

constexpr std::uint64_t part_bytes = 512 * 1024;

}  // namespace

Result<WalReader> WalReader::open(Files& files, const std::string& path, std::uint64_t file,
                                  std::string& into) {
    TRY(auto handle, files.open(path, Files::Mode::read));
    TRY(std::uint64_t size, handle->size());
    return WalReader(std::move(handle), file, size, into);
}

Result<std::optional<ScannedRecord>> WalReader::next() {
    while (!scan_.sealed()) {
        auto record = scan_.next();
        bool found = record && record->header;
        std::uint64_t needed = found ? record_bytes(record->header->length) : header_bytes;
        if (position_ + needed > part_end_ && part_end_ < size_) {
            TRY_VOID(read_from(position_, needed));
            continue;
        }
        if (!found) break;
        position_ = record->end;
        return record;
    }
    return std::optional<ScannedRecord>();
}

Result<void> WalReader::read_from(std::uint64_t offset, std::uint64_t needed) {
    part_.resize(std::min(size_ - offset, std::max(part_bytes, needed)));
    TRY(std::size_t got, handle_->read_at(offset, std::as_writable_bytes(std::span(part_))));
    if (got < part_.size()) size_ = offset + got;
    part_.resize(got);
    part_end_ = offset + got;
    scan_ = WalScan(as_bytes(part_), file_, offset);
    return {};
}

}  // namespace quorate::storage
