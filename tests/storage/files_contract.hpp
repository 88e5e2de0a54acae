#pragma once

#include "storage/files.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>

namespace quorate::storage {

// One file layer under test, and what keeps it alive.
struct FilesUnderTest {
    std::shared_ptr<void> owner;
    Files* files = nullptr;
};

struct FilesKind {
    const char* name;
    std::function<FilesUnderTest()> make;
    friend std::ostream& operator<<(std::ostream& out, const FilesKind& kind) {
        return out << kind.name;
    }
};

// What every file layer owes to those above it.
class FilesContract : public ::testing::TestWithParam<FilesKind> {
 protected:
    FilesUnderTest held = GetParam().make();
    Files& files = *held.files;

    std::unique_ptr<File> create(const std::string& path) {
        return files.open(path, Files::Mode::create_new).value();
    }
    void put(File& file, std::uint64_t offset, std::string_view text) {
        ByteView part = as_bytes(text);
        ASSERT_TRUE(file.write_at(offset, {&part, 1}).has_value());
    }
    std::string get(File& file, std::uint64_t offset, std::size_t count) {
        std::string text(count, '?');
        auto n = file.read_at(offset, std::as_writable_bytes(std::span(text)));
        text.resize(n.value());
        return text;
    }
};

}  // namespace quorate::storage
