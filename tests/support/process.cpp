#include "tests/support/process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <poll.h>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace quorate::testing {
namespace {

std::vector<char*> pointers(std::vector<std::string>& words) {
    std::vector<char*> list;
    for (std::string& word : words) list.push_back(word.data());
    list.push_back(nullptr);
    return list;
}

// Ours, with `added` in place of what has the same name.
std::vector<std::string> environment_with(const std::vector<std::string>& added) {
    std::vector<std::string> list = added;
    for (char** at = environ; *at != nullptr; ++at) {
        std::string variable = *at;
        std::string name = variable.substr(0, variable.find('=') + 1);
        bool replaced =
            std::ranges::any_of(added, [&](const std::string& a) { return a.starts_with(name); });
        if (!replaced) list.push_back(std::move(variable));
    }
    return list;
}

// Between fork and exec: only calls that are safe there.
[[noreturn]] void become(const Command& command, char** words, char** environment, pid_t parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
    int in = ::open("/dev/null", O_RDONLY);
    int out = ::open(command.out.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    int err = ::open(command.err.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (::dup2(in, 0) == 0 && ::dup2(out, 1) == 1 && ::dup2(err, 2) == 2) {
        ::close_range(3, ~0u, 0);
        ::execve(words[0], words, environment);
    }
    ::_exit(127);
}

int milliseconds(Duration duration) {
    auto count = std::chrono::ceil<std::chrono::milliseconds>(duration).count();
    return static_cast<int>(std::max<decltype(count)>(count, 0));
}

}  // namespace

void throw_errno(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
}

Process::Process(const Command& command) {
    std::vector<std::string> word_texts = command.words;
    std::vector<std::string> environment_texts = environment_with(command.environment);
    std::vector<char*> words = pointers(word_texts);
    std::vector<char*> environment = pointers(environment_texts);
    if (::access(words[0], X_OK) != 0) throw_errno(command.words[0]);
    pid_t parent = ::getpid();
    id_ = ::fork();
    if (id_ == 0) become(command, words.data(), environment.data(), parent);
    if (id_ < 0) throw_errno("fork");
    descriptor_ = static_cast<int>(::syscall(SYS_pidfd_open, id_, 0));
    if (descriptor_ < 0) throw_errno("pidfd_open");
}

Process::Process(Process&& other) noexcept
    : id_(std::exchange(other.id_, 0)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      end_(other.end_) {}

Process& Process::operator=(Process&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(descriptor_, other.descriptor_);
    std::swap(end_, other.end_);
    return *this;
}

Process::~Process() {
    if (descriptor_ < 0) return;
    if (running()) {
        ::syscall(SYS_pidfd_send_signal, descriptor_, SIGKILL, nullptr, 0);
        ::waitpid(id_, nullptr, 0);
    }
    ::close(descriptor_);
}

bool Process::running() {
    return !wait(Duration::zero()).has_value();
}

void Process::signal(int number) {
    long result = ::syscall(SYS_pidfd_send_signal, descriptor_, number, nullptr, 0);
    if (result != 0 && errno != ESRCH) throw_errno("pidfd_send_signal");
}

std::optional<int> Process::wait(Duration timeout) {
    if (end_) return end_;
    pollfd wanted{descriptor_, POLLIN, 0};
    if (::poll(&wanted, 1, milliseconds(timeout)) <= 0) return std::nullopt;
    int status = 0;
    if (::waitpid(id_, &status, 0) != id_) throw_errno("waitpid");
    end_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    return end_;
}

void Process::limit_files(std::uint64_t bytes) {
    rlimit limit{bytes, bytes};
    if (::prlimit(id_, RLIMIT_FSIZE, &limit, nullptr) != 0) throw_errno("prlimit");
}

std::uint64_t Process::resident_bytes() const {
    std::ifstream file("/proc/" + std::to_string(id_) + "/status");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("VmRSS:")) return std::stoull(line.substr(6)) * 1024;
    }
    return 0;
}

Ran run(std::vector<std::string> words, std::vector<std::string> environment, Duration timeout) {
    ScratchDirectory scratch;
    std::string out = scratch.path() + "/out";
    std::string err = scratch.path() + "/err";
    std::string line;
    for (const std::string& word : words) line += word + " ";
    Process process({std::move(words), std::move(environment), out, err});
    auto end = process.wait(timeout);
    if (!end) throw std::runtime_error(line + "did not end\n" + read_text(out) + read_text(err));
    return {*end, read_text(out), read_text(err)};
}

ScratchDirectory::ScratchDirectory() {
    path_ = (std::filesystem::temp_directory_path() / "quorate-XXXXXX").string();
    if (::mkdtemp(path_.data()) == nullptr) throw_errno(path_);
}

ScratchDirectory::~ScratchDirectory() {
    if (std::getenv("QUORATE_KEEP") != nullptr) return;
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string read_text(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::string last_lines(const std::string& text, std::size_t count) {
    std::size_t at = text.size();
    for (std::size_t lines = 0; at > 0; --at) {
        if (text[at - 1] == '\n' && at != text.size() && ++lines == count) break;
    }
    return text.substr(at);
}

}  // namespace quorate::testing
