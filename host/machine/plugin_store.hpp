#pragma once

#include "host/base/bytes.hpp"
#include "host/base/result.hpp"
#include "host/machine/plugin_record.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace quorate::machine {

// The plugins of one host on its disk: <directory>/<SHA-256>.so, read-only and never overwritten,
// because writing over a library that is loaded ends the process, and one name must always mean the
// same bytes. Beside each its record, <SHA-256>.json.
//
// A library without a record is still installed (the record is made anew); a record without its
// library is swept away. So a crash at any moment leaves a plugin that is installed or one that is
// not.
//
// Thread: one at a time; calls block on the disk. Nobody else writes into the directory.
class PluginStore {
 public:
    struct Options {
        std::uint64_t max_plugin_bytes = 256ull << 20;  // of one library; larger: plugin_unreadable
        std::size_t max_plugins = 1024;                 // installed at once; more: overloaded
    };

    // Makes the directory if need be (mode 0700) and sweeps what a crash has left. Damaged records
    // are set aside, said in the log and made anew. Errc::io: the directory cannot be read or
    // written.
    static Result<std::unique_ptr<PluginStore>> open(std::filesystem::path directory,
                                                     Options options);
    static Result<std::unique_ptr<PluginStore>> open(std::filesystem::path directory) {
        return open(std::move(directory), Options());
    }

    // Checks the file as inspect() does and keeps it. Durable on return. Installing what is there
    // already changes nothing and returns its record. Errors: those of inspect(), overloaded, io,
    // disk_full; nothing is kept then.
    Result<PluginRecord> install(ByteView file);
    // The same from a file; Errc::plugin_unreadable.
    Result<PluginRecord> install_file(const std::filesystem::path& path);

    // Ascending by installation.
    std::vector<PluginRecord> list() const;
    // By what a person types, see find_plugin().
    Result<PluginRecord> find(std::string_view what) const;

    struct Image {
        PluginRecord record;
        std::filesystem::path path;
        Bytes file;  // all of it, for sending to a host that lacks it
    };
    // A build's bytes, their hash checked. Errc::plugin_not_found; corrupt: the file on the disk is
    // not what was installed; it has been set aside as <SHA-256>.so.damaged and is no longer
    // listed, so that it can be installed again. plugin_unreadable: the disk did not give it.
    Result<Image> open_image(std::string_view build);

    // Forgets a build and deletes its file; fine if there is none. A process that has loaded it is
    // not disturbed. Errc::io.
    Result<void> remove(std::string_view build);

 private:
    PluginStore(std::filesystem::path directory, Options options)
        : directory_(std::move(directory)), options_(options) {}

    Result<void> recover();
    Result<void> recover_build(const std::string& build);
    Result<void> remake_record(const std::string& build);
    Result<void> keep(PluginRecord record);
    void set_aside(const std::string& file_name);
    std::uint64_t last_installation() const;

    std::filesystem::path directory_;
    Options options_;
    std::map<std::string, PluginRecord, std::less<>> records_;  // by build
};

}  // namespace quorate::machine
