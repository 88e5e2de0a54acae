#include "rpc/bench/usage.hpp"

#include <fstream>
#include <sstream>
#include <string>
#include <unistd.h>

namespace quorate::bench {
namespace {

// proc(5): the fields of /proc/PID/stat, counted from after the command's closing parenthesis.
constexpr int user_time_field = 11;
constexpr int resident_field = 21;

std::optional<Usage> usage_of(pid_t process) {
    std::ifstream file("/proc/" + std::to_string(process) + "/stat");
    std::string line;
    if (!std::getline(file, line)) return std::nullopt;
    std::size_t name_end = line.rfind(')');
    if (name_end == std::string::npos) return std::nullopt;
    std::istringstream fields(line.substr(name_end + 1));
    std::string skipped;
    for (int i = 0; i < user_time_field; ++i) fields >> skipped;
    std::uint64_t user = 0;
    std::uint64_t system = 0;
    fields >> user >> system;
    for (int i = user_time_field + 2; i < resident_field; ++i) fields >> skipped;
    std::uint64_t pages = 0;
    if (!(fields >> pages)) return std::nullopt;
    auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    return Usage{static_cast<double>(user + system) / ticks, pages * page};
}

}  // namespace

std::optional<Usage> usage_of(std::span<const pid_t> processes) {
    Usage all;
    for (pid_t process : processes) {
        std::optional<Usage> one = usage_of(process);
        if (!one) return std::nullopt;
        all.cpu_seconds += one->cpu_seconds;
        all.resident_bytes += one->resident_bytes;
    }
    return all;
}

}  // namespace quorate::bench
