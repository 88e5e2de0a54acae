#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace quorate::storage {

// A new empty directory, removed at the end; in memory where the system has such a place. For tests
// of real files that do not ask what survives a power cut.
class FastDirectory {
 public:
    FastDirectory() {
        std::filesystem::path parent = "/dev/shm";
        if (!std::filesystem::is_directory(parent)) parent = std::filesystem::temp_directory_path();
        std::string name = (parent / "quorate-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "cannot make " << name;
        path_ = name;
    }
    FastDirectory(const FastDirectory&) = delete;
    ~FastDirectory() { std::filesystem::remove_all(path_); }
    const std::string& path() const { return path_; }

 private:
    std::string path_;
};

}  // namespace quorate::storage
