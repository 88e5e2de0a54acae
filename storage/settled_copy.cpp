#include "storage/settled_copy.hpp"

#include "storage/crc32c.hpp"
#include "storage/wal_bytes.hpp"

#include <span>

namespace quorate::storage {
namespace {

constexpr std::uint64_t copy_magic = 0x31'50'52'47'74'61'72'51;  // "QratGRP1"

std::string encode_state(SettledMark mark, const Images& images) {
    ByteWriter out;
    out.put(copy_magic);
    out.put(mark.file);
    out.put(mark.batch);
    out.put(static_cast<std::uint32_t>(images.size()));
    for (const auto& [group, image] : images) {
        out.put(group.value());
        out.put_bytes(as_bytes(encode(image)));
    }
    out.put(crc32c(as_bytes(out.text())));
    return out.take();
}

std::optional<SettledState> decode_state(ByteView bytes) {
    constexpr std::size_t crc_bytes = sizeof(std::uint32_t);
    if (bytes.size() < crc_bytes) return {};
    ByteView body = bytes.first(bytes.size() - crc_bytes);
    if (ByteReader(bytes.last(crc_bytes)).get<std::uint32_t>() != crc32c(body)) return {};
    ByteReader in(body);
    if (in.get<std::uint64_t>() != copy_magic) return {};
    SettledState state;
    state.mark.file = in.get<std::uint64_t>();
    state.mark.batch = in.get<std::uint64_t>();
    std::size_t count = in.get_count(sizeof(std::uint64_t));
    for (std::size_t i = 0; i < count; ++i) {
        GroupId group(in.get<std::uint64_t>());
        auto image = decode_image(in.get_bytes());
        if (!image) return {};
        state.images.emplace(group, std::move(*image));
    }
    if (!in.at_end()) return {};
    return state;
}

}  // namespace

std::string directory_of(const std::string& path) {
    std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash);
}

Result<std::string> read_whole(Files& files, const std::string& path) {
    std::string content;
    TRY_VOID(read_whole(files, path, content));
    return content;
}

Result<void> read_whole(Files& files, const std::string& path, std::string& into) {
    TRY(bool there, files.exists(path));
    if (!there) {
        into.clear();
        return {};
    }
    TRY(auto file, files.open(path, Files::Mode::read));
    TRY(std::uint64_t size, file->size());
    into.resize(size);
    TRY(std::size_t got, file->read_at(0, std::as_writable_bytes(std::span(into))));
    into.resize(got);
    return {};
}

Result<void> replace_whole(Files& files, const std::string& path, const std::string& content) {
    std::string beside = path + ".new";
    TRY_VOID(files.remove(beside));
    TRY(auto file, files.open(beside, Files::Mode::create_new));
    ByteView part = as_bytes(content);
    TRY_VOID(file->write_at(0, {&part, 1}));
    TRY_VOID(file->sync());
    TRY_VOID(files.rename(beside, path));
    return files.sync_directory(directory_of(path));
}

Result<void> write_settled_copy(Files& files, const std::string& path, SettledMark mark,
                                const Images& images) {
    return replace_whole(files, path, encode_state(mark, images));
}

Result<SettledCopy> read_settled_copy(Files& files, const std::string& path) {
    TRY(bool there, files.exists(path));
    if (!there) return SettledCopy{};
    TRY(std::string content, read_whole(files, path));
    SettledCopy copy{.state = decode_state(as_bytes(content))};
    if (!copy.state) copy.complaint = "the copy of the groups' records fails its checksum";
    return copy;
}

}  // namespace quorate::storage
