#include "storage/identity.hpp"

#include "host/base/check.hpp"
#include "host/base/log.hpp"
#include "storage/crc32c.hpp"

#include <array>
#include <charconv>
#include <cstdio>
#include <random>
#include <vector>

namespace quorate::storage {
namespace {

constexpr const char* lock_name = "lock";
constexpr const char* mark_name = "being-made";  // from the first step of making to the last
constexpr std::array<const char*, 2> copy_names = {"identity", "identity.bak"};
constexpr std::string_view title = "quorate data directory, format ";

struct Copy {
    bool is_there = false;
    std::optional<Identity> identity;
    std::string problem;  // when there and unreadable
};

std::string hex(std::uint64_t value, int digits) {
    char buffer[17];
    std::snprintf(&buffer[0], sizeof(buffer), "%0*llx", digits,
                  static_cast<unsigned long long>(value));
    return &buffer[0];
}

template <class Number>
bool parse(std::string_view text, Number& value, int base) {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    return error == std::errc() && end == text.data() + text.size();
}

// Takes "<key><value>\n" off the front.
std::optional<std::string_view> take_line(std::string_view& text, std::string_view key) {
    std::size_t end = text.find('\n');
    if (!text.starts_with(key) || end == std::string_view::npos) return std::nullopt;
    std::string_view value = text.substr(key.size(), end - key.size());
    text.remove_prefix(end + 1);
    return value;
}

Result<std::string> read_file(Files& files, const std::string& path) {
    TRY(auto file, files.open(path, Files::Mode::read));
    TRY(std::uint64_t size, file->size());
    std::string text(std::min<std::uint64_t>(size, 64 * 1024), '\0');
    TRY(std::size_t count, file->read_at(0, std::as_writable_bytes(std::span(text))));
    text.resize(count);
    return text;
}

// Whole or not at all, durably.
Result<void> write_file(Files& files, const std::string& path, const std::string& text) {
    std::string aside = "tmp-" + path;
    TRY_VOID(files.remove(aside));
    TRY(auto file, files.open(aside, Files::Mode::create_new));
    ByteView part = as_bytes(text);
    TRY_VOID(file->write_at(0, {&part, 1}));
    TRY_VOID(file->sync());
    TRY_VOID(files.rename(aside, path));
    return files.sync_directory("");
}

Result<Copy> read_copy(Files& files, const std::string& name) {
    TRY(bool is_there, files.exists(name));
    if (!is_there) return Copy();
    TRY(std::string text, read_file(files, name));
    auto identity = decode_identity(text);
    if (identity.has_value()) return Copy{.is_there = true, .identity = *identity};
    if (identity.error().code == Errc::format_unknown) return within(name, identity.error());
    return Copy{.is_there = true, .problem = identity.error().what};
}

std::string described(const Identity& identity) {
    return "host '" + identity.host + "' of cluster '" + identity.cluster + "'";
}

Result<void> check_is_ours(const Identity& found, const std::string& cluster,
                           const std::string& host) {
    if (found.cluster == cluster && found.host == host) return {};
    return fail(Errc::identity_mismatch, "the data directory belongs to " + described(found) +
                                             " (incarnation " + hex(found.incarnation, 16) +
                                             "), this is " +
                                             described({.cluster = cluster, .host = host}));
}

// The one of both to go by. Nothing if no copy is there.
Result<std::optional<Identity>> settled(const std::array<Copy, 2>& copies) {
    const auto& [first, second] = copies;
    if (first.identity && second.identity && *first.identity != *second.identity) {
        return fail(Errc::identity_mismatch,
                    "the two copies of the data directory's identity differ: identity says " +
                        described(*first.identity) + ", incarnation " +
                        hex(first.identity->incarnation, 16) + "; identity.bak says " +
                        described(*second.identity) + ", incarnation " +
                        hex(second.identity->incarnation, 16),
                    "delete the one that is wrong");
    }
    if (first.identity) return first.identity;
    if (second.identity) return second.identity;
    if (!first.is_there && !second.is_there) return std::optional<Identity>();
    return fail(Errc::corrupt,
                "the data directory's identity cannot be read from any copy: identity: " +
                    (first.is_there ? first.problem : "missing") +
                    "; identity.bak: " + (second.is_there ? second.problem : "missing"),
                "give the host an empty directory and let it rejoin, as docs/operations.md says");
}

Result<void> repair(Files& files, const std::array<Copy, 2>& copies, const Identity& identity) {
    for (std::size_t i = 0; i < copies.size(); ++i) {
        if (copies[i].identity) continue;
        TRY_VOID(write_file(files, copy_names[i], encode(identity)));
        log::warning("identity_repaired",
                     "one copy of the data directory's identity was damaged and is written again",
                     {{"file", std::string(copy_names[i])},
                      {"why", copies[i].is_there ? copies[i].problem : std::string("missing")}});
    }
    return {};
}

// Nothing of a directory that was never finished was promised to anybody.
Result<void> start_making(Files& files) {
    TRY(auto names, files.list(""));
    bool was_begun = false;
    for (const std::string& name : names) was_begun = was_begun || name == mark_name;
    for (const std::string& name : names) {
        if (name == lock_name || name == mark_name) continue;
        bool is_leftover = name == "tmp-" + std::string(mark_name);
        if (!was_begun && !is_leftover) {
            return fail(Errc::directory_not_ours,
                        "the data directory holds '" + name + "' but no identity file");
        }
        TRY_VOID(files.remove(name));
    }
    if (was_begun) return files.sync_directory("");
    return write_file(files, mark_name, "");
}

}  // namespace

std::uint64_t random_incarnation() {
    std::random_device device;
    std::uint64_t value = 0;
    while (value == 0) value = std::uint64_t{device()} << 32 | device();
    return value;
}

std::string encode(const Identity& identity) {
    CHECK(identity.cluster.find('\n') == std::string::npos &&
          identity.host.find('\n') == std::string::npos);
    std::string text(title);
    text += std::to_string(identity.format) + "\n";
    text += "cluster = " + identity.cluster + "\n";
    text += "host = " + identity.host + "\n";
    text += "incarnation = " + hex(identity.incarnation, 16) + "\n";
    text += "crc32c = " + hex(crc32c(as_bytes(text)), 8) + "\n";
    return text;
}

Result<Identity> decode_identity(std::string_view text) {
    constexpr std::size_t crc_line = sizeof("crc32c = 01234567\n") - 1;
    if (text.size() < crc_line) return fail(Errc::corrupt, "it is too short");
    std::string_view covered = text.substr(0, text.size() - crc_line);
    std::string_view last = text.substr(covered.size());
    auto crc_text = take_line(last, "crc32c = ");
    std::uint32_t crc = 0;
    if (!crc_text || !parse(*crc_text, crc, 16) || *crc_text != hex(crc, 8)) {
        return fail(Errc::corrupt, "its checksum line is damaged");
    }
    if (crc32c(as_bytes(covered)) != crc) return fail(Errc::corrupt, "it fails its checksum");
    Identity identity;
    auto format = take_line(covered, title);
    if (!format || !parse(*format, identity.format, 10)) {
        return fail(Errc::corrupt, "it does not begin as an identity file does");
    }
    if (identity.format != Identity::format_now) {
        return fail(Errc::format_unknown, "the data directory has format " + std::string(*format) +
                                              ", this release knows format " +
                                              std::to_string(Identity::format_now));
    }
    auto cluster = take_line(covered, "cluster = ");
    auto host = take_line(covered, "host = ");
    auto incarnation = take_line(covered, "incarnation = ");
    bool is_whole = cluster && host && incarnation && covered.empty() &&
                    parse(*incarnation, identity.incarnation, 16);
    if (!is_whole) return fail(Errc::corrupt, "a line of it makes no sense");
    identity.cluster = *cluster;
    identity.host = *host;
    return identity;
}

Result<ClaimedDirectory> claim_directory(Files& files, const std::string& cluster,
                                         const std::string& host, std::uint64_t new_incarnation) {
    std::array<Copy, 2> copies;
    for (std::size_t i = 0; i < copies.size(); ++i) {
        TRY(copies[i], read_copy(files, copy_names[i]));
    }
    TRY(auto found, settled(copies));
    if (!found) {
        TRY_VOID(start_making(files));
        Identity minted{.cluster = cluster, .host = host, .incarnation = new_incarnation};
        return ClaimedDirectory{.identity = std::move(minted), .is_new = true};
    }
    TRY_VOID(check_is_ours(*found, cluster, host));
    TRY_VOID(repair(files, copies, *found));
    TRY_VOID(files.remove(mark_name));
    return ClaimedDirectory{.identity = std::move(*found)};
}

Result<void> finish_directory(Files& files, const Identity& identity) {
    // The main copy last: whoever looks for it alone finds it only when all is made.
    TRY_VOID(write_file(files, copy_names[1], encode(identity)));
    TRY_VOID(write_file(files, copy_names[0], encode(identity)));
    TRY_VOID(files.remove(mark_name));
    return files.sync_directory("");
}

}  // namespace quorate::storage
