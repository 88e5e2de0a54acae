#include "host/machine/elf_note.hpp"

#include "host/machine/inspect.hpp"
#include "host/machine/manifest.hpp"
#include "machine_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <elf.h>
#include <quorate/manifest.h>
#include <random>

namespace quorate::machine {
namespace {

using test::fixture;

constexpr NoteKind manifest_note{QR_MANIFEST_OWNER, QR_MANIFEST_TYPE};

Result<ElfSummary> read(const std::string& file) {
    return read_elf(as_bytes(file), manifest_note);
}

Errc code_of(const std::string& file) {
    auto found = inspect(as_bytes(file));
    return found.has_value() ? Errc{} : found.error().code;
}

TEST(ElfNote, of_a_plugin_in_c_gives_manifest_and_exports) {
    auto elf = read(fixture("probe"));
    ASSERT_TRUE(elf.has_value()) << to_string(elf.error());
    EXPECT_EQ(parse_manifest(elf->manifest).value().id, "test.probe");
    EXPECT_EQ(elf->exports, std::vector<std::string>{"qr_plugin_entry_v1"});
    EXPECT_TRUE(elf->unique.empty());
}

TEST(ElfNote, tells_the_libraries_that_are_needed) {
    auto elf = read(fixture("needs_library"));
    ASSERT_TRUE(elf.has_value()) << to_string(elf.error());
    EXPECT_THAT(elf->needed, testing::ElementsAre("libmachine_dependency.so", "libc.so.6"));
    auto found = inspect(as_bytes(fixture("needs_library")));
    EXPECT_THAT(found.value().foreign_libraries, testing::ElementsAre("libmachine_dependency.so"));
}

TEST(ElfNote, of_a_plugin_in_cpp_gives_its_manifest) {
    auto elf = read(fixture("tally_v2"));
    ASSERT_TRUE(elf.has_value()) << to_string(elf.error());
    Manifest manifest = parse_manifest(elf->manifest).value();
    EXPECT_EQ(title(manifest), "test.tally 2.0.0");
    ASSERT_EQ(manifest.machines.size(), 1U);
    EXPECT_EQ(manifest.machines.front().name, "tally");
}

TEST(ElfNote, tells_leaked_and_process_wide_symbols) {
    auto leak = read(fixture("leak"));
    ASSERT_TRUE(leak.has_value());
    EXPECT_EQ(leak->exports,
              (std::vector<std::string>{"qr_plugin_entry_v1", "quorate_test_leaked"}));
    auto unique = read(fixture("unique"));
    ASSERT_TRUE(unique.has_value());
    EXPECT_EQ(unique->unique, std::vector<std::string>{"_ZN6SharedIiE4usesE"});
}

TEST(ElfNote, refuses_what_is_no_shared_library) {
    EXPECT_EQ(code_of(""), Errc::plugin_not_a_plugin);
    EXPECT_EQ(code_of("#!/bin/sh\necho not a plugin\n"), Errc::plugin_not_a_plugin);
    EXPECT_EQ(code_of(std::string(100000, '\0')), Errc::plugin_not_a_plugin);
    EXPECT_EQ(code_of(std::string(ELFMAG) + "but no more"), Errc::plugin_truncated);
}

TEST(ElfNote, refuses_a_library_without_a_note) {
    EXPECT_EQ(code_of(fixture("no_note")), Errc::plugin_not_a_plugin);
}

template <class Field>
std::string patched(std::string file, std::size_t offset, Field value) {
    std::memcpy(file.data() + offset, &value, sizeof(value));
    return file;
}

TEST(ElfNote, refuses_a_library_for_another_processor_or_word_size) {
    std::string file = fixture("probe");
    EXPECT_EQ(code_of(patched<Elf64_Half>(file, offsetof(Elf64_Ehdr, e_machine), EM_S390)),
              Errc::plugin_abi);
    EXPECT_EQ(code_of(patched<unsigned char>(file, EI_CLASS, ELFCLASS32)), Errc::plugin_abi);
    EXPECT_EQ(code_of(patched<unsigned char>(file, EI_DATA, ELFDATA2MSB)), Errc::plugin_abi);
}

TEST(ElfNote, refuses_an_executable) {
    std::string file = patched<Elf64_Half>(fixture("probe"), offsetof(Elf64_Ehdr, e_type), ET_EXEC);
    EXPECT_EQ(code_of(file), Errc::plugin_not_a_plugin);
}

TEST(ElfNote, refuses_counts_and_offsets_that_leave_the_file) {
    std::string file = fixture("probe");
    EXPECT_EQ(code_of(patched<Elf64_Off>(file, offsetof(Elf64_Ehdr, e_phoff), ~0ULL)),
              Errc::plugin_truncated);
    EXPECT_EQ(code_of(patched<Elf64_Off>(file, offsetof(Elf64_Ehdr, e_shoff), ~0ULL - 8)),
              Errc::plugin_truncated);
    EXPECT_EQ(code_of(patched<Elf64_Half>(file, offsetof(Elf64_Ehdr, e_phnum), 0xffff)),
              Errc::plugin_not_a_plugin);
    EXPECT_EQ(code_of(patched<Elf64_Half>(file, offsetof(Elf64_Ehdr, e_phentsize), 8)),
              Errc::plugin_not_a_plugin);
}

// A copy that broke off: whatever its length, an error and never a crash.
TEST(ElfNote, refuses_a_file_that_was_cut_anywhere) {
    for (const char* name : {"probe", "tally_v1"}) {
        std::string file = fixture(name);
        for (std::size_t size = 0; size < file.size(); size += 64) {
            // A copy of its own size, so that a sanitizer sees any read beyond.
            ByteView part = as_bytes(file).first(size);
            std::vector<std::byte> cut(part.begin(), part.end());
            auto found = inspect(cut);
            ASSERT_FALSE(found.has_value()) << name << " cut at " << size;
            Errc expected = size < SELFMAG ? Errc::plugin_not_a_plugin : Errc::plugin_truncated;
            ASSERT_EQ(found.error().code, expected) << name << " cut at " << size;
        }
        std::string shorter = file.substr(0, file.size() - 1);
        EXPECT_EQ(code_of(shorter), Errc::plugin_truncated);
    }
}

// A copy that broke off in a file whose space was reserved: the size is right, the rest is zeros.
TEST(ElfNote, refuses_a_file_whose_end_is_zeros) {
    std::string file = fixture("tally_v1");
    for (std::size_t size = 64; size + 64 < file.size(); size += 512) {
        std::string hollow = file.substr(0, size) + std::string(file.size() - size, '\0');
        auto found = inspect(as_bytes(hollow));
        ASSERT_FALSE(found.has_value()) << "zeros from " << size;
    }
}

// Damage of a few bits or bytes, most of it in what the reader looks at. Nothing to compare with: it
// must come back, and a sanitizer must have nothing to say.
TEST(ElfNote, survives_thousands_of_damaged_files) {
    constexpr std::uint64_t seed = 20231;
    std::mt19937_64 random(seed);
    std::string good = fixture("probe");
    int accepted = 0;
    int refused = 0;
    for (int round = 0; round < 6000; ++round) {
        std::vector<std::byte> file(good.size());
        std::memcpy(file.data(), good.data(), good.size());
        // Two rounds of three in the headers and the first page, where tables are.
        std::size_t range = round % 3 == 0 ? file.size() : std::min<std::size_t>(file.size(), 4096);
        for (std::uint64_t left = 1 + random() % 4; left > 0; --left) {
            std::byte& at = file[random() % range];
            at = round % 2 == 0 ? at ^ std::byte(1U << (random() % 8)) : std::byte(random() & 0xff);
        }
        (inspect(file).has_value() ? accepted : refused) += 1;
    }
    EXPECT_GT(accepted, 0) << "seed " << seed;
    EXPECT_GT(refused, 100) << "seed " << seed;
}

// The same with whole words of tables set to values that overflow.
TEST(ElfNote, survives_extreme_values_in_every_word_of_its_headers) {
    std::string good = fixture("tally_v1");
    std::size_t range = std::min<std::size_t>(good.size(), 4096);
    for (std::size_t at = 16; at + 8 <= range; at += 4) {
        for (std::uint64_t value : {~0ULL, ~0ULL >> 1, 1ULL << 63, 0xffffffffULL, 0ULL,
                                    static_cast<unsigned long long>(good.size())}) {
            std::string file = patched<std::uint64_t>(good, at, value);
            static_cast<void>(inspect(as_bytes(file)));
        }
    }
}

}  // namespace
}  // namespace quorate::machine
