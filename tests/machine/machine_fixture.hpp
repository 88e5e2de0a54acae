#pragma once

#include "host/base/bytes.hpp"
#include "host/machine/machine.hpp"

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace quorate::machine::test {

inline std::filesystem::path fixture_path(const std::string& name) {
    return std::filesystem::path(MACHINE_FIXTURES) / (name + ".so");
}

inline std::string read_file(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream content;
    content << in.rdbuf();
    if (!in) throw std::runtime_error("cannot read " + path.string());
    return content.str();
}

inline std::string fixture(const std::string& name) {
    return read_file(fixture_path(name));
}

// The file is replaced, also one that is read-only.
inline void write_file(const std::filesystem::path& path, const std::string& content) {
    std::filesystem::remove(path);
    std::ofstream(path, std::ios::binary) << content;
}

// A directory of the test's own, gone at its end.
class TemporaryDirectory {
 public:
    TemporaryDirectory() {
        std::string name = (std::filesystem::temp_directory_path() / "quorate-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
        path_ = name;
    }
    ~TemporaryDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    const std::filesystem::path& path() const { return path_; }

 private:
    std::filesystem::path path_;
};

// Keeps what a machine puts out.
struct RecordingSink : ApplySink {
    std::vector<std::pair<std::size_t, std::string>> replies;
    std::vector<std::pair<std::size_t, std::string>> effects;
    void reply(std::size_t entry, ByteView bytes) override {
        replies.emplace_back(entry, as_text(bytes));
    }
    void effect(std::size_t entry, ByteView record) override {
        effects.emplace_back(entry, as_text(record));
    }
};

// Commands with these payloads, from index `first` on, in term 3. They borrow: the payloads outlive
// them.
inline std::vector<Command> commands(const std::vector<std::string>& payloads,
                                     std::uint64_t first = 1) {
    std::vector<Command> batch;
    for (const std::string& payload : payloads) {
        batch.push_back({.id = {Term(3), Index(first + batch.size())},
                         .time_ms = 1000,
                         .payload = as_bytes(payload)});
    }
    return batch;
}

inline std::string number(std::int64_t value) {
    return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

}  // namespace quorate::machine::test
