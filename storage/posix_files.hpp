#pragma once

#include "storage/files.hpp"

#include <memory>
#include <string>

namespace quorate::storage {

// Files over the operating system, below one root directory. Files are made with mode 0600 and
// directories with 0700: what lies in them is the users' data.
//
// Errors, on top of the contract's: Errc::not_found if a file or directory to open, list or rename
// is not there; Errc::disk_full for a used-up quota too.
class PosixFiles final : public Files {
 public:
    // Makes the root and its missing parents, durably.
    static Result<std::unique_ptr<PosixFiles>> open(std::string root);

    const std::string& root() const { return root_; }

    Result<std::unique_ptr<File>> open(const std::string& path, Mode mode) override;
    Result<bool> exists(const std::string& path) override;
    Result<void> make_directory(const std::string& path) override;
    Result<std::vector<std::string>> list(const std::string& path) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> remove(const std::string& path) override;
    Result<void> sync_directory(const std::string& path) override;
    Result<std::uint64_t> free_bytes() override;
    Result<std::uint64_t> capacity_bytes() override;

 private:
    explicit PosixFiles(std::string root) : root_(std::move(root)) {}
    std::string full(const std::string& path) const;

    const std::string root_;
};

}  // namespace quorate::storage
