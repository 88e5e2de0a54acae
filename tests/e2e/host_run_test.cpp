#include "tests/support/cluster.hpp"
#include "tests/support/process.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <sstream>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

// What one host takes its settings from, what it logs, and what it tells the service manager.
namespace quorate::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class HostRun : public ::testing::Test {
 protected:
    using Words = std::vector<std::string>;

    HostRun() {
        std::ofstream(scratch.path() + "/host.toml")
            << "[host]\nname = \"h1\"\ndata_dir = \"" << scratch.path()
            << "/data\"\n[listen]\nclient = \"" << of_file.address()
            << "\"\npeer = \"127.0.0.1:0\"\n";
    }
    // Starts it, waits until it serves, stops it; its log.
    std::string log_of(const Words& arguments, Words environment = {},
                       const std::string& notify_path = {}) {
        std::string log = scratch.path() + "/log" + std::to_string(++runs);
        NotifySocket notify(notify_path.empty() ? scratch.path() + "/notify" : notify_path);
        Words words{quorated_program(), "--config", scratch.path() + "/host.toml"};
        words.insert(words.end(), arguments.begin(), arguments.end());
        environment.push_back("NOTIFY_SOCKET=" + notify.path());
        Process process({words, environment, log, log});
        EXPECT_TRUE(notify.wait_for("READY=1", process, 60s)) << read_text(log);
        process.signal(SIGTERM);
        EXPECT_EQ(process.wait(60s), 0);
        said = notify.received();
        return read_text(log);
    }

    ScratchDirectory scratch;
    ReservedPort of_file;
    ReservedPort of_environment;
    ReservedPort of_flag;
    Words said;  // to the service manager
    int runs = 0;
};

TEST_F(HostRun, flags_come_before_the_environment_before_the_file) {
    Words none;
    Words environment{"QUORATE_LISTEN__CLIENT=" + of_environment.address()};
    Words flag{"--set", "listen.client=" + of_flag.address()};
    EXPECT_THAT(log_of(none), HasSubstr("clients=" + of_file.address()));
    EXPECT_THAT(log_of(none, environment), HasSubstr("clients=" + of_environment.address()));
    EXPECT_THAT(log_of(flag, environment), HasSubstr("clients=" + of_flag.address()));
    EXPECT_THAT(log_of(flag), HasSubstr("clients=" + of_flag.address()));
}

TEST_F(HostRun, the_service_manager_hears_when_it_serves_and_when_it_stops) {
    for (const std::string& path : {scratch.path() + "/socket", "@" + scratch.path()}) {
        log_of({}, {}, path);
        EXPECT_THAT(said, ElementsAre(AllOf(HasSubstr("READY=1\n"), HasSubstr("STATUS=serving"),
                                            HasSubstr(of_file.address())),
                                      HasSubstr("STOPPING=1")));
    }
}

TEST_F(HostRun, the_log_is_one_event_a_line_as_text_or_as_json) {
    EXPECT_THAT(log_of({}), AllOf(HasSubstr("Z info starting quorated begins version=0."),
                                  HasSubstr("Z info ready "), HasSubstr("Z info stopping "),
                                  HasSubstr("Z info stopped ")));
    std::istringstream lines(log_of({"--set", "log.format=json"}));
    Words events;
    for (std::string line; std::getline(lines, line);) {
        boost::json::object event = boost::json::parse(line).as_object();
        for (const char* key : {"ts", "level", "event", "text", "host"}) {
            EXPECT_TRUE(event.contains(key)) << line;
        }
        events.emplace_back(event.at("event").as_string());
    }
    EXPECT_THAT(events, ::testing::IsSupersetOf({"starting", "ready", "stopping", "stopped"}));
    EXPECT_EQ(events.front(), "starting");
    EXPECT_EQ(events.back(), "stopped");
    EXPECT_EQ(log_of({"--set", "log.level=error"}), "");
}

// What follows a log by its lines, as they are written.
class Followed {
 public:
    explicit Followed(std::string path) : path_(std::move(path)) {
        EXPECT_EQ(::mkfifo(path_.c_str(), 0600), 0);
        pipe_ = ::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    }
    Followed(const Followed&) = delete;
    ~Followed() { ::close(pipe_); }
    // All that was written, as soon as `word` is in it.
    std::string until(const std::string& word) {
        std::string log;
        while (log.find(word) == std::string::npos) {
            pollfd wanted{pipe_, POLLIN, 0};
            std::array<char, 4096> more;
            if (::poll(&wanted, 1, 60'000) != 1) break;
            ssize_t size = ::read(pipe_, more.data(), more.size());
            if (size <= 0) break;
            log.append(more.data(), static_cast<std::size_t>(size));
        }
        return log;
    }
    const std::string& path() const { return path_; }

 private:
    std::string path_;
    int pipe_;
};

TEST_F(HostRun, it_says_stopped_when_nothing_is_left_to_stop) {
    Followed log(scratch.path() + "/pipe");
    Process process({{quorated_program(), "--config", scratch.path() + "/host.toml"},
                     {},
                     log.path(),
                     log.path()});
    EXPECT_THAT(log.until(" ready "), HasSubstr(" ready "));
    process.signal(SIGTERM);
    EXPECT_THAT(log.until(" stopped "), HasSubstr(" stopped "));
    int lock = ::open((scratch.path() + "/data/lock").c_str(), O_RDWR | O_CLOEXEC);
    EXPECT_EQ(::flock(lock, LOCK_EX | LOCK_NB), 0) << "the data directory is still held";
    ::close(lock);
    EXPECT_EQ(process.wait(60s), 0);
}

TEST_F(HostRun, a_start_that_fails_is_the_last_line_of_a_json_log) {
    Ran ran = run({quorated_program(), "--config", scratch.path() + "/host.toml", "--set",
                   "log.format=json", "--set", "listen.client=10.255.255.1:1"});
    EXPECT_EQ(ran.code, 1);
    boost::json::object event = boost::json::parse(last_lines(ran.err, 1)).as_object();
    EXPECT_EQ(event.at("event"), "not_started");
    EXPECT_THAT(std::string(event.at("text").as_string()), HasSubstr("10.255.255.1:1"));
    EXPECT_TRUE(event.contains("fix"));
}

}  // namespace
}  // namespace quorate::testing
