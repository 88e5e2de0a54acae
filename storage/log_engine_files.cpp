#include "storage/log_engine_files.hpp"

#include "storage/wal_record.hpp"

#include <array>

namespace quorate::storage {

Result<WalFile> make_wal_file(Files& files, const LogPaths& paths, const WalFileOrder& order) {
    std::string spare = paths.spare();
    std::unique_ptr<File> file;
    if (order.recycle) {
        TRY_VOID(files.rename(paths.wal(*order.recycle), spare));
        TRY(file, files.open(spare, Files::Mode::read_write));
    } else {
        TRY_VOID(files.remove(spare));
        TRY(file, files.open(spare, Files::Mode::create_new));
    }
    TRY(std::uint64_t bytes, file->size());
    if (bytes > order.bytes) TRY_VOID(file->truncate(order.bytes));
    TRY_VOID(file->allocate(order.bytes));
    std::array<std::byte, header_bytes> opening{};
    put_header({.kind = RecordKind::open, .file = order.number, .index = Index(log_format)}, 0,
               opening);
    ByteView part(opening);
    TRY_VOID(file->write_at(0, {&part, 1}));
    TRY_VOID(file->sync());
    TRY_VOID(files.rename(spare, paths.wal(order.number)));
    TRY_VOID(files.sync_directory(paths.directory));
    TRY(file,
        files.open(paths.wal(order.number), Files::Mode::read_write));  // by its name, for errors
    return WalFile{.number = order.number, .file = std::move(file), .bytes = order.bytes};
}

Result<void> WatermarkKeeper::write(const WatermarkChange& change) {
    watermark_.batch = change.batch;
    watermark_.clean = change.clean;
    for (const auto& [group, mark] : change.marks) {
        if (mark) {
            watermark_.marks[group] = *mark;
        } else {
            watermark_.marks.erase(group);
        }
    }
    return file_->write(watermark_);
}

}  // namespace quorate::storage
