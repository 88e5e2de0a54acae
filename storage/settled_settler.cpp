#include "storage/settled_settler.hpp"

#include "storage/settled_copy.hpp"
#include "storage/wal_reader.hpp"

#include <algorithm>

namespace quorate::storage {

Result<SettledMark> Settler::run(const Job& job) {
    for (std::uint64_t file : job.files) TRY_VOID(settle_file(file, job));
    TRY_VOID(release(job));
    TRY_VOID(put_images());
    // The copy first: a checkpoint that exists has a copy that is as new.
    TRY_VOID(write_settled_copy(files_, copy_, state_.mark, state_.images));
    TRY_VOID(settled_.checkpoint(state_.mark));
    return state_.mark;
}

Result<void> Settler::settle_file(std::uint64_t file, const Job& job) {
    std::string path = directory_ + "/" + wal_name(file);
    TRY(WalReader reader, WalReader::open(files_, path, file, part_));
    for (;;) {
        TRY(auto record, reader.next());
        if (!record) break;
        if (!record->intact) {
            return fail(Errc::corrupt, path + ": the record at offset " +
                                           std::to_string(record->offset) +
                                           " has changed since it was written");
        }
        state_.mark.batch = std::max(state_.mark.batch, record->header->batch);
        TRY_VOID(apply(*record, job));
    }
    if (!reader.sealed()) {
        return fail(Errc::corrupt, path + ": ends at offset " + std::to_string(reader.position()) +
                                       " without its last record");
    }
    state_.mark.file = file;
    return gatherer_.put_all();
}

Result<void> Settler::apply(const ScannedRecord& record, const Job& job) {
    const RecordHeader& header = *record.header;
    if (!header.group) return {};
    auto found = state_.images.find(header.group);
    if (header.kind == RecordKind::erase) {
        if (found == state_.images.end()) return {};  // the second copy
        state_.images.erase(found);
        dirty_.erase(header.group);
        gatherer_.drop(header.group);
        return settled_.erase(header.group);
    }
    if (found == state_.images.end()) {
        found = state_.images.emplace(header.group, GroupImage()).first;
    }
    GroupImage& image = found->second;
    image.chain = record.link;
    dirty_.insert(header.group);
    switch (header.kind) {
        case RecordKind::entry:
            return apply_entry(header.group, image, record, job);
        case RecordKind::create:
        case RecordKind::registration:
            image.registration = Bytes::copy_of(record.payload);
            break;
        case RecordKind::hard_state:
            image.hard = {header.term, MemberId(header.index.value())};
            break;
        case RecordKind::repaired:
            image.damage.reset();
            break;
        default:
            return apply_to_log(header.group, image, record);
    }
    return {};
}

Result<void> Settler::apply_entry(GroupId group, GroupImage& image, const ScannedRecord& record,
                                  const Job& job) {
    const RecordHeader& header = *record.header;
    if (header.index != image.last.next()) {
        return fail(Errc::corrupt, "entry " + std::to_string(header.index.value()) +
                                       " in the log follows entry " +
                                       std::to_string(image.last.value()));
    }
    EntryId id{header.term, header.index};
    auto kind = static_cast<raft::EntryKind>(header.detail);
    image.append(id, kind);
    auto living = job.groups.find(group);
    // The image of an erased group stays whole all the same: records of later files are held against it,
    // up to the one that erases it.
    if (living == job.groups.end() || header.index <= living->second) return {};
    return gatherer_.add(group, id, kind, record.payload);
}

Result<void> Settler::apply_to_log(GroupId group, GroupImage& image, const ScannedRecord& record) {
    const RecordHeader& header = *record.header;
    TRY_VOID(gatherer_.put(group));
    switch (header.kind) {
        case RecordKind::truncate:
            if (header.index > image.last) return {};
            TRY_VOID(settled_.truncate(group, header.index));
            image.truncate_from(header.index);
            return {};
        case RecordKind::reset:
            TRY_VOID(settled_.truncate(group, Index()));
            image.reset({header.term, header.index});
            return {};
        case RecordKind::release:
            return release(group, image, header.index);
        default:
            return {};
    }
}

Result<void> Settler::release(const Job& job) {
    for (const auto& [group, index] : job.groups) {
        auto found = state_.images.find(group);
        if (found == state_.images.end()) continue;
        Index before = found->second.base.index;
        TRY_VOID(release(group, found->second, index));
        if (found->second.base.index > before) dirty_.insert(group);
    }
    return {};
}

Result<void> Settler::release(GroupId group, GroupImage& image, Index to) {
    Index before = image.base.index;
    image.release(to);
    if (image.base.index == before) return {};
    return settled_.release(group, image.base.index);
}

Result<void> Settler::put_images() {
    for (GroupId group : dirty_) TRY_VOID(settled_.put_image(group, state_.images.at(group)));
    dirty_.clear();
    return {};
}

}  // namespace quorate::storage
