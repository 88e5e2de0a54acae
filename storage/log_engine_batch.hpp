#pragma once

#include "host/base/bytes.hpp"
#include "storage/files.hpp"
#include "storage/wal_record.hpp"

#include <cstdint>
#include <vector>

namespace quorate::storage {

// The records of one write. Small payloads are copied, so that a batch of many is one piece of memory;
// large ones are passed on as they are.
class LogBatch {
 public:
    struct Placed {
        std::uint64_t payload_offset = 0;
        std::uint32_t payload_crc = 0;
        std::uint64_t link = 0;
    };
    // `at`: the offset in the file at which the batch will be written.
    Placed add(RecordHeader header, const Bytes& payload, std::uint64_t at);
    bool empty() const { return bytes_ == 0; }
    std::uint64_t bytes() const { return bytes_; }
    Result<void> write_to(File& file, std::uint64_t offset);
    void clear();

 private:
    struct Large {
        std::size_t before = 0;  // the bytes of buffer_ that come first
        Bytes payload;
    };
    std::vector<std::byte> buffer_;
    std::vector<Large> large_;
    std::uint64_t bytes_ = 0;
};

}  // namespace quorate::storage
