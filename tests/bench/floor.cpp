// The floor: what three processes on this machine can do at all when each command is synced by every member
// and acknowledged once two of three have it on their disk. No consensus, no state machine, no
// checksums: one leader that never dies. What Quorate is measured against (docs/performance.md).
//
//     floor --window 64 --connections 8 --payload 256 --seconds 3
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <arpa/inet.h>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <filesystem>
#include <mutex>
#include <netinet/tcp.h>
#include <poll.h>
#include <span>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
    std::size_t window = 1;       // outstanding over all connections
    std::size_t connections = 1;  // of the client
    std::size_t payload = 256;
    double seconds = 3;
    std::string directory = ".";
};

[[noreturn]] void die(const char* what) {
    std::perror(what);
    std::_Exit(1);
}
int checked(int result, const char* what) {
    if (result < 0) die(what);
    return result;
}

// ---- sockets ----------------------------------------------------------------------------------

int listen_anywhere(std::uint16_t& port) {
    int socket = checked(::socket(AF_INET, SOCK_STREAM, 0), "socket");
    sockaddr_in address{
        .sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    socklen_t size = sizeof address;
    checked(::bind(socket, reinterpret_cast<sockaddr*>(&address), size), "bind");
    checked(::listen(socket, 1024), "listen");
    checked(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
    port = ntohs(address.sin_port);
    return socket;
}

void without_delay(int socket) {
    int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int dial(std::uint16_t port) {
    int socket = checked(::socket(AF_INET, SOCK_STREAM, 0), "socket");
    sockaddr_in address{.sin_family = AF_INET,
                        .sin_port = htons(port),
                        .sin_addr = {htonl(INADDR_LOOPBACK)},
                        .sin_zero = {}};
    checked(::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), "connect");
    without_delay(socket);
    return socket;
}

int accept_one(int listener) {
    int socket = checked(::accept(listener, nullptr, nullptr), "accept");
    without_delay(socket);
    return socket;
}

void send_all(int socket, std::span<const char> bytes) {
    while (!bytes.empty()) {
        ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) std::_Exit(0);  // the other side has ended: so has the run
        bytes = bytes.subspan(static_cast<std::size_t>(sent));
    }
}

// What is there now, at most a buffer full; 0: the other side has ended.
std::span<char> receive(int socket, std::vector<char>& buffer) {
    ssize_t got = ::recv(socket, buffer.data(), buffer.size(), 0);
    if (got <= 0) return {};
    return std::span(buffer).first(static_cast<std::size_t>(got));
}

// ---- the log of one member --------------------------------------------------------------------

class Log {
 public:
    explicit Log(const std::string& path)
        : file_(checked(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600), "open")) {
        std::vector<char> zeros(1 << 20);
        for (std::size_t at = 0; at < bytes; at += zeros.size()) {
            if (::pwrite(file_, zeros.data(), zeros.size(), static_cast<off_t>(at)) < 0)
                die("pwrite");
        }
        checked(::fsync(file_), "fsync");
    }
    void append(std::span<const char> batch) {
        if (at_ + batch.size() > bytes) at_ = 0;  // recycled, as a real one is
        if (::pwrite(file_, batch.data(), batch.size(), static_cast<off_t>(at_)) < 0) die("pwrite");
        checked(::fdatasync(file_), "fdatasync");
        at_ += batch.size();
    }

 private:
    static constexpr std::size_t bytes = 64u << 20;
    int file_;
    std::size_t at_ = 0;
};

// Writes what comes, syncs, says how much in all.
[[noreturn]] void follow(int leader, const std::string& path) {
    Log log(path);
    std::vector<char> buffer(4 << 20);
    std::uint64_t durable = 0;
    send_all(leader, std::span(reinterpret_cast<const char*>(&durable), sizeof durable));
    for (;;) {
        auto batch = receive(leader, buffer);
        if (batch.empty()) std::_Exit(0);
        log.append(batch);
        durable += batch.size();
        send_all(leader, std::span(reinterpret_cast<const char*>(&durable), sizeof durable));
    }
}

// ---- the leader -------------------------------------------------------------------------------

class Leader {
 public:
    Leader(const Options& options, std::vector<int> clients, std::vector<int> followers)
        : options_(options),
          clients_(std::move(clients)),
          followers_(std::move(followers)),
          partial_(clients_.size()),
          log_(options.directory + "/floor.0") {}

    [[noreturn]] void run() {
        std::thread([this] { write(); }).detach();
        std::vector<pollfd> ready;
        for (int socket : clients_) ready.push_back({socket, POLLIN, 0});
        for (int socket : followers_) ready.push_back({socket, POLLIN, 0});
        ready.push_back({written_, POLLIN, 0});
        std::vector<char> buffer(4 << 20);
        for (;;) {
            checked(::poll(ready.data(), ready.size(), -1), "poll");
            for (std::size_t i = 0; i < clients_.size(); ++i) {
                if (ready[i].revents != 0) take(i, buffer);
            }
            for (std::size_t i = 0; i < followers_.size(); ++i) {
                if (ready[clients_.size() + i].revents != 0) hear(i);
            }
            if (ready.back().revents != 0) {
                eventfd_t count = 0;
                ::eventfd_read(written_, &count);
                durable_[2] = own_durable_.load();
            }
            replicate();
            answer();
        }
    }

 private:
    struct Waiting {
        std::uint64_t end;  // position in the log
        std::size_t client;
        std::array<char, 8> stamp;
    };

    void take(std::size_t client, std::vector<char>& buffer) {
        auto got = receive(clients_[client], buffer);
        if (got.empty()) std::_Exit(0);
        std::vector<char>& partial = partial_[client];
        partial.insert(partial.end(), got.begin(), got.end());
        std::size_t whole = partial.size() / options_.payload * options_.payload;
        for (std::size_t at = 0; at < whole; at += options_.payload) {
            Waiting command{.end = appended_ += options_.payload, .client = client, .stamp = {}};
            std::memcpy(command.stamp.data(), partial.data() + at, command.stamp.size());
            waiting_.push_back(command);
        }
        batch_.insert(batch_.end(), partial.begin(),
                      partial.begin() + static_cast<std::ptrdiff_t>(whole));
        partial.erase(partial.begin(), partial.begin() + static_cast<std::ptrdiff_t>(whole));
    }

    void hear(std::size_t follower) {
        std::array<std::uint64_t, 512> positions{};
        ssize_t got = ::recv(followers_[follower], positions.data(), sizeof positions, 0);
        if (got <= 0) std::_Exit(0);
        durable_[follower] = positions[static_cast<std::size_t>(got) / 8 - 1];
    }

    void replicate() {
        if (batch_.empty()) return;
        {
            std::lock_guard lock(mutex_);
            to_write_.insert(to_write_.end(), batch_.begin(), batch_.end());
        }
        work_.notify_one();
        for (int follower : followers_) send_all(follower, batch_);
        batch_.clear();
    }

    // Those that two of three have on disk, one send per client.
    void answer() {
        std::array<std::uint64_t, 3> sorted = durable_;
        std::sort(sorted.begin(), sorted.end());
        std::vector<std::vector<char>> out(clients_.size());
        for (; !waiting_.empty() && waiting_.front().end <= sorted[1]; waiting_.pop_front()) {
            auto& to = out[waiting_.front().client];
            to.insert(to.end(), waiting_.front().stamp.begin(), waiting_.front().stamp.end());
        }
        for (std::size_t i = 0; i < out.size(); ++i) {
            if (!out[i].empty()) send_all(clients_[i], out[i]);
        }
    }

    void write() {
        std::vector<char> batch;
        for (;;) {
            {
                std::unique_lock lock(mutex_);
                work_.wait(lock, [this] { return !to_write_.empty(); });
                batch.swap(to_write_);
            }
            log_.append(batch);
            own_durable_ += batch.size();
            batch.clear();
            ::eventfd_write(written_, 1);
        }
    }

    const Options& options_;
    std::vector<int> clients_, followers_;
    std::vector<std::vector<char>> partial_;
    Log log_;
    std::vector<char> batch_;
    std::deque<Waiting> waiting_;
    std::uint64_t appended_ = 0;
    std::array<std::uint64_t, 3> durable_{};  // the followers', and its own

    int written_ = checked(::eventfd(0, EFD_NONBLOCK), "eventfd");
    std::atomic<std::uint64_t> own_durable_ = 0;
    std::mutex mutex_;
    std::condition_variable work_;
    std::vector<char> to_write_;
};

// ---- the client -------------------------------------------------------------------------------

struct Figures {
    std::vector<double> micros;
    double seconds = 0;
};

Figures load(const Options& options, std::vector<int> sockets) {
    std::vector<char> command(options.payload, 'x');
    std::vector<std::size_t> owed(sockets.size());
    auto send_one = [&](std::size_t i, std::size_t count) {
        std::vector<char> all;
        for (std::size_t n = 0; n < count; ++n) {
            auto now = Clock::now().time_since_epoch().count();
            std::memcpy(command.data(), &now, sizeof now);
            all.insert(all.end(), command.begin(), command.end());
        }
        send_all(sockets[i], all);
    };
    for (std::size_t n = 0; n < options.window; ++n) ++owed[n % sockets.size()];
    for (std::size_t i = 0; i < sockets.size(); ++i) {
        if (owed[i] != 0) send_one(i, owed[i]);
    }
    std::vector<pollfd> ready;
    for (int socket : sockets) ready.push_back({socket, POLLIN, 0});
    Figures figures;
    std::array<Clock::rep, 8192> stamps{};
    auto begin = Clock::now();
    auto warm = begin + std::chrono::milliseconds(500);
    auto end = warm + std::chrono::duration_cast<Clock::duration>(
                          std::chrono::duration<double>(options.seconds));
    while (Clock::now() < end) {
        checked(::poll(ready.data(), ready.size(), 1000), "poll");
        for (std::size_t i = 0; i < ready.size(); ++i) {
            if (ready[i].revents == 0) continue;
            ssize_t got = ::recv(sockets[i], stamps.data(), sizeof stamps, 0);
            if (got <= 0) die("the leader has ended");
            auto now = Clock::now();
            std::size_t count = static_cast<std::size_t>(got) / sizeof stamps[0];
            for (std::size_t n = 0; n < count && now > warm; ++n) {
                figures.micros.push_back(
                    static_cast<double>(now.time_since_epoch().count() - stamps[n]) / 1000);
            }
            send_one(i, count);
        }
    }
    figures.seconds = options.seconds;
    return figures;
}

double quantile(std::vector<double>& sorted, double q) {
    if (sorted.empty()) return 0;
    auto rank = static_cast<std::size_t>(q * static_cast<double>(sorted.size() - 1));
    return sorted[rank];
}

// Two followers and a leader, each a process; they end with their connections.
std::vector<int> start(const Options& options) {
    std::uint16_t client_port = 0;
    std::uint16_t peer_port = 0;
    int for_clients = listen_anywhere(client_port);
    int for_peers = listen_anywhere(peer_port);
    for (int i = 1; i <= 2; ++i) {
        if (checked(::fork(), "fork") == 0) {
            ::close(for_clients);
            ::close(for_peers);
            follow(dial(peer_port), options.directory + "/floor." + std::to_string(i));
        }
    }
    if (checked(::fork(), "fork") == 0) {
        std::vector<int> followers;
        for (int i = 0; i < 2; ++i) followers.push_back(accept_one(for_peers));
        for (int follower : followers) {  // its log is there
            std::uint64_t nothing = 0;
            checked(static_cast<int>(::recv(follower, &nothing, sizeof nothing, MSG_WAITALL)),
                    "recv");
        }
        std::vector<int> clients;
        for (std::size_t i = 0; i < options.connections; ++i)
            clients.push_back(accept_one(for_clients));
        Leader(options, std::move(clients), std::move(followers)).run();
    }
    ::close(for_peers);
    std::vector<int> sockets;
    for (std::size_t i = 0; i < options.connections; ++i) sockets.push_back(dial(client_port));
    ::close(for_clients);
    return sockets;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app(
        "What three processes on this machine can do that only append, sync and acknowledge.");
    app.add_option("--window", options.window, "commands unanswered, over all connections")
        ->capture_default_str();
    app.add_option("--connections", options.connections, "of the client")->capture_default_str();
    app.add_option("--payload", options.payload, "bytes of a command")
        ->capture_default_str()
        ->check(CLI::Range(8, 1 << 20));
    app.add_option("--seconds", options.seconds, "measured")->capture_default_str();
    app.add_option("--dir", options.directory, "where the logs lie")->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    std::signal(SIGPIPE, SIG_IGN);

    std::vector<int> sockets = start(options);
    Figures figures = load(options, sockets);
    for (int socket : sockets) ::close(socket);
    while (::wait(nullptr) > 0) {
    }
    for (int i = 0; i < 3; ++i)
        std::filesystem::remove(options.directory + "/floor." + std::to_string(i));

    std::vector<double>& micros = figures.micros;
    std::sort(micros.begin(), micros.end());
    fmt::print(
        R"({{"system":"floor","workload":"write","clients":{},"window":{},"payload":{},"members":3,)"
        R"("ops_s":{:.0f},"p50_us":{:.0f},"p99_us":{:.0f},"max_us":{:.0f},"sync":"every member"}})"
        "\n",
        options.connections, options.window, options.payload,
        static_cast<double>(micros.size()) / figures.seconds, quantile(micros, 0.5),
        quantile(micros, 0.99), quantile(micros, 1));
}
