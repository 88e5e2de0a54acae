#include "storage/wiredtiger_seal.hpp"

#include "storage/crc32c.hpp"
#include "storage/wal_bytes.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <system_error>
#include <unistd.h>

namespace quorate::storage {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 2> names = {"WiredTiger", "WiredTiger.turtle"};

}  // namespace

Result<void> check_path(const std::error_code& code, const std::string& what) {
    if (!code) return {};
    Errc errc = code == std::errc::no_space_on_device ? Errc::disk_full : Errc::io;
    return fail(errc, "cannot " + what + ": " + code.message());
}

Result<void> sync_path(const fs::path& path) {
    int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    int failed = descriptor < 0 ? errno : 0;
    if (failed == 0 && ::fsync(descriptor) != 0) failed = errno;
    if (descriptor >= 0) ::close(descriptor);
    return check_path(std::error_code(failed, std::system_category()), "sync " + path.string());
}

Result<std::string> read_path(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::string content((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    if (!in) return fail(Errc::io, "cannot read " + path.string());
    return content;
}

Result<void> replace_path(const fs::path& path, const std::string& content) {
    fs::path beside = path.string() + ".new";
    {
        std::ofstream out(beside, std::ios::binary | std::ios::trunc);
        out.write(content.data(), static_cast<std::streamsize>(content.size()));
        out.close();
        if (!out) return fail(Errc::io, "cannot write " + beside.string());
    }
    TRY_VOID(sync_path(beside));
    std::error_code code;
    fs::rename(beside, path, code);
    TRY_VOID(check_path(code, "rename " + beside.string()));
    return sync_path(path.parent_path());
}

Result<fs::path> move_to_damaged(const fs::path& path, const fs::path& log_directory) {
    fs::path directory = log_directory / "damaged";
    std::error_code code;
    fs::create_directories(directory, code);
    TRY_VOID(check_path(code, "make " + directory.string()));
    fs::path to;
    for (int i = 1;; ++i) {
        to = directory / (path.filename().string() + "." + std::to_string(i));
        if (!fs::exists(to, code)) break;
    }
    TRY_VOID(check_path(code, "look for " + to.string()));
    fs::rename(path, to, code);
    TRY_VOID(check_path(code, "rename " + path.string()));
    TRY_VOID(sync_path(directory));
    TRY_VOID(sync_path(path.parent_path()));
    return to;
}

WiredTigerSeal::WiredTigerSeal(fs::path directory)
    : directory_(std::move(directory)), seal_(directory_.string() + ".seal") {}

Result<void> WiredTigerSeal::take_away() {
    std::error_code code;
    if (!fs::remove(seal_, code)) return check_path(code, "remove " + seal_.string());
    return sync_path(seal_.parent_path());
}

Result<void> WiredTigerSeal::make() {
    ByteWriter out;
    for (const char* name : names) {
        TRY(std::string content, read_path(directory_ / name));
        out.put_bytes(as_bytes(content));
    }
    out.put(crc32c(as_bytes(out.text())));
    return replace_path(seal_, out.text());
}

Result<std::string> WiredTigerSeal::restore() {
    std::error_code code;
    if (!fs::exists(seal_, code)) return std::string();
    TRY(std::string raw, read_path(seal_));
    ByteView bytes = as_bytes(raw);
    if (bytes.size() < sizeof(std::uint32_t)) return seal_.string() + " is too short";
    ByteView body = bytes.first(bytes.size() - sizeof(std::uint32_t));
    if (ByteReader(bytes.subspan(body.size())).get<std::uint32_t>() != crc32c(body)) {
        return seal_.string() + " fails its checksum";
    }
    ByteReader in(body);
    std::string complaint;
    for (const char* name : names) {
        TRY(std::string wrong, restore_file(name, std::string(as_text(in.get_bytes()))));
        if (!wrong.empty()) complaint = std::move(wrong);
    }
    return complaint;
}

Result<std::string> WiredTigerSeal::restore_file(const char* name, const std::string& content) {
    fs::path path = directory_ / name;
    std::error_code code;
    bool there = fs::exists(path, code);
    TRY_VOID(check_path(code, "look for " + path.string()));
    if (there) {
        TRY(std::string found, read_path(path));
        if (found == content) return std::string();
        TRY(fs::path moved, move_to_damaged(path, directory_.parent_path()));
        TRY_VOID(replace_path(path, content));
        return path.string() + " was damaged and is put back from its copy; it is kept as " +
               moved.string();
    }
    TRY_VOID(replace_path(path, content));
    return path.string() + " was missing and is put back from its copy";
}

}  // namespace quorate::storage
