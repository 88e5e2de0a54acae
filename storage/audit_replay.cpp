#include "storage/audit_replay.hpp"

#include <algorithm>

namespace quorate::storage {
namespace {

bool is_registration(RecordKind kind) {
    return kind == RecordKind::create || kind == RecordKind::registration;
}

}  // namespace

void Replay::Group::add_damage(std::string what) {
    if (!damage) damage = RecoveredLog::Damage{.what = std::move(what)};
}

Replay::Replay(SettledState start, std::optional<Watermark> watermark) {
    for (auto& [id, image] : start.images) {
        Group& group = found_.groups[id];
        group.highest = image.last;
        group.image = std::move(image);
        group.registered = true;
    }
    found_.batch = start.mark.batch;
    if (watermark) found_.batch = std::max(found_.batch, watermark->batch);
    if (watermark && watermark->batch >= start.mark.batch) watermark_ = std::move(watermark);
}

void Replay::begin_file(std::uint64_t file, std::shared_ptr<const void> owner) {
    file_ = file;
    owner_ = std::move(owner);
    if (!deferred_.empty() || !unit_.empty()) return;
    found_.end_file = file;
    found_.end_offset = 0;
}

std::string Replay::place(const Kept& kept) const {
    return wal_name(kept.file) + " at offset " + std::to_string(kept.record.offset);
}

// A batch is written at once and may reach the disk in any order. So what follows a damaged record
// tells whether that was ever durable: a record of a later batch was written after its sync.
bool Replay::may_be_torn(const ScannedRecord& record) const {
    if (!record.intact) return true;
    const RecordHeader& header = *record.header;
    if ((header.flags & first_of_batch) != 0) return false;
    const ScannedRecord& damaged = deferred_.front().record;
    if (damaged.header && damaged.header->batch != header.batch) return false;
    return std::ranges::all_of(deferred_, [&](const Kept& kept) {
        return !kept.record.intact || kept.record.header->batch == header.batch;
    });
}

void Replay::on(const ScannedRecord& record) {
    bool opening = record.intact && record.header->kind == RecordKind::open;
    // Written ahead: a file that was opened does not prove that the one before it came to its end.
    if (opening && (!deferred_.empty() || !unit_.empty())) return;
    Kept kept{record, owner_, file_};
    if (record.intact) found_.batch = std::max(found_.batch, record.header->batch);
    if (deferred_.empty() && record.intact) return accept(kept);
    if (!deferred_.empty() && !may_be_torn(record)) {
        take_deferred();
        if (record.intact) return accept(kept);
    }
    deferred_.push_back(std::move(kept));
}

void Replay::missing(std::string what) {
    take_deferred();
    take_unit();
    if (file_ != 0) found_.damaged_files.insert(file_);
    found_.findings.push_back(what);
    gaps_.push_back({.where = std::move(what)});
}

// It was no torn batch: damaged records are gaps, and those between them count.
void Replay::take_deferred() {
    for (const Kept& kept : std::exchange(deferred_, {})) {
        if (kept.record.intact) {
            accept(kept);
        } else {
            take_unit();
            take_gap(kept);
        }
    }
}

void Replay::take_gap(const Kept& kept) {
    found_.damaged_files.insert(kept.file);
    const std::optional<RecordHeader>& header = kept.record.header;
    if (header && header->group) {
        found_.findings.push_back(place(kept) + ": the payload of a record of group " +
                                  std::to_string(header->group.value()) + " fails its checksum");
        apply(kept);
        return;
    }
    std::string where = place(kept) + ": " + std::to_string(kept.record.end - kept.record.offset) +
                        " bytes are no record, and records follow";
    found_.findings.push_back(where);
    // A file's opening record belongs to no group: when just that is damaged nothing else is gone.
    if (kept.record.offset == 0 && kept.record.end == record_bytes(0)) return;
    gaps_.push_back({.where = std::move(where)});
}

void Replay::accept(const Kept& kept) {
    const RecordHeader& header = *kept.record.header;
    if (!gaps_.empty() && gaps_.back().before_batch == 0 && header.batch != 0) {
        for (Gap& gap : gaps_) {
            if (gap.before_batch == 0) gap.before_batch = header.batch;
        }
    }
    if (!unit_.empty() || (header.flags & unit_goes_on) != 0) {
        unit_.push_back(kept);
        if (header.group && (header.flags & unit_goes_on) == 0) take_unit();
        return;
    }
    apply(kept);
}

void Replay::take_unit() {
    for (const Kept& kept : std::exchange(unit_, {})) apply(kept);
}

Replay::Group& Replay::group_of(const RecordHeader& header) {
    auto [at, fresh] = found_.groups.try_emplace(header.group);
    if (fresh) {
        at->second.cleared = gaps_.size();
        // The second copy of what made the group proves that nothing of it came before.
        bool made_here = header.kind == RecordKind::create;
        at->second.image.chain = made_here ? header.chain : 0;
    }
    return at->second;
}

void Replay::link_up(Group& group, const Kept& kept) {
    const RecordHeader& header = *kept.record.header;
    if (watermark_ && header.batch > watermark_->batch) check(header.group, group);
    if (header.chain == group.image.chain) {
        group.cleared = gaps_.size();
    } else {
        group.broken = true;
        group.add_damage("records of the group before " + place(kept) + " are missing");
    }
    group.image.chain = kept.record.link;
}

void Replay::apply(const Kept& kept) {
    found_.end_file = kept.file;
    found_.end_offset = kept.record.end;
    const RecordHeader& header = *kept.record.header;
    if (header.kind != RecordKind::open) {
        if (found_.tail.file != kept.file || found_.tail.batch != header.batch)
            found_.tail = {.file = kept.file, .batch = header.batch, .begin = kept.record.offset};
        found_.tail.end = kept.record.end;
    }
    if (!header.group) return;
    if (header.kind == RecordKind::erase) {
        erased_.insert(header.group);
        found_.groups.erase(header.group);
        return;
    }
    Group& group = group_of(header);
    link_up(group, kept);
    if (is_registration(header.kind)) {
        group.payload_lost = !kept.record.intact;
        if (!kept.record.intact) return;
        group.image.registration = Bytes::copy_of(kept.record.payload);
        group.registered = true;
        erased_.erase(header.group);
    } else if (header.kind == RecordKind::hard_state) {
        group.image.hard = {header.term, MemberId(header.index.value())};
    } else if (header.kind == RecordKind::repaired) {
        group.image.damage.reset();
    } else if (header.kind == RecordKind::entry) {
        apply_entry(group, kept);
    } else {
        apply_to_log(group, kept);
    }
}

void Replay::apply_entry(Group& group, const Kept& kept) {
    const RecordHeader& header = *kept.record.header;
    group.highest = std::max(group.highest, header.index);
    if (group.broken) return;
    if (header.index != group.image.last.next()) {
        group.broken = true;
        group.add_damage("entry " + std::to_string(header.index.value()) + " in " + place(kept) +
                         " follows entry " + std::to_string(group.image.last.value()));
        return;
    }
    auto kind = static_cast<raft::EntryKind>(header.detail);
    group.image.append({header.term, header.index}, kind);
    Slot slot{.term = header.term,
              .file = kept.file,
              .offset = kept.record.payload_offset(),
              .length = header.length,
              .crc = header.payload_crc,
              .kind = kind};
    if (!kept.record.intact) group.holes.push_back(header.index);
    if (kind == raft::EntryKind::membership && kept.record.intact) {
        group.memberships.insert_or_assign(header.index, Bytes::copy_of(kept.record.payload));
    }
    group.recent.push(header.index, slot);
}

void Replay::apply_to_log(Group& group, const Kept& kept) {
    const RecordHeader& header = *kept.record.header;
    switch (header.kind) {
        case RecordKind::truncate:
            group.truncated_in = kept.file;
            if (group.broken) return;
            group.image.truncate_from(header.index);
            group.recent.truncate_from(header.index);
            std::erase_if(group.holes, [&](Index hole) { return hole >= header.index; });
            break;
        case RecordKind::reset:
            group.image.reset({header.term, header.index});
            group.recent.clear();
            group.holes.clear();
            group.broken = false;
            break;
        case RecordKind::release:
            group.image.release(header.index);
            group.recent.drop_to(group.image.base.index);
            std::erase_if(group.holes, [&](Index hole) { return hole <= group.image.base.index; });
            break;
        default:
            break;
    }
}

// Pre: what has been applied to the group is what there was at the watermark's batch.
void Replay::check(GroupId id, Group& group) {
    if (std::exchange(group.checked, true)) return;
    auto mark = watermark_->marks.find(id);
    if (mark == watermark_->marks.end() || erased_.contains(id)) {
        group.vouched = true;
        return;
    }
    group.highest = std::max(group.highest, mark->second.index);
    group.vouched = mark->second.chain == group.image.chain;
    if (group.vouched) return;
    group.broken = true;
    found_.damaged_files.insert(found_.end_file);
    group.add_damage("what is whole of its log ends in " + wal_name(found_.end_file) +
                     " at offset " + std::to_string(found_.end_offset) +
                     ", before what was acknowledged, entry " +
                     std::to_string(mark->second.index.value()) + " in term " +
                     std::to_string(mark->second.term.value()));
    if (mark->second.term >= group.image.hard.term) {
        bool keep_vote = mark->second.term == group.image.hard.term && group.image.hard.vote;
        group.image.hard.term = mark->second.term;
        if (!keep_vote) group.image.hard.vote = mark->second.vote;
    }
}

void Replay::judge(GroupId id, Group& group) {
    if (watermark_) check(id, group);
    for (std::size_t i = group.cleared; i < gaps_.size(); ++i) {
        const Gap& gap = gaps_[i];
        bool before = gap.before_batch != 0 && watermark_ && gap.before_batch <= watermark_->batch;
        bool clean = watermark_ && watermark_->clean;
        if (watermark_ && group.vouched && watermark_->marks.contains(id) && (before || clean)) {
            continue;
        }
        group.add_damage(gap.where + "; whether records of this group were there is not known");
    }
    if (!group.holes.empty()) {
        Index first = *std::ranges::min_element(group.holes);
        group.image.truncate_from(first);
        group.recent.truncate_from(first);
        group.add_damage("entry " + std::to_string(first.value()) + " fails its checksum");
    }
    if (group.payload_lost) {
        group.add_damage("both copies of a registration fail their checksum");
    }
    if (!group.damage) return;
    found_.findings.push_back("group " + std::to_string(id.value()) + ": " + group.damage->what);
    std::optional<RecoveredLog::Damage>& all = group.image.damage;
    if (!all) all = group.damage;
    all->promised = std::max({all->promised, group.highest, group.image.last});
}

void Replay::look_for_missing_groups() {
    std::erase_if(found_.groups, [&](const auto& item) {
        if (item.second.registered) return false;
        found_.findings.push_back("records of group " + std::to_string(item.first.value()) +
                                  " are there, but its registration is not");
        return true;
    });
    if (!watermark_) return;
    for (const auto& [id, mark] : watermark_->marks) {
        if (found_.groups.contains(id) || erased_.contains(id)) continue;
        found_.findings.push_back("group " + std::to_string(id.value()) +
                                  " was here, and neither its records nor its registration are");
    }
}

void Replay::lost_settled_entries() {
    for (auto& [id, group] : found_.groups) {
        if (group.image.last == group.image.base.index) continue;
        group.highest = group.image.last;
        group.add_damage("its settled entries, " +
                         std::to_string(group.image.base.index.value() + 1) + " to " +
                         std::to_string(group.image.last.value()) + ", are lost");
        group.broken = true;
        group.image.reset(group.image.base);
    }
}

Replay::Found Replay::finish() {
    found_.torn = !deferred_.empty() || !unit_.empty();
    for (auto& [id, group] : found_.groups) judge(id, group);
    look_for_missing_groups();
    return std::move(found_);
}

}  // namespace quorate::storage
