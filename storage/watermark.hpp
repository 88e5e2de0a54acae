#pragma once

#include "host/base/strong.hpp"
#include "storage/files.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace quorate::storage {

// What was acknowledged, said a second time and apart from the log: a log that ends before it has
// lost something (as TigerBeetle and protocol-aware recovery do). Written lazily, so the log may well
// be longer.
struct Watermark {
    struct Mark {
        Index index;              // the group's last entry
        std::uint64_t chain = 0;  // link of its newest record
        Term term;
        MemberId vote;
        friend bool operator==(const Mark&, const Mark&) = default;
    };
    std::uint64_t batch = 0;                  // every batch up to this one is durable
    bool clean = false;                       // and none came after: the store was closed in order
    std::unordered_map<GroupId, Mark> marks;  // of all groups
    friend bool operator==(const Watermark&, const Watermark&) = default;
};

// The file: two slots, written in turn, each with a sequence number and a checksum, so that a torn or damaged
// slot leaves the one before. A slot is as long as its groups need; when they outgrow it the file is
// written anew beside and renamed. Thread: one at a time.
class WatermarkFile {
 public:
    struct Found {
        std::unique_ptr<WatermarkFile> file;
        std::optional<Watermark> newest;
        std::string complaint;  // not empty: a slot is damaged
        bool is_there = false;
    };
    // Opens the file, or prepares to make it with the first write.
    static Result<Found> open(Files& files, std::string path);

    // Durable when it returns.
    Result<void> write(const Watermark& watermark);

 private:
    WatermarkFile(Files& files, std::string path) : files_(files), path_(std::move(path)) {}
    Result<void> make(std::uint64_t slot_bytes, const std::string& slot);
    std::string encode_slot(const Watermark& watermark) const;
    Result<std::string> read(Found& found);

    Files& files_;
    const std::string path_;
    std::unique_ptr<File> file_;
    std::uint64_t slot_bytes_ = 0;  // 0: no file yet
    std::uint64_t sequence_ = 0;    // of the newest slot; its place is sequence % 2
};

}  // namespace quorate::storage
