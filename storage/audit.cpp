#include "storage/audit.hpp"

#include "host/base/log.hpp"
#include "storage/settled_copy.hpp"
#include "storage/settled_gatherer.hpp"
#include "storage/wal_scan.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace quorate::storage {
namespace {

class Opening {
 public:
    Opening(Files& files, const LogPaths& paths, SettledHome& home)
        : files_(files), paths_(paths), home_(home) {}

    Result<AuditedLog> run();

 private:
    Result<void> list_files();
    Result<void> open_settled();
    Result<void> load_settled();
    Result<void> replace_settled(const std::string& why);
    Result<void> open_watermark();
    Result<void> replay_files(Replay& replay);
    std::shared_ptr<std::string> spare_memory();
    Result<bool> replay_file(Replay& replay, std::uint64_t file, bool sealed_before);
    void note_missing(Replay& replay) const;
    Result<void> keep_damaged_files();
    Result<void> keep_copy(const std::string& name);
    Result<void> settle_everything();
    Result<void> settle_rows(GroupId id, const Replay::Group& group);
    Result<void> settle_slots();
    Result<void> go_on();
    Result<void> write_tail_again();
    Result<void> clear_after_end();
    Result<void> clear(std::uint64_t file, std::uint64_t from);
    Result<void> recover_groups();
    Result<std::vector<raft::Entry>> memberships_of(GroupId id, const AuditedLog::Group& group);

    Files& files_;
    const LogPaths& paths_;
    SettledHome& home_;
    AuditedLog log_;
    Replay::Found found_;
    std::vector<std::uint64_t> wal_;     // files that are there, ascending
    std::vector<std::uint64_t> sealed_;  // of those replayed
    std::optional<Watermark> mark_;
    std::vector<std::string> damaged_names_;
    bool has_watermark_ = false;
    bool settled_lost_ = false;
    std::array<std::shared_ptr<std::string>, 2> memory_;  // of the file before, and of this one
};

Result<AuditedLog> Opening::run() {
    TRY_VOID(make_directory_durably(files_, paths_.directory));
    TRY_VOID(list_files());
    TRY_VOID(open_settled());
    TRY_VOID(open_watermark());
    Replay replay(log_.settled_state, mark_);
    if (settled_lost_) replay.lost_settled_entries();
    TRY_VOID(replay_files(replay));
    found_ = replay.finish();
    log_.batch = found_.batch;
    // It is there before the first batch; without it an end that was cut off looks like the end.
    if (!has_watermark_ && log_.batch != 0) {
        log_.findings.push_back(paths_.watermark() + " is missing; it is written again");
    }
    bool in_order = found_.findings.empty() && !settled_lost_;
    std::ranges::move(found_.findings, std::back_inserter(log_.findings));
    for (const std::string& what : log_.findings) log::error("log_damaged", what);
    TRY_VOID(keep_damaged_files());
    TRY_VOID(in_order ? go_on() : settle_everything());
    TRY_VOID(recover_groups());
    return std::move(log_);
}

Result<void> Opening::list_files() {
    TRY(auto names, files_.list(paths_.directory));
    for (const std::string& name : names) {
        if (auto file = parse_wal_name(name)) wal_.push_back(*file);
        // Left behind by a crash: never in use before it was renamed.
        if (name.ends_with(".new") || name.ends_with(".tmp")) {
            TRY_VOID(files_.remove(paths_.directory + "/" + name));
        }
    }
    std::ranges::sort(wal_);
    return {};
}

Result<void> Opening::open_settled() {
    TRY(bool there, home_.exists());
    TRY(SettledCopy copy, read_settled_copy(files_, paths_.copy()));
    if (!copy.complaint.empty()) {
        log_.findings.push_back(paths_.copy() + ": " + copy.complaint);
        damaged_names_.emplace_back("groups");
    }
    std::string why;
    if (there) {
        auto loaded = load_settled();
        if (!loaded.has_value() && loaded.error().code != Errc::corrupt) return loaded.error();
        if (!loaded.has_value()) why = loaded.error().what;
    } else if (!wal_.empty() || copy.state) {
        why = "the settled log is missing";
    } else {
        TRY(log_.settled, home_.create());
    }
    // It is written before the first checkpoint, and from then on it is there.
    if (!copy.state && copy.complaint.empty() && log_.settled_state.mark.file != 0) {
        log_.findings.push_back(paths_.copy() + " is missing; it is written again");
    }
    if (why.empty()) return {};
    TRY_VOID(replace_settled(why));
    settled_lost_ = true;
    if (copy.state) {
        log_.settled_state = std::move(*copy.state);
    } else {
        log_.settled_state.mark.file = wal_.empty() ? 0 : wal_.front() - 1;
        log_.findings.emplace_back("of the settled log there is no second copy either");
    }
    return {};
}

// Only Errc::corrupt is damage. A disk that is full or a file that may not be opened says nothing about
// what is in it.
Result<void> Opening::load_settled() {
    auto settled = home_.open();
    if (!home_.complaint().empty()) log_.findings.push_back(home_.complaint());
    if (!settled.has_value()) return settled.error();
    log_.settled = std::move(*settled);
    TRY(log_.settled_state, log_.settled->load());
    return {};
}

Result<void> Opening::replace_settled(const std::string& why) {
    log_.settled.reset();
    log_.findings.push_back(why);
    TRY(bool there, home_.exists());
    if (there) {
        TRY(std::string where, home_.set_aside());
        log_.findings.push_back("the settled log was set aside as " + where);
    }
    TRY(log_.settled, home_.create());
    return {};
}

Result<void> Opening::open_watermark() {
    TRY(auto found, WatermarkFile::open(files_, paths_.watermark()));
    log_.watermark = std::move(found.file);
    mark_ = std::move(found.newest);
    has_watermark_ = found.is_there;
    if (found.complaint.empty()) return {};
    // The slot before is there, and so is the log: nothing is lost by it.
    log::warning("watermark_damaged", paths_.watermark() + ": " + found.complaint);
    damaged_names_.emplace_back("watermark");
    return {};
}

// Nothing was promised before the first file was there, so a store without any is new or robbed.
void Opening::note_missing(Replay& replay) const {
    const SettledState& state = log_.settled_state;
    if (state.mark.file == 0 && state.images.empty() && !mark_) return;
    replay.missing(paths_.wal(state.mark.file + 1) + " is missing");
}

Result<void> Opening::replay_files(Replay& replay) {
    std::uint64_t expected = log_.settled_state.mark.file + 1;
    bool sealed = true;
    bool any = false;
    for (std::uint64_t file : wal_) {
        if (file < expected) {
            if (!any) log_.free.push_back(file);
            continue;
        }
        any = true;
        if (file > expected) {
            replay.missing(paths_.wal(expected) + " is missing");
            sealed = true;
        }
        TRY(sealed, replay_file(replay, file, sealed));
        if (sealed) sealed_.push_back(file);
        expected = file + 1;
    }
    if (!any) note_missing(replay);
    return {};
}

// Whether a file holds more than its opening record.
bool is_in_use(ByteView content, std::uint64_t file) {
    WalScan scan(content, file);
    while (auto record = scan.next()) {
        if (record->header && record->header->kind != RecordKind::open) return true;
    }
    return false;
}

// For a file's content: what no record that waits refers to any more, if there is any.
std::shared_ptr<std::string> Opening::spare_memory() {
    for (auto& one : memory_) {
        if (one == nullptr) one = std::make_shared<std::string>();
        if (one.use_count() == 1) return one;
    }
    return std::make_shared<std::string>();
}

// Returns whether the file has its last record. Pre: the files before it were replayed.
Result<bool> Opening::replay_file(Replay& replay, std::uint64_t file, bool sealed_before) {
    std::shared_ptr<std::string> owner = spare_memory();
    TRY_VOID(read_whole(files_, paths_.wal(file), *owner));
    bool in_use = is_in_use(as_bytes(*owner), file);
    if (!in_use && !sealed_before) return false;  // made ahead, never begun
    if (!sealed_before) replay.missing(paths_.wal(file - 1) + " ends without its last record");
    replay.begin_file(file, owner);
    WalScan scan(as_bytes(*owner), file);
    while (auto record = scan.next()) {
        if (record->header && record->header->kind == RecordKind::open &&
            record->header->index.value() > log_format) {
            return fail(Errc::format_unknown, paths_.wal(file) + ": its format is " +
                                                  std::to_string(record->header->index.value()) +
                                                  ", this release knows those up to " +
                                                  std::to_string(log_format));
        }
        replay.on(*record);
    }
    return scan.sealed();
}

Result<void> Opening::keep_damaged_files() {
    for (std::uint64_t file : found_.damaged_files) {
        if (std::ranges::binary_search(wal_, file)) damaged_names_.push_back(wal_name(file));
    }
    for (const std::string& name : damaged_names_) TRY_VOID(keep_copy(name));
    return {};
}

// A copy, since the file itself goes on being what the log is recovered from until that is done.
Result<void> Opening::keep_copy(const std::string& name) {
    TRY_VOID(make_directory_durably(files_, paths_.damaged()));
    TRY(std::string content, read_whole(files_, paths_.directory + "/" + name));
    std::string path;
    for (int i = 1;; ++i) {
        path = paths_.damaged() + "/" + name + "." + std::to_string(i);
        TRY(bool taken, files_.exists(path));
        if (!taken) break;
    }
    TRY_VOID(replace_whole(files_, path, content));
    log::warning("damaged_file_kept",
                 paths_.directory + "/" + name + " is damaged; kept as " + path);
    return {};
}

Result<void> Opening::settle_everything() {
    SettledMark mark{.file = log_.settled_state.mark.file, .batch = log_.batch};
    if (!wal_.empty()) mark.file = std::max(mark.file, wal_.back());
    for (const auto& [id, image] : log_.settled_state.images) {
        if (!found_.groups.contains(id)) TRY_VOID(log_.settled->erase(id));
    }
    for (const auto& [id, group] : found_.groups) TRY_VOID(settle_rows(id, group));
    TRY_VOID(settle_slots());
    SettledState state{.mark = mark};
    for (auto& [id, group] : found_.groups) {
        TRY_VOID(log_.settled->put_image(id, group.image));
        group.recent.clear();
        state.images.emplace(id, group.image);
    }
    TRY_VOID(write_settled_copy(files_, paths_.copy(), mark, state.images));
    TRY_VOID(log_.settled->checkpoint(mark));
    log_.settled_state = std::move(state);
    log_.free = wal_;
    log_.file = mark.file + 1;
    return {};
}

// Drops settled entries that the log, as it now is, does not hold, or holds otherwise.
Result<void> Opening::settle_rows(GroupId id, const Replay::Group& group) {
    auto before = log_.settled_state.images.find(id);
    if (settled_lost_ || before == log_.settled_state.images.end()) return {};
    const GroupImage& old = before->second;
    const GroupImage& now = group.image;
    Index above = group.recent.empty() ? now.last.next() : group.recent.first();
    if (above <= old.last) TRY_VOID(log_.settled->truncate(id, above));
    if (now.base.index <= old.base.index) return {};
    return log_.settled->release(id, now.base.index);
}

Result<void> Opening::settle_slots() {
    struct Place {
        GroupId group;
        Index index;
        const Slot* slot;
    };
    std::vector<Place> places;
    for (const auto& [id, group] : found_.groups) {
        for (Index at = group.image.base.index.next(); at <= group.image.last; at = at.next()) {
            const Slot* slot = group.recent.find(at);
            if (slot != nullptr) places.push_back({id, at, slot});
        }
    }
    std::ranges::sort(places, {},
                      [](const Place& p) { return std::pair(p.slot->file, p.slot->offset); });
    SettledGatherer gatherer(*log_.settled);
    std::string content;
    std::uint64_t file = 0;
    for (const auto& [group, index, slot] : places) {
        if (slot->file != file) {
            file = slot->file;
            TRY_VOID(gatherer.put_all());
            TRY_VOID(read_whole(files_, paths_.wal(file), content));
        }
        ByteView payload = as_bytes(content).subspan(slot->offset, slot->length);
        TRY_VOID(gatherer.add(group, {slot->term, index}, slot->kind, payload));
    }
    return gatherer.put_all();
}

Result<void> Opening::go_on() {
    log_.file = std::max(found_.end_file, log_.settled_state.mark.file + 1);
    log_.offset = log_.file == found_.end_file ? found_.end_offset : 0;
    TRY_VOID(clear_after_end());
    TRY_VOID(write_tail_again());
    for (std::uint64_t file : sealed_) {
        if (file < log_.file) log_.full.push_back(file);
    }
    TRY(bool has_copy, files_.exists(paths_.copy()));
    const SettledState& state = log_.settled_state;
    bool copy_is_damaged = std::ranges::find(damaged_names_, "groups") != damaged_names_.end();
    if (copy_is_damaged || (!has_copy && state.mark.file != 0)) {
        TRY_VOID(write_settled_copy(files_, paths_.copy(), state.mark, state.images));
    }
    return {};
}

// A process that died between a write and its sync left that batch to the operating system, and
// one that died of a failed sync left it to nobody: what is read back need not be on the disk, and a
// sync alone would not bring it there. It is believed from now on, so it is written once more. So are
// the names of the files, which may be as new.
Result<void> Opening::write_tail_again() {
    TRY_VOID(files_.sync_directory(paths_.directory));
    const Replay::Found::Tail& tail = found_.tail;
    if (tail.file <= log_.settled_state.mark.file) return {};
    TRY(auto handle, files_.open(paths_.wal(tail.file), Files::Mode::read_write));
    std::string content(tail.end - tail.begin, '\0');
    TRY(std::size_t got, handle->read_at(tail.begin, std::as_writable_bytes(std::span(content))));
    ByteView part = as_bytes(content).first(got);
    TRY_VOID(handle->write_at(tail.begin, {&part, 1}));
    return handle->sync();
}

// Records that do not count must not be met again, behind those to be written now.
Result<void> Opening::clear_after_end() {
    for (std::uint64_t file : wal_) {
        if (file < log_.file) continue;
        if (!found_.torn && file <= log_.file + 1) {
            log_.next_is_there = file > log_.file;
            continue;
        }
        TRY(std::string content, read_whole(files_, paths_.wal(file)));
        if (file == log_.file) {
            WalScan scan(as_bytes(content), file);
            std::uint64_t last = 0;
            while (auto record = scan.next()) last = record->end;
            if (last > log_.offset) TRY_VOID(clear(file, log_.offset));
        } else if (file == log_.file + 1 && !is_in_use(as_bytes(content), file)) {
            log_.next_is_there = true;
        } else {
            TRY_VOID(files_.remove(paths_.wal(file)));
            TRY_VOID(files_.sync_directory(paths_.directory));
        }
    }
    return {};
}

Result<void> Opening::clear(std::uint64_t file, std::uint64_t from) {
    log::info("torn_tail", paths_.wal(file) + ": the unfinished write at offset " +
                               std::to_string(from) + " is dropped");
    TRY(auto handle, files_.open(paths_.wal(file), Files::Mode::read_write));
    TRY(std::uint64_t size, handle->size());
    const std::vector<std::byte> zeroes(std::size_t{1} << 20);
    while (from < size) {
        ByteView part = ByteView(zeroes).first(std::min<std::uint64_t>(zeroes.size(), size - from));
        TRY_VOID(handle->write_at(from, {&part, 1}));
        from += part.size();
    }
    return handle->sync();
}

Result<void> Opening::recover_groups() {
    for (auto& [id, found] : found_.groups) {
        AuditedLog::Group group{.image = std::move(found.image),
                                .recent = std::move(found.recent),
                                .memberships = std::move(found.memberships),
                                .truncated_in = found.truncated_in};
        TRY(auto memberships, memberships_of(id, group));
        log_.recovered.push_back(RecoveredLog{.group = id,
                                              .registration = group.image.registration,
                                              .hard = group.image.hard,
                                              .base = group.image.base,
                                              .runs = group.image.runs,
                                              .last = group.image.last,
                                              .memberships = std::move(memberships),
                                              .damage = group.image.damage});
        log_.groups.emplace(id, std::move(group));
    }
    std::ranges::sort(log_.recovered, {}, &RecoveredLog::group);
    return {};
}

Result<std::vector<raft::Entry>> Opening::memberships_of(GroupId id,
                                                         const AuditedLog::Group& group) {
    std::vector<raft::Entry> entries;
    for (Index index : group.image.memberships) {
        if (const Slot* slot = group.recent.find(index)) {
            entries.push_back({.id = {slot->term, index},
                               .kind = slot->kind,
                               .payload = group.memberships.at(index)});
            continue;
        }
        TRY(auto read, log_.settled->read(id, index, index, 0));
        entries.push_back(std::move(read.front()));
    }
    return entries;
}

}  // namespace

Result<AuditedLog> open_log(Files& files, const LogPaths& paths, SettledHome& home) {
    return Opening(files, paths, home).run();
}

}  // namespace quorate::storage
