#include "host/group/machine_loader.hpp"

#include <array>

namespace quorate::group {
namespace {

class SnapshotStream final : public machine::ByteSource {
 public:
    explicit SnapshotStream(storage::SnapshotReader& reader) : reader_(reader) {}
    Result<std::size_t> read(std::span<std::byte> into) override {
        Result<std::size_t> count = reader_.read(into);
        if (!count.has_value()) error_ = count.error();
        return count;
    }
    // The store's failure, whatever the machine made of it.
    const std::optional<Error>& error() const { return error_; }

 private:
    storage::SnapshotReader& reader_;
    std::optional<Error> error_;
};

Result<void> load_from(machine::Machine& machine, storage::SnapshotReader& reader) {
    SnapshotStream stream(reader);
    Result<void> loaded =
        machine.load(stream, reader.meta().machine_version, reader.meta().last.index);
    if (stream.error()) return *stream.error();
    return loaded;
}

Result<void> read_to_end(const MachineSource& source, EntryId snapshot) {
    TRY(auto reader, source.snapshots.open(source.group, snapshot));
    std::vector<std::byte> buffer(64 * 1024);
    for (;;) {
        TRY(std::size_t count, reader->read(buffer));
        if (count == 0) return {};
    }
}

// The disk's fault, not the machine's: an older snapshot may do.
bool is_unreadable(const Error& error) {
    return error.code == Errc::corrupt || error.code == Errc::not_found ||
           error.code == Errc::format_unknown || error.code == Errc::io;
}

std::vector<storage::SnapshotInfo> list(const MachineSource& source, FoundState& found) {
    Result<std::vector<storage::SnapshotInfo>> listed = source.snapshots.list(source.group);
    if (listed.has_value()) return std::move(*listed);
    found.unreadable.push_back(within("listing snapshots", listed.error()));
    return {};
}

// Whether the snapshot, or ({}) a fresh start, is what the member begins from.
bool try_state(const MachineSource& source, EntryId snapshot, FoundState& found) {
    Result<LoadedMachine> loaded = load_machine(source, snapshot);
    if (loaded.has_value()) {
        found.machine = std::move(*loaded);
        return true;
    }
    Error error = loaded.error();
    if (!is_unreadable(error) && snapshot.index != Index{}) {
        Result<void> readable = read_to_end(source, snapshot);
        if (readable.has_value()) {
            found.machine_error = std::move(error);
            return true;
        }
        error = readable.error();
    }
    if (snapshot.index == Index{}) {
        found.machine_error = std::move(error);
        return true;
    }
    found.unreadable.push_back(
        within("snapshot " + std::to_string(snapshot.index.value()), std::move(error)));
    return false;
}

}  // namespace

Result<LoadedMachine> load_machine(const MachineSource& source, EntryId snapshot) {
    TRY(auto machine, source.machines.create(source.ref, source.group));
    if (snapshot.index == Index{}) return LoadedMachine{std::move(machine), {}, 0, 0};
    TRY(auto reader, source.snapshots.open(source.group, snapshot));
    TRY_VOID(load_from(*machine, *reader));
    const storage::SnapshotMeta& meta = reader->meta();
    return LoadedMachine{std::move(machine), meta.last, meta.outcome_hash, meta.time_ms};
}

FoundState find_state(const MachineSource& source) {
    FoundState found;
    for (storage::SnapshotInfo& info : list(source, found)) {
        if (!try_state(source, info.meta.last, found)) continue;
        found.snapshot = std::move(info);
        return found;
    }
    try_state(source, {}, found);
    return found;
}

}  // namespace quorate::group
