#include "host/machine/plugin_probe.hpp"

#include "host/machine/disk.hpp"
#include "host/machine/inspect.hpp"
#include "host/machine/plugin_library.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace quorate::machine {
namespace {

// Says that the child came to its end by itself; a plugin that calls exit() will not guess it.
constexpr int came_through = 86;
constexpr int plugin_descriptor = 3;
constexpr const char* plugin_path = "/proc/self/fd/3";
constexpr std::uint64_t max_bytes = std::uint64_t{1} << 32;

Error system_failure(const std::string& action, int code) {
    return fail(Errc::io, "probing a plugin: cannot " + action + ": " + std::strerror(code));
}

// The file in memory, for the child to open by its descriptor: nothing is left on a disk.
Result<disk::Descriptor> in_memory(ByteView file) {
    disk::Descriptor memory(::memfd_create("plugin", MFD_CLOEXEC));
    if (!memory.is_open()) return system_failure("make a file in memory", errno);
    std::string_view left = as_text(file);
    while (!left.empty()) {
        ssize_t written = ::write(memory.number(), left.data(), left.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return system_failure("write a file in memory", errno);
        left.remove_prefix(static_cast<std::size_t>(written));
    }
    return memory;
}

Result<pid_t> start(const ProbeOptions& options, int memory) {
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    for (int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        ::posix_spawn_file_actions_addopen(&actions, standard, "/dev/null", O_RDWR, 0);
    }
    ::posix_spawn_file_actions_adddup2(&actions, memory, plugin_descriptor);
    std::string program = options.program.string();
    std::string flag = "--probe-plugin";
    std::string path = plugin_path;
    std::array<char*, 4> arguments = {program.data(), flag.data(), path.data(), nullptr};
    pid_t child = 0;
    int failed =
        ::posix_spawn(&child, program.c_str(), &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) return system_failure("start " + program, failed);
    return child;
}

// False: the time is over.
bool ends_within(pid_t child, Duration timeout) {
    disk::Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
    if (!process.is_open()) return true;  // no way to wait with a limit: without one
    auto until = std::chrono::steady_clock::now() + timeout;
    for (;;) {
        auto left =
            std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        pollfd ended{.fd = process.number(), .events = POLLIN, .revents = 0};
        int found = ::poll(&ended, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
        if (found == 0) return false;
        if (found > 0 || errno != EINTR) return true;
    }
}

int wait_for(pid_t child) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

std::string how_it_ended(int status) {
    if (WIFSIGNALED(status)) {
        return std::string("ends the process: signal ") + ::sigabbrev_np(WTERMSIG(status));
    }
    return "ends the process: exit code " + std::to_string(WEXITSTATUS(status));
}

// The builds of the child, of which there is one.
class Trial final : public LoadedPlugins {
 public:
    Result<void> run(const std::filesystem::path& path, const HostProgram& program) {
        TRY(std::string file, disk::read_file(path, max_bytes));
        TRY(LoadedBuild * build, load_library({{}, path, Bytes::take(std::move(file))}, program));
        TRY_VOID(publish(*build));
        for (const MachineManifest& machine : build->record.manifest.machines) {
            TRY(MachineRef ref, resolve(build->record.manifest.id, machine.name));
            TRY_VOID(create(ref, GroupId(1)));
        }
        return {};
    }
};

}  // namespace

Result<void> probe_plugin(ByteView file, const ProbeOptions& options) {
    TRY(Inspection found, inspect(file));
    TRY(disk::Descriptor memory, in_memory(file));
    TRY(pid_t child, start(options, memory.number()));
    bool ended = ends_within(child, options.timeout);
    if (!ended) ::kill(child, SIGKILL);
    int status = wait_for(child);
    if (ended && WIFEXITED(status) && WEXITSTATUS(status) == came_through) return {};
    std::string seconds =
        std::to_string(std::chrono::duration_cast<std::chrono::seconds>(options.timeout).count());
    return fail(Errc::plugin_refused,
                "plugin " + title(found.manifest) + ": loading it " +
                    (ended ? how_it_ended(status) : "has not ended after " + seconds + " s"),
                "look at its entry, its static constructors and its machines' constructors; the "
                "host is unharmed");
}

void run_probe(const std::filesystem::path& file, const HostProgram& program) {
    rlimit no_core{};
    ::setrlimit(RLIMIT_CORE, &no_core);
    static_cast<void>(Trial().run(file, program));  // whatever it says, the process lives
    std::_Exit(came_through);
}

}  // namespace quorate::machine
