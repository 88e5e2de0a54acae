#include "tests/support/sim_files.hpp"

#include "host/base/check.hpp"
#include "tests/support/sim_tree.hpp"

#include <algorithm>
#include <limits>
#include <mutex>
#include <utility>

namespace quorate::sim {

struct SimFiles::Disk {
    mutable std::mutex mutex;
    SimTree tree;
    std::mt19937_64 random;
    std::uint64_t capacity = 0;
    std::uint64_t generation = 1;  // one per restart
    bool running = true;
    std::uint64_t operations_until_failure = std::numeric_limits<std::uint64_t>::max();
    Failing failing = Failing::once;
    bool failed_before = false;  // by the same fail_operation()
    bool half_done = false;      // the operation that fails now may have done a part
    FileStatistics statistics;

    // Every operation begins here, under the mutex.
    Result<void> begin(std::string_view what, std::string_view path) {
        ++statistics.operations;
        half_done = false;
        if (!running) return io(what, path, "the process that asks was stopped");
        if (operations_until_failure == std::numeric_limits<std::uint64_t>::max()) return {};
        if (operations_until_failure > 1) {
            --operations_until_failure;
            return {};
        }
        if (failing == Failing::once) heal();
        ++statistics.failures;
        half_done = !std::exchange(failed_before, true);
        return io(what, path, "Input/output error");
    }
    void heal() { operations_until_failure = std::numeric_limits<std::uint64_t>::max(); }

    std::uint64_t used() const {
        std::uint64_t sum = 0;
        tree.each_file([&](const std::string&, SimNode& file) { sum += file.content.size(); });
        return sum;
    }

    Result<void> reserve(const std::string& path, const SimContent& content, std::uint64_t size) {
        if (size <= content.size()) return {};
        std::uint64_t taken = used();
        if (taken <= capacity && size - content.size() <= capacity - taken) return {};
        return fail(Errc::disk_full,
                    "cannot write " + path + ": No space left on device (simulated disk)");
    }

    static Error io(std::string_view what, std::string_view path, std::string_view why) {
        return fail(Errc::io, "cannot " + std::string(what) + " " + std::string(path) + ": " +
                                  std::string(why) + " (simulated disk)");
    }
};

namespace {

class SimFile final : public storage::File {
 public:
    SimFile(std::shared_ptr<SimFiles::Disk> disk, SimNodePtr node, std::string path, bool writable)
        : disk_(std::move(disk)),
          node_(std::move(node)),
          path_(std::move(path)),
          writable_(writable),
          generation_(disk_->generation) {}

    Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) override {
        std::lock_guard lock(disk_->mutex);
        ++disk_->statistics.reads;
        TRY_VOID(begin("read"));
        std::size_t count = node_->content.read(offset, into);
        disk_->statistics.bytes_read += count;
        return count;
    }

    Result<void> write_at(std::uint64_t offset, std::span<const ByteView> parts) override {
        std::lock_guard lock(disk_->mutex);
        ++disk_->statistics.writes;
        std::uint64_t bytes = 0;
        for (ByteView part : parts) bytes += part.size();
        auto begun = begin_change("write");
        if (!begun.has_value()) {
            if (disk_->half_done) put(offset, parts, disk_->random() % (bytes + 1));
            return begun.error();
        }
        TRY_VOID(disk_->reserve(path_, node_->content, offset + bytes));
        put(offset, parts, bytes);
        return {};
    }

    Result<void> allocate(std::uint64_t size) override {
        std::lock_guard lock(disk_->mutex);
        ++disk_->statistics.writes;
        TRY_VOID(begin_change("allocate"));
        TRY_VOID(disk_->reserve(path_, node_->content, size));
        if (size > node_->content.size()) node_->content.resize(size);
        return {};
    }

    Result<void> truncate(std::uint64_t size) override {
        std::lock_guard lock(disk_->mutex);
        ++disk_->statistics.writes;
        TRY_VOID(begin_change("truncate"));
        TRY_VOID(disk_->reserve(path_, node_->content, size));
        node_->content.resize(size);
        return {};
    }

    Result<void> sync() override {
        std::lock_guard lock(disk_->mutex);
        ++disk_->statistics.syncs;
        auto begun = begin("sync");
        if (!begun.has_value()) {
            if (disk_->half_done) node_->content.fail_sync(disk_->random);
            return begun.error();
        }
        node_->content.sync();
        return {};
    }

    Result<std::uint64_t> size() override {
        std::lock_guard lock(disk_->mutex);
        TRY_VOID(begin("examine"));
        return node_->content.size();
    }

 private:
    Result<void> begin(std::string_view what) {
        disk_->half_done = false;
        if (generation_ != disk_->generation) {
            return disk_->io(what, path_, "the process that opened it was stopped");
        }
        return disk_->begin(what, path_);
    }

    Result<void> begin_change(std::string_view what) {
        disk_->half_done = false;
        if (!writable_) return disk_->io(what, path_, "Bad file descriptor");
        return begin(what);
    }

    // The first `bytes` of the parts.
    void put(std::uint64_t offset, std::span<const ByteView> parts, std::uint64_t bytes) {
        for (ByteView part : parts) {
            part = part.first(std::min<std::uint64_t>(part.size(), bytes));
            node_->content.write(offset, part);
            offset += part.size();
            bytes -= part.size();
            disk_->statistics.bytes_written += part.size();
        }
    }

    const std::shared_ptr<SimFiles::Disk> disk_;
    const SimNodePtr node_;
    const std::string path_;
    const bool writable_;
    const std::uint64_t generation_;
};

}  // namespace

SimFiles::SimFiles(std::uint64_t seed, std::uint64_t capacity) : disk_(std::make_shared<Disk>()) {
    disk_->random.seed(seed);
    disk_->capacity = capacity;
}

SimFiles::~SimFiles() = default;

Result<std::unique_ptr<storage::File>> SimFiles::open(const std::string& path, Mode mode) {
    std::lock_guard lock(disk_->mutex);
    TRY_VOID(disk_->begin("open", path));
    SimNodePtr node;
    if (mode == Mode::create_new) {
        ++disk_->statistics.directory_changes;
        TRY(node, disk_->tree.create_file(path));
    } else {
        TRY(node, disk_->tree.find(path));
        if (node->directory) return Disk::io("open", path, "Is a directory");
    }
    return std::unique_ptr<storage::File>(
        std::make_unique<SimFile>(disk_, std::move(node), path, mode != Mode::read));
}

Result<bool> SimFiles::exists(const std::string& path) {
    std::lock_guard lock(disk_->mutex);
    TRY_VOID(disk_->begin("examine", path));
    return disk_->tree.find(path).has_value();
}

Result<void> SimFiles::make_directory(const std::string& path) {
    std::lock_guard lock(disk_->mutex);
    ++disk_->statistics.directory_changes;
    TRY_VOID(disk_->begin("make directory", path));
    return disk_->tree.make_directories(path);
}

Result<std::vector<std::string>> SimFiles::list(const std::string& path) {
    std::lock_guard lock(disk_->mutex);
    TRY_VOID(disk_->begin("list", path));
    TRY(SimNodePtr node, disk_->tree.find(path));
    if (!node->directory) return Disk::io("list", path, "Not a directory");
    std::vector<std::string> names;
    for (const auto& [name, child] : node->live) names.push_back(name);
    return names;
}

Result<void> SimFiles::rename(const std::string& from, const std::string& to) {
    std::lock_guard lock(disk_->mutex);
    ++disk_->statistics.directory_changes;
    TRY_VOID(disk_->begin("rename", from));
    return disk_->tree.rename(from, to);
}

Result<void> SimFiles::remove(const std::string& path) {
    std::lock_guard lock(disk_->mutex);
    ++disk_->statistics.directory_changes;
    TRY_VOID(disk_->begin("remove", path));
    disk_->tree.remove(path);
    return {};
}

Result<void> SimFiles::sync_directory(const std::string& path) {
    std::lock_guard lock(disk_->mutex);
    ++disk_->statistics.directory_syncs;
    TRY_VOID(disk_->begin("sync directory", path));
    return disk_->tree.sync(path);
}

Result<std::uint64_t> SimFiles::free_bytes() {
    std::lock_guard lock(disk_->mutex);
    TRY_VOID(disk_->begin("examine", "the file system"));
    std::uint64_t used = disk_->used();
    return disk_->capacity - std::min(used, disk_->capacity);
}

Result<std::uint64_t> SimFiles::capacity_bytes() {
    std::lock_guard lock(disk_->mutex);
    TRY_VOID(disk_->begin("examine", "the file system"));
    return disk_->capacity;
}

void SimFiles::crash(std::mt19937_64& random) {
    std::lock_guard lock(disk_->mutex);
    disk_->running = false;
    ++disk_->statistics.power_cuts;
    PowerCut cut = PowerCut::draw(random);
    disk_->tree.cut_power(cut);
}

void SimFiles::kill() {
    std::lock_guard lock(disk_->mutex);
    disk_->running = false;
}

void SimFiles::restart() {
    std::lock_guard lock(disk_->mutex);
    CHECK(!disk_->running, "crash() or kill() comes first");
    disk_->running = true;
    ++disk_->generation;
}

void SimFiles::fail_operation(std::uint64_t n, Failing failing) {
    CHECK(n > 0);
    std::lock_guard lock(disk_->mutex);
    disk_->operations_until_failure = n;
    disk_->failed_before = false;
    disk_->failing = failing;
}

void SimFiles::heal() {
    std::lock_guard lock(disk_->mutex);
    disk_->heal();
}

void SimFiles::set_capacity(std::uint64_t bytes) {
    std::lock_guard lock(disk_->mutex);
    disk_->capacity = bytes;
}

void SimFiles::flip_bit(const std::string& path, std::uint64_t offset, unsigned bit) {
    std::lock_guard lock(disk_->mutex);
    disk_->tree.find(path).value()->content.flip_bit(offset, bit);
}

FileStatistics SimFiles::statistics() const {
    std::lock_guard lock(disk_->mutex);
    return disk_->statistics;
}

std::vector<std::string> SimFiles::all_files() const {
    std::lock_guard lock(disk_->mutex);
    std::vector<std::string> paths;
    disk_->tree.each_file([&](const std::string& path, SimNode&) { paths.push_back(path); });
    return paths;
}

std::uint64_t SimFiles::size_of(const std::string& path) const {
    std::lock_guard lock(disk_->mutex);
    return disk_->tree.find(path).value()->content.size();
}

std::string SimFiles::contents(const std::string& path) const {
    std::lock_guard lock(disk_->mutex);
    const SimContent& content = disk_->tree.find(path).value()->content;
    std::string text(content.size(), '\0');
    content.read(0, std::as_writable_bytes(std::span(text)));
    return text;
}

bool SimFiles::is_synced(const std::string& path) const {
    std::lock_guard lock(disk_->mutex);
    return disk_->tree.find(path).value()->content.is_synced();
}

}  // namespace quorate::sim
