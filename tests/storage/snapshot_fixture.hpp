#pragma once

#include "storage/snapshot_directory.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace quorate::storage {

// Small chunks, so that a few hundred bytes make a snapshot of several.
inline SnapshotDirectory::Options small_chunks() {
    return {.zstd_level = 3, .chunk_bytes = 100, .sync_bytes = 300};
}

inline EntryId entry(std::uint64_t term, std::uint64_t index) {
    return {Term(term), Index(index)};
}

inline SnapshotMeta meta_at(GroupId group, EntryId last, std::string host_state = "timers") {
    SnapshotMeta meta;
    meta.group = group;
    meta.epoch = Epoch(1);
    meta.last = last;
    meta.membership.members = {{.id = MemberId(7), .host = "a"}, {.id = MemberId(9), .host = "b"}};
    meta.machine = "kv";
    meta.machine_version = 2;
    meta.build = std::string(64, 'f');
    meta.outcome_hash = 0x1234'5678'9abc'def0;
    meta.time_ms = -5;
    meta.host_state = Bytes::take(std::move(host_state));
    return meta;
}

// Half compressible, half not.
inline std::string state_of(std::uint64_t seed, std::size_t bytes) {
    std::mt19937_64 random(seed);
    std::string text;
    while (text.size() < bytes) {
        if (random() % 2 == 0)
            text += std::string(random() % 60, static_cast<char>('a' + random() % 26));
        for (int i = 0; i < 20; ++i) text += static_cast<char>(random());
    }
    text.resize(bytes);
    return text;
}

// Writes and commits; the text goes in in uneven pieces.
inline Result<SnapshotInfo> write_snapshot(SnapshotStore& store, const SnapshotMeta& meta,
                                           std::string_view state) {
    TRY(auto writer, store.begin(meta));
    for (std::size_t piece = 1; !state.empty(); piece = piece * 2 + 1) {
        TRY_VOID(writer->write(as_bytes(state.substr(0, piece))));
        state.remove_prefix(std::min(piece, state.size()));
    }
    return writer->commit();
}

inline Result<std::string> read_all(SnapshotReader& reader) {
    std::string text;
    std::string buffer(77, '\0');
    for (;;) {
        TRY(std::size_t count, reader.read(std::as_writable_bytes(std::span(buffer))));
        if (count == 0) return text;
        text += buffer.substr(0, count);
    }
}

inline Result<std::string> read_snapshot(SnapshotStore& store, GroupId group, EntryId last) {
    TRY(auto reader, store.open(group, last));
    return read_all(*reader);
}

inline Result<std::string> read_source(SnapshotSource& source) {
    TRY(Bytes bytes, source.read_at(0, source.size()));
    return std::string(bytes.text());
}

inline std::vector<EntryId> entries_of(const std::vector<SnapshotInfo>& infos) {
    std::vector<EntryId> ids;
    for (const SnapshotInfo& info : infos) ids.push_back(info.meta.last);
    return ids;
}

}  // namespace quorate::storage
