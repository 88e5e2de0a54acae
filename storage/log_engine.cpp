#include "storage/log_engine.hpp"

#include "host/base/log.hpp"

#include <algorithm>

namespace quorate::storage {

Result<std::unique_ptr<LogEngine>> LogEngine::open(LogOptions options, Environment environment) {
    LogPaths paths{options.directory};
    TRY(AuditedLog log, open_log(environment.files, paths, environment.home));
    std::unique_ptr<LogEngine> engine(
        new LogEngine(std::move(options), std::move(environment), std::move(log)));
    TRY_VOID(engine->begin(log));
    return engine;
}

LogEngine::LogEngine(LogOptions options, Environment environment, AuditedLog&& log)
    : options_(std::move(options)),
      paths_{options_.directory},
      environment_(std::move(environment)),
      recovered_(std::move(log.recovered)),
      findings_(std::move(log.findings)),
      batch_(log.batch + 1),
      full_(std::move(log.full)),
      free_(std::move(log.free)),
      settled_file_(log.settled_state.mark.file),
      settled_(std::move(log.settled)) {
    settler_ = std::make_unique<Settler>(environment_.files, paths_.directory, paths_.copy(),
                                         *settled_, std::move(log.settled_state));
    reader_ = std::make_unique<LogReader>(environment_.files, paths_, *settled_);
    watermark_ = std::make_unique<WatermarkKeeper>(std::move(log.watermark));
    for (auto& [id, found] : log.groups) {
        Group& group = groups_[id];
        group.base = found.image.base;
        group.last = found.image.last;
        group.hard = found.image.hard;
        if (found.image.damage) {
            group.damage = std::make_unique<RecoveredLog::Damage>(*found.image.damage);
        }
        group.chain = found.image.chain;
        group.recent = std::move(found.recent);
        // Which files it stands in is not kept: all that are there may hold it.
        for (std::uint64_t file : full_) touched_[file].push_back(id);
        if (log.file != 0) touched_[log.file].push_back(id);
        group.touched_file = log.file;
        group.truncated_in = found.truncated_in;
    }
}

LogEngine::~LogEngine() = default;

Result<void> LogEngine::begin(AuditedLog& log) {
    TRY_VOID(begin_file(log));
    // Before anything is promised: from now on the log may be longer than the watermark says.
    TRY_VOID(watermark_->write(take_watermark_change(true)));
    if (log.next_is_there) free_.push_back(current_.number + 1);
    prepare_next();
    drop_free_files();
    settle();
    return {};
}

Result<void> LogEngine::begin_file(AuditedLog& log) {
    Files& files = environment_.files;
    if (log.offset == 0) {
        TRY_VOID(files.remove(paths_.wal(log.file)));
        TRY(current_,
            make_wal_file(files, paths_, {.number = log.file, .bytes = options_.file_bytes}));
        offset_ = header_bytes;
        return {};
    }
    current_.number = log.file;
    TRY(current_.file, files.open(paths_.wal(log.file), Files::Mode::read_write));
    TRY(current_.bytes, current_.file->size());
    offset_ = log.offset;
    return {};
}

void LogEngine::run_once(Time now) {
    handle_events();
    if (failed_) {
        queue_.clear();
        return;
    }
    wait_for_settling();
    take_batch();
    flush();
    if (failed_) return;
    reports_.post_all();
    serve_reads();
    settle();
    write_watermark(now);
    look_at_space(now);
}

void LogEngine::take_batch() {
    std::uint64_t before = offset_ + pending_.bytes();
    std::uint64_t file = current_.number;
    while (!queue_.empty() && !failed_) {
        Request request = std::move(queue_.front());
        queue_.pop_front();
        std::visit([this](auto&& what) { on(std::move(what)); }, std::move(request));
        bool full = current_.number != file ||
                    offset_ + pending_.bytes() - before >= options_.max_batch_bytes;
        if (full) break;
    }
}

// Pre: room for the record, and for the seal after it, has been made.
void LogEngine::append(GroupId id, Group& group, RecordHeader header, const Bytes& payload) {
    make_room(record_bytes(payload.size()));
    if (failed_) return;
    header.file = current_.number;
    header.batch = batch_;
    header.group = id;
    header.chain = group.chain;
    if (pending_.empty()) header.flags |= first_of_batch;
    LogBatch::Placed placed = pending_.add(header, payload, offset_);
    group.chain = placed.link;
    touch(id, group);
    if (header.kind != RecordKind::entry) return;
    group.recent.push(header.index, Slot{.term = header.term,
                                         .file = current_.number,
                                         .offset = placed.payload_offset,
                                         .length = static_cast<std::uint32_t>(payload.size()),
                                         .crc = placed.payload_crc,
                                         .kind = static_cast<raft::EntryKind>(header.detail)});
}

void LogEngine::append_twice(GroupId id, Group& group, RecordHeader header, const Bytes& payload) {
    append(id, group, header, payload);
    header.flags |= second_copy;
    append(id, group, header, payload);
}

void LogEngine::touch(GroupId id, Group& group) {
    if (group.touched_file != current_.number) {
        group.touched_file = current_.number;
        touched_[current_.number].push_back(id);
    }
    if (group.in_watermark) {
        group.in_watermark = false;
        changed_.push_back(id);
    }
}

void LogEngine::make_room(std::uint64_t bytes) {
    std::uint64_t end = offset_ + pending_.bytes();
    if (end + bytes + record_bytes(0) > current_.bytes) next_file(bytes);
}

// Seals the current file, durably, before the next one gets its first record: a file that has no
// seal and a used successor is thus known to be damaged.
void LogEngine::next_file(std::uint64_t bytes) {
    pending_.add({.kind = RecordKind::seal,
                  .flags = pending_.empty() ? first_of_batch : std::uint8_t{0},
                  .file = current_.number,
                  .batch = batch_},
                 {}, offset_);
    flush();
    needs_next_ = true;
    while (!failed_ && !next_) {
        prepare_next();
        wait_for_event();
    }
    needs_next_ = false;
    if (failed_) return;
    space_at_.reset();  // a file fills in less than a second
    full_.push_back(current_.number);
    current_ = std::move(*next_);
    next_.reset();
    offset_ = header_bytes;
    watermark_at_ = Time();  // with this batch
    std::uint64_t needed = offset_ + bytes + record_bytes(0);
    if (needed > current_.bytes) {
        auto grown = current_.file->allocate(needed);
        if (!grown.has_value()) return fail_with(grown.error());
        current_.bytes = needed;
    }
    prepare_next();
}

void LogEngine::flush() {
    if (pending_.empty() || failed_) return;
    auto done = pending_.write_to(*current_.file, offset_);
    if (done.has_value()) done = current_.file->sync();
    if (!done.has_value()) return fail_with(done.error());
    offset_ += pending_.bytes();
    pending_.clear();
    ++batch_;
}

void LogEngine::fail_with(const Error& error) {
    if (std::exchange(failed_, true)) return;
    reports_.drop_all();
    reads_.clear();
    queue_.clear();
    log::error("log_failed", "the log in " + paths_.directory +
                                 " cannot be written; nothing more is promised: " + error.what);
    if (environment_.on_failure) environment_.on_failure(error);
}

void LogEngine::wait_for_settling() {
    while (!failed_ && current_.number - settled_file_ > options_.max_files && settling_) {
        if (!std::exchange(said_waiting_, true)) {
            log::warning("log_waits_for_settling",
                         "settling is behind by " + std::to_string(options_.max_files) +
                             " files of the log in " + paths_.directory + ": writes wait for it");
        }
        wait_for_event();
    }
}

void LogEngine::handle_events() {
    for (Event& event : events_.take_all()) handle(std::move(event));
}

void LogEngine::wait_for_event() {
    for (Event& event : events_.wait_all()) handle(std::move(event));
}

void LogEngine::handle(Event event) {
    if (auto* file = std::get_if<Result<WalFile>>(&event)) {
        preparing_ = false;
        if (!file->has_value()) return not_prepared(file->error());
        next_ = std::move(**file);
    } else if (auto* settled = std::get_if<Settled>(&event)) {
        handle_settled(std::move(*settled));
    } else {
        writing_watermark_ = false;
        auto& result = std::get<MarkWritten>(event).result;
        if (!result.has_value()) fail_with(result.error());
    }
}

// The next file is made ahead: while the current one lasts, a full disk stops nothing but proposals.
void LogEngine::not_prepared(const Error& why) {
    if (needs_next_ || why.code != Errc::disk_full) return fail_with(why);
    log::warning("disk_low", "proposals are refused: there is no room for the next file of the log",
                 {{"error", why.what}});
    space_ = Space::low;
}

void LogEngine::handle_settled(Settled settled) {
    settling_ = false;
    said_waiting_ = false;
    if (!settled.mark.has_value()) return fail_with(settled.mark.error());
    settled_file_ = settled.mark->file;
    for (std::uint64_t file : settled.files) {
        for (GroupId id : touched_[file]) {
            auto group = groups_.find(id);
            if (group != groups_.end()) group->second.recent.drop_files(settled_file_);
        }
        touched_.erase(file);
        free_.push_back(file);
    }
    drop_free_files();
}

void LogEngine::drop_free_files() {
    while (free_.size() > options_.max_free_files) {
        std::string path = paths_.wal(free_.front());
        free_.erase(free_.begin());
        environment_.aside.run(Aside::Lane::files, [&files = environment_.files, path] {
            auto removed = files.remove(path);
            if (!removed.has_value()) log::warning("log_file_stays", removed.error().what);
        });
    }
}

void LogEngine::prepare_next() {
    if (next_ || preparing_) return;
    preparing_ = true;
    WalFileOrder order{.number = current_.number + 1, .bytes = options_.file_bytes};
    if (!free_.empty()) {
        order.recycle = free_.back();
        free_.pop_back();
    }
    environment_.aside.run(Aside::Lane::files, [this, order] {
        events_.post(make_wal_file(environment_.files, paths_, order));
        environment_.post(request::Nudge{});
    });
}

void LogEngine::settle() {
    std::size_t waiting = space() == Space::low ? 0 : options_.waiting_files;
    if (settling_ || full_.size() <= waiting || failed_) return;
    settling_ = true;
    auto end = full_.end() - static_cast<std::ptrdiff_t>(waiting);
    Settler::Job job{.files = {full_.begin(), end}};
    full_.erase(full_.begin(), end);
    // What was released is what stands at the end of the log: not what is in these files, where a later one
    // cuts it off.
    for (const auto& [id, group] : groups_) {
        bool stands = group.truncated_in <= job.files.back();
        job.groups.emplace(id, stands ? group.base.index : Index());
    }
    environment_.aside.run(Aside::Lane::settling, [this, job = std::move(job)] {
        events_.post(Settled{.mark = settler_->run(job), .files = job.files});
        environment_.post(request::Nudge{});
    });
}

// Pre: everything that the groups hold is durable.
WatermarkChange LogEngine::take_watermark_change(bool all) {
    WatermarkChange change{.batch = batch_ - 1};
    auto add = [&](GroupId id, Group& group) {
        group.in_watermark = true;
        change.marks.emplace_back(id, Watermark::Mark{.index = group.last,
                                                      .chain = group.chain,
                                                      .term = group.hard.term,
                                                      .vote = group.hard.vote});
    };
    if (all) {
        for (auto& [id, group] : groups_) add(id, group);
    }
    for (GroupId id : std::exchange(changed_, {})) {
        auto group = groups_.find(id);
        if (group != groups_.end()) {
            add(id, group->second);
        } else {
            change.marks.emplace_back(id, std::nullopt);
        }
    }
    return change;
}

void LogEngine::write_watermark(Time now) {
    if (changed_.empty() || writing_watermark_) return;
    if (!watermark_at_) watermark_at_ = now + options_.watermark_interval;
    if (now < *watermark_at_) return;
    watermark_at_.reset();
    writing_watermark_ = true;
    environment_.aside.run(Aside::Lane::files, [this, change = take_watermark_change(false)] {
        events_.post(MarkWritten{watermark_->write(change)});
        environment_.post(request::Nudge{});
    });
}

std::optional<Time> LogEngine::wake_at() const {
    if (failed_) return {};
    std::optional<Time> at = writing_watermark_ ? std::nullopt : watermark_at_;
    if (space() == Space::low && space_at_) at = at ? std::min(*at, *space_at_) : *space_at_;
    return at;
}

void LogEngine::look_at_space(Time now) {
    if (space_at_ && now < *space_at_) return;
    space_at_ = now + 1s;
    auto free = environment_.files.free_bytes();
    auto capacity = environment_.files.capacity_bytes();
    if (!free.has_value() || !capacity.has_value()) return;
    std::uint64_t part = *capacity / 100 * options_.low_percent;
    std::uint64_t low = std::min(options_.low_bytes, std::max(part, 2 * options_.file_bytes));
    Space was = space();
    if (was == Space::plenty && *free < low) {
        log::warning("disk_low", "proposals are refused until there is space",
                     {{"free_bytes", *free}, {"low_mark_bytes", low}});
        space_ = Space::low;
    } else if (was == Space::low && *free >= low + low / 4) {
        log::info("disk_ok", "there is space again", {{"free_bytes", *free}});
        space_ = Space::plenty;
    }
}

void LogEngine::close() {
    handle_events();
    if (failed_) return;
    flush();
    if (failed_) return;
    WatermarkChange change = take_watermark_change(false);
    change.clean = true;
    auto written = watermark_->write(change);
    if (!written.has_value()) log::warning("watermark_stale", written.error().what);
}

}  // namespace quorate::storage
