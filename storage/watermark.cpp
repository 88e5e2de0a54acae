#include "storage/watermark.hpp"

#include "storage/crc32c.hpp"
#include "storage/wal_bytes.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <span>

namespace quorate::storage {
namespace {

constexpr std::uint64_t watermark_magic = 0x31'4b'4d'57'74'61'72'51;  // "QratWMK1"
constexpr std::uint64_t block = 4096;
// crc, length of what it covers; then what it covers.
constexpr std::size_t frame_bytes = 8;

struct Slot {
    std::uint64_t sequence = 0;
    std::uint64_t slot_bytes = 0;
    Watermark watermark;
};

std::optional<Slot> decode_slot(ByteView bytes) {
    ByteReader frame(bytes);
    auto crc = frame.get<std::uint32_t>();
    auto length = frame.get<std::uint32_t>();
    if (bytes.size() < frame_bytes || bytes.size() - frame_bytes < length) return {};
    ByteView body = bytes.subspan(frame_bytes, length);
    if (crc32c(body, length) != crc) return {};
    ByteReader in(body);
    if (in.get<std::uint64_t>() != watermark_magic) return {};
    Slot slot;
    slot.sequence = in.get<std::uint64_t>();
    slot.slot_bytes = in.get<std::uint64_t>();
    slot.watermark.batch = in.get<std::uint64_t>();
    slot.watermark.clean = in.get<std::uint8_t>() != 0;
    std::size_t count = in.get_count(5 * sizeof(std::uint64_t));
    for (std::size_t i = 0; i < count; ++i) {
        GroupId group(in.get<std::uint64_t>());
        Watermark::Mark& mark = slot.watermark.marks[group];
        mark.index = Index(in.get<std::uint64_t>());
        mark.chain = in.get<std::uint64_t>();
        mark.term = Term(in.get<std::uint64_t>());
        mark.vote = MemberId(in.get<std::uint64_t>());
    }
    if (!in.at_end()) return {};
    return slot;
}

std::string encode_body(std::uint64_t sequence, std::uint64_t slot_bytes,
                        const Watermark& watermark) {
    ByteWriter out;
    out.put(watermark_magic);
    out.put(sequence);
    out.put(slot_bytes);
    out.put(watermark.batch);
    out.put(static_cast<std::uint8_t>(watermark.clean ? 1 : 0));
    out.put(static_cast<std::uint32_t>(watermark.marks.size()));
    for (const auto& [group, mark] : watermark.marks) {
        out.put(group.value());
        out.put(mark.index.value());
        out.put(mark.chain);
        out.put(mark.term.value());
        out.put(mark.vote.value());
    }
    return out.take();
}

std::string in_frame(const std::string& body) {
    ByteWriter out;
    auto length = static_cast<std::uint32_t>(body.size());
    out.put(crc32c(as_bytes(body), length));
    out.put(length);
    return out.take() + body;
}

}  // namespace

Result<WatermarkFile::Found> WatermarkFile::open(Files& files, std::string path) {
    Found found;
    found.file.reset(new WatermarkFile(files, std::move(path)));
    TRY(found.is_there, files.exists(found.file->path_));
    if (!found.is_there) return found;
    TRY(std::string complaint, found.file->read(found));
    found.complaint = std::move(complaint);
    return found;
}

// Slots lie at 0 and at half of the file's size. A file of neither slot begins anew.
Result<std::string> WatermarkFile::read(Found& found) {
    TRY(auto file, files_.open(path_, Files::Mode::read_write));
    TRY(std::uint64_t size, file->size());
    std::string raw(size, '\0');
    TRY(std::size_t got, file->read_at(0, std::as_writable_bytes(std::span(raw))));
    raw.resize(got);
    std::array<std::optional<Slot>, 2> slots;
    std::string complaint;
    for (std::size_t i = 0; i < slots.size(); ++i) {
        ByteView half = as_bytes(raw).subspan(i * raw.size() / 2, raw.size() / 2);
        slots[i] = decode_slot(half);
        bool blank = std::ranges::all_of(half, [](std::byte b) { return b == std::byte{0}; });
        if (!slots[i] && !blank) complaint = "slot " + std::to_string(i) + " fails its checksum";
    }
    bool second = slots[1] && (!slots[0] || slots[1]->sequence > slots[0]->sequence);
    std::optional<Slot>& newest = slots[second ? 1 : 0];
    if (!newest) return raw.empty() ? "the file is empty" : complaint;
    found.newest = std::move(newest->watermark);
    sequence_ = newest->sequence;
    if (newest->slot_bytes * 2 == size && sequence_ % 2 == (second ? 1 : 0)) {
        slot_bytes_ = newest->slot_bytes;
        file_ = std::move(file);
    }
    return complaint;
}

Result<void> WatermarkFile::write(const Watermark& watermark) {
    std::uint64_t next = sequence_ + 1;
    std::uint64_t need = frame_bytes + encode_body(next, 0, watermark).size();
    if (slot_bytes_ < need) {
        std::uint64_t slot_bytes = std::bit_ceil(std::max(need + need / 4, block));
        TRY_VOID(make(slot_bytes, in_frame(encode_body(next, slot_bytes, watermark))));
    } else {
        std::string slot = in_frame(encode_body(next, slot_bytes_, watermark));
        ByteView part = as_bytes(slot);
        TRY_VOID(file_->write_at((next % 2) * slot_bytes_, {&part, 1}));
        TRY_VOID(file_->sync());
    }
    sequence_ = next;
    return {};
}

Result<void> WatermarkFile::make(std::uint64_t slot_bytes, const std::string& slot) {
    std::string beside = path_ + ".new";
    TRY_VOID(files_.remove(beside));
    TRY(auto file, files_.open(beside, Files::Mode::create_new));
    TRY_VOID(file->allocate(2 * slot_bytes));
    ByteView part = as_bytes(slot);
    TRY_VOID(file->write_at(((sequence_ + 1) % 2) * slot_bytes, {&part, 1}));
    TRY_VOID(file->sync());
    TRY_VOID(files_.rename(beside, path_));
    std::size_t slash = path_.rfind('/');
    TRY_VOID(files_.sync_directory(slash == std::string::npos ? "" : path_.substr(0, slash)));
    file_ = std::move(file);
    slot_bytes_ = slot_bytes;
    return {};
}

}  // namespace quorate::storage
