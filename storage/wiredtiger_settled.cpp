#include "storage/wiredtiger_settled.hpp"

#include "host/base/log.hpp"
#include "storage/wal_bytes.hpp"
#include "storage/wiredtiger_connection.hpp"
#include "storage/wiredtiger_obstacle.hpp"
#include "storage/wiredtiger_seal.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <system_error>

namespace quorate::storage {
namespace {

namespace fs = std::filesystem;

constexpr const char* entries_uri = "file:entries.wt";
constexpr const char* groups_uri = "file:groups.wt";
constexpr const char* entries_config =
    "key_format=QQ,value_format=u,leaf_page_max=32KB,leaf_value_max=4KB,memory_page_max=4MB";
constexpr const char* groups_config = "key_format=Q,value_format=u";
constexpr std::uint64_t mark_key = 0;  // no group has this id
constexpr Index no_entry{};
constexpr Index every_entry{~std::uint64_t{0}};

// One thread's cursors on the two tables.
class Tables {
 public:
    static Result<Tables> open(WiredTigerConnection& connection) {
        Tables tables;
        TRY(tables.session, connection.session());
        TRY(tables.entries, tables.cursor(entries_uri));
        TRY(tables.range_end, tables.cursor(entries_uri));
        TRY(tables.groups, tables.cursor(groups_uri));
        return tables;
    }

    Result<WT_CURSOR*> cursor(const char* uri) const {
        WT_CURSOR* opened = nullptr;
        int code = session->open_cursor(session, uri, nullptr, nullptr, &opened);
        if (code != 0) return wiredtiger_error(std::string("open a cursor on ") + uri, code);
        return opened;
    }

    WT_SESSION* session = nullptr;
    WT_CURSOR* entries = nullptr;
    WT_CURSOR* range_end = nullptr;
    WT_CURSOR* groups = nullptr;
};

ByteView view_of(const WT_ITEM& item) {
    return {static_cast<const std::byte*>(item.data), item.size};
}

WT_ITEM item_of(ByteView bytes) {
    WT_ITEM item{};
    item.data = bytes.data();
    item.size = bytes.size();
    return item;
}

// Lets go of the page and of the snapshot that a cursor holds.
class ResetAtEnd {
 public:
    explicit ResetAtEnd(WT_CURSOR* cursor) : cursor_(cursor) {}
    ~ResetAtEnd() { cursor_->reset(cursor_); }
    ResetAtEnd(const ResetAtEnd&) = delete;

 private:
    WT_CURSOR* cursor_;
};

// ---- rows of entries: key (group, first index), value a run --------------------------------------

// Where the row at the cursor begins, if it is one of the group.
Result<std::optional<Index>> row_of(WT_CURSOR* cursor, GroupId group) {
    std::uint64_t found = 0;
    std::uint64_t first = 0;
    TRY_VOID(check(cursor->get_key(cursor, &found, &first), "read an entry's key"));
    if (found != group.value()) return std::optional<Index>();
    return std::optional<Index>(Index(first));
}

Result<std::optional<Index>> row_after_move(int code, WT_CURSOR* cursor, GroupId group) {
    if (code == WT_NOTFOUND) return std::optional<Index>();
    TRY_VOID(check(code, "look for entries"));
    return row_of(cursor, group);
}

// Moves the cursor to the group's last row that begins at `index` or before.
Result<std::optional<Index>> seek_row(WT_CURSOR* cursor, GroupId group, Index index) {
    cursor->set_key(cursor, group.value(), index.value());
    int beside = 0;
    int code = cursor->search_near(cursor, &beside);
    if (code == 0 && beside > 0) code = cursor->prev(cursor);
    return row_after_move(code, cursor, group);
}

Result<std::vector<raft::Entry>> run_at(WT_CURSOR* cursor, GroupId group, Index first) {
    WT_ITEM item{};
    TRY_VOID(check(cursor->get_value(cursor, &item), "read entries"));
    auto run = decode_run(Bytes::copy_of(view_of(item)), first);
    if (run) return std::move(*run);
    return fail(Errc::corrupt, "the settled log's entries of group " +
                                   std::to_string(group.value()) + " from " +
                                   std::to_string(first.value()) + " on do not decode");
}

class WiredTigerSettledLog final : public SettledLog {
 public:
    static Result<std::unique_ptr<SettledLog>> open(
        std::unique_ptr<WiredTigerConnection> connection, WiredTigerSeal seal) {
        TRY(Tables writing, Tables::open(*connection));
        TRY(Tables reading, Tables::open(*connection));
        return std::unique_ptr<SettledLog>(
            new WiredTigerSettledLog(std::move(connection), std::move(seal), writing, reading));
    }

    ~WiredTigerSettledLog() override;

    Result<SettledState> load() override;
    Result<void> put(GroupId group, const Run& run) override;
    Result<void> truncate(GroupId group, Index from) override;
    Result<void> release(GroupId group, Index to) override;
    Result<void> put_image(GroupId group, const GroupImage& image) override;
    Result<void> erase(GroupId group) override;
    Result<void> checkpoint(SettledMark mark) override;
    Result<std::vector<raft::Entry>> read(GroupId group, Index from, Index to,
                                          std::uint64_t max_bytes) override;

 private:
    WiredTigerSettledLog(std::unique_ptr<WiredTigerConnection> connection, WiredTigerSeal seal,
                         Tables writing, Tables reading)
        : connection_(std::move(connection)),
          seal_(std::move(seal)),
          writing_(writing),
          reading_(reading) {}

    Result<void> put_value(std::uint64_t key, const std::string& value);
    Result<void> remove_rows(GroupId group, Index from, Index to);

    std::unique_ptr<WiredTigerConnection> connection_;
    WiredTigerSeal seal_;
    Tables writing_;
    Tables reading_;
};

Result<SettledState> WiredTigerSettledLog::load() {
    SettledState state;
    WT_CURSOR* cursor = writing_.groups;
    TRY_VOID(check(cursor->reset(cursor), "begin reading the groups"));
    int code = 0;
    while ((code = cursor->next(cursor)) == 0) {
        std::uint64_t key = 0;
        WT_ITEM item{};
        TRY_VOID(check(cursor->get_key(cursor, &key), "read a group's id"));
        TRY_VOID(check(cursor->get_value(cursor, &item), "read a group's image"));
        if (key == mark_key) {
            ByteReader in(view_of(item));
            state.mark.file = in.get<std::uint64_t>();
            state.mark.batch = in.get<std::uint64_t>();
            if (!in.at_end()) return fail(Errc::corrupt, "the settled log's mark does not decode");
            continue;
        }
        auto image = decode_image(view_of(item));
        if (!image && item.size > 0 &&
            ByteReader(view_of(item)).get<std::uint8_t>() > image_format) {
            return fail(Errc::format_unknown, "the settled log's record of group " +
                                                  std::to_string(key) + " is of a newer release");
        }
        if (!image) {
            return fail(Errc::corrupt, "the settled log's record of group " + std::to_string(key) +
                                           " does not decode");
        }
        state.images.emplace(GroupId(key), std::move(*image));
    }
    if (code != WT_NOTFOUND) return wiredtiger_error("read the groups", code);
    return state;
}

Result<void> WiredTigerSettledLog::put(GroupId group, const Run& run) {
    WT_CURSOR* cursor = writing_.entries;
    WT_ITEM item = item_of(run.row());
    cursor->set_key(cursor, group.value(), run.first().value());
    cursor->set_value(cursor, &item);
    return check(cursor->insert(cursor), "put entries");
}

// Of the row that `from` lies in the part before it is put again.
Result<void> WiredTigerSettledLog::truncate(GroupId group, Index from) {
    Run kept;
    {
        ResetAtEnd reset(writing_.entries);
        TRY(auto row, seek_row(writing_.entries, group, from));
        if (row && *row < from) {
            TRY(auto entries, run_at(writing_.entries, group, *row));
            for (const raft::Entry& entry : entries) {
                if (entry.id.index < from) kept.add(entry.id, entry.kind, entry.payload.view());
            }
        }
    }
    if (!kept.empty()) TRY_VOID(put(group, kept));
    return remove_rows(group, from, every_entry);
}

// Whole rows: one that `to` lies in goes when what follows is released, too.
Result<void> WiredTigerSettledLog::release(GroupId group, Index to) {
    Index last_row;
    {
        ResetAtEnd reset(writing_.entries);
        TRY(auto row, seek_row(writing_.entries, group, to));
        if (!row) return {};
        TRY(auto run, run_at(writing_.entries, group, *row));
        last_row = run.back().id.index <= to ? *row : row->prev();
    }
    return remove_rows(group, no_entry, last_row);
}

Result<void> WiredTigerSettledLog::remove_rows(GroupId group, Index from, Index to) {
    if (to < from) return {};
    WT_CURSOR* first = writing_.entries;
    WT_CURSOR* last = writing_.range_end;
    first->set_key(first, group.value(), from.value());
    last->set_key(last, group.value(), to.value());
    int code = writing_.session->truncate(writing_.session, nullptr, first, last, nullptr);
    first->reset(first);
    last->reset(last);
    return code == WT_NOTFOUND ? Result<void>() : check(code, "remove entries");
}

Result<void> WiredTigerSettledLog::put_value(std::uint64_t key, const std::string& value) {
    WT_CURSOR* cursor = writing_.groups;
    WT_ITEM item = item_of(as_bytes(value));
    cursor->set_key(cursor, key);
    cursor->set_value(cursor, &item);
    return check(cursor->insert(cursor), "put a group's image");
}

Result<void> WiredTigerSettledLog::put_image(GroupId group, const GroupImage& image) {
    return put_value(group.value(), encode(image));
}

Result<void> WiredTigerSettledLog::erase(GroupId group) {
    TRY_VOID(remove_rows(group, no_entry, every_entry));
    WT_CURSOR* cursor = writing_.groups;
    cursor->set_key(cursor, group.value());
    int code = cursor->remove(cursor);
    return code == WT_NOTFOUND ? Result<void>() : check(code, "remove a group");
}

Result<void> WiredTigerSettledLog::checkpoint(SettledMark mark) {
    ByteWriter out;
    out.put(mark.file);
    out.put(mark.batch);
    TRY_VOID(put_value(mark_key, out.text()));
    TRY_VOID(seal_.take_away());
    TRY_VOID(check(writing_.session->checkpoint(writing_.session, nullptr), "make a checkpoint"));
    return seal_.make();
}

WiredTigerSettledLog::~WiredTigerSettledLog() {
    Result<void> sealed = seal_.take_away();
    connection_.reset();
    if (sealed.has_value()) sealed = seal_.make();
    if (!sealed.has_value()) log::warning("settled_log_unsealed", sealed.error().what);
}

Result<std::vector<raft::Entry>> WiredTigerSettledLog::read(GroupId group, Index from, Index to,
                                                            std::uint64_t max_bytes) {
    WT_CURSOR* cursor = reading_.entries;
    ResetAtEnd reset(cursor);
    std::vector<raft::Entry> entries;
    std::uint64_t bytes = 0;
    Index next = from;
    bool full = false;
    TRY(auto row, seek_row(cursor, group, from));
    while (row && !full && next <= to) {
        TRY(auto run, run_at(cursor, group, *row));
        if (*row > next || run.back().id.index < next) break;
        for (raft::Entry& entry : std::span(run).subspan(next.value() - row->value())) {
            bytes += entry.payload.size();
            full = next > to || (!entries.empty() && bytes > max_bytes);
            if (full) break;
            entries.push_back(std::move(entry));
            next = next.next();
        }
        TRY(row, row_after_move(cursor->next(cursor), cursor, group));
    }
    if (entries.empty()) {
        return fail(Errc::not_found, "entry " + std::to_string(from.value()) + " of group " +
                                         std::to_string(group.value()) +
                                         " is not in the settled log");
    }
    return entries;
}

// Words of WiredTiger's that mean loss even where it goes on (reference/reliability.md §4.3 f).
bool speaks_of_damage(std::string said) {
    std::ranges::transform(said, said.begin(), [](unsigned char c) { return std::tolower(c); });
    return said.find("corrupt") != std::string::npos || said.find("truncat") != std::string::npos ||
           said.find("salvage") != std::string::npos;
}

class WiredTigerHome final : public SettledHome {
 public:
    explicit WiredTigerHome(WiredTigerOptions options)
        : options_(std::move(options)), path_(options_.directory) {}

    Result<bool> exists() override {
        std::error_code code;
        bool there = fs::exists(path_, code);
        TRY_VOID(check_path(code, "look for " + path_.string()));
        return there;
    }
    Result<std::unique_ptr<SettledLog>> create() override;
    Result<std::unique_ptr<SettledLog>> open() override;
    Result<std::string> set_aside() override;
    std::string complaint() const override { return complaint_; }

 private:
    std::string config(const char* creating) const {
        return std::string(creating) + "cache_size=" + std::to_string(options_.cache_bytes) +
               ",session_max=8,eviction=(threads_min=1,threads_max=1),config_base=false";
    }
    Result<std::unique_ptr<SettledLog>> try_open();

    const WiredTigerOptions options_;
    const fs::path path_;
    std::string complaint_;
};

// In a directory beside, renamed when whole: a power cut while objects are first made must not
// leave half of them (reference/reliability.md §0.2).
Result<std::unique_ptr<SettledLog>> WiredTigerHome::create() {
    TRY_VOID(WiredTigerSeal(path_).take_away());  // of one that is gone
    fs::path beside = path_.string() + ".new";
    std::error_code code;
    fs::remove_all(beside, code);
    TRY_VOID(check_path(code, "remove " + beside.string()));
    fs::create_directories(beside, code);
    TRY_VOID(check_path(code, "make " + beside.string()));
    {
        // All is synced below, once, before it counts.
        TRY(auto connection,
            WiredTigerConnection::open(beside.string(), config("create,checkpoint_sync=false,")));
        TRY(WT_SESSION * session, connection->session());
        TRY_VOID(check(session->create(session, entries_uri, entries_config), "make entries.wt"));
        TRY_VOID(check(session->create(session, groups_uri, groups_config), "make groups.wt"));
        TRY_VOID(check(session->checkpoint(session, nullptr), "make a checkpoint"));
    }
    for (const auto& entry : fs::directory_iterator(beside, code))
        TRY_VOID(sync_path(entry.path()));
    TRY_VOID(check_path(code, "list " + beside.string()));
    TRY_VOID(sync_path(beside));
    fs::rename(beside, path_, code);
    TRY_VOID(check_path(code, "rename " + beside.string()));
    TRY_VOID(sync_path(path_.parent_path()));
    return open();
}

// What fails although nothing stands in its way is damaged. Looked at before, so that nothing is
// begun that cannot end, and after, since space and descriptors are shared with others.
Result<std::unique_ptr<SettledLog>> WiredTigerHome::open() {
    TRY_VOID(check_no_obstacle(path_, options_.min_free_bytes));
    auto opened = try_open();
    if (opened.has_value() || opened.error().code == Errc::disk_full) return opened;
    TRY_VOID(check_no_obstacle(path_, options_.min_free_bytes));
    Error damage = opened.error();
    damage.code = Errc::corrupt;
    return damage;
}

Result<std::unique_ptr<SettledLog>> WiredTigerHome::try_open() {
    WiredTigerSeal seal(path_);
    TRY(complaint_, seal.restore());
    TRY_VOID(seal.take_away());
    TRY(auto connection, WiredTigerConnection::open(path_.string(), config("")));
    TRY(WT_SESSION * session, connection->session());
    for (const char* uri : {entries_uri, groups_uri}) {
        int code = session->verify(session, uri, nullptr);
        if (code != 0) return wiredtiger_error(std::string("verify ") + uri, code);
    }
    if (std::string said = connection->said(); speaks_of_damage(said)) {
        return fail(Errc::corrupt, "WiredTiger, opening " + path_.string() + ", said: " + said);
    }
    TRY_VOID(check(session->close(session, nullptr), "close a session"));
    TRY_VOID(seal.make());
    return WiredTigerSettledLog::open(std::move(connection), std::move(seal));
}

Result<std::string> WiredTigerHome::set_aside() {
    TRY_VOID(WiredTigerSeal(path_).take_away());
    TRY(fs::path to, move_to_damaged(path_, path_.parent_path()));
    return to.string();
}

}  // namespace

std::unique_ptr<SettledHome> make_wiredtiger_home(WiredTigerOptions options) {
    return std::make_unique<WiredTigerHome>(std::move(options));
}

}  // namespace quorate::storage
