// A load on etcd, for `./dev bench --peers`: unary gRPC calls (KV.Put, KV.Range) over HTTP/2, in a
// closed loop. gRPC's own client would cost etcd processor time that it does not need on the machine
// they share, so this one speaks the little of HTTP/2 that such calls take: header blocks of literals,
// one DATA frame a request. An answer that holds a message is a success; what fails comes with
// trailers alone.
//
//     etcd_load --endpoint 127.0.0.1:2379 --clients 64 --workload put
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <arpa/inet.h>
#include <chrono>
#include <cstring>
#include <map>
#include <netinet/tcp.h>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
    std::vector<std::string> endpoints;
    std::size_t clients = 1;      // each has one call out at a time
    std::size_t connections = 8;  // that the clients share, as a client library's would
    std::size_t payload = 256;
    std::string workload = "put";
    double seconds = 3;
};

[[noreturn]] void die(const std::string& what) {
    fmt::print(stderr, "etcd_load: {}\n", what);
    std::exit(1);
}

// ---- protocol buffers, gRPC, HTTP/2: as much as is needed ---------------------------------------

void put_varint(std::string& out, std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
    out += static_cast<char>(value);
}

void put_field(std::string& out, unsigned number, std::string_view bytes) {
    put_varint(out, number << 3 | 2);
    put_varint(out, bytes.size());
    out += bytes;
}

void put_big_endian(std::string& out, std::uint32_t value, int bytes) {
    while (bytes-- > 0) out += static_cast<char>(value >> 8 * bytes);
}

enum class Frame : std::uint8_t {
    data = 0,
    headers = 1,
    reset = 3,
    settings = 4,
    ping = 6,
    goaway = 7,
    window = 8
};
constexpr std::uint8_t end_stream = 1;  // acknowledgement, of settings and pings
constexpr std::uint8_t end_headers = 4;
constexpr std::size_t frame_header = 9;

void put_frame(std::string& out, Frame type, std::uint8_t flags, std::uint32_t stream,
               std::string_view body) {
    put_big_endian(out, static_cast<std::uint32_t>(body.size()), 3);
    out += static_cast<char>(type);
    out += static_cast<char>(flags);
    put_big_endian(out, stream, 4);
    out += body;
}

// RFC 7541, 6.2.2: never indexed state, so that each block stands for itself.
void put_header(std::string& block, std::string_view name, std::string_view value) {
    block += '\0';
    block += static_cast<char>(name.size());
    block += name;
    block += static_cast<char>(value.size());
    block += value;
}

std::string header_block(std::string_view path) {
    std::string block;
    put_header(block, ":method", "POST");
    put_header(block, ":scheme", "http");
    put_header(block, ":path", path);
    put_header(block, ":authority", "localhost");
    put_header(block, "content-type", "application/grpc");
    put_header(block, "te", "trailers");
    return block;
}

std::string message(std::string_view body) {
    std::string out(1, '\0');
    put_big_endian(out, static_cast<std::uint32_t>(body.size()), 4);
    return out.append(body);
}

std::string key_of(std::size_t client) {
    return fmt::format("key-{:08}", client);
}

// ---- one connection -----------------------------------------------------------------------------

struct Call {
    std::size_t client = 0;
    Clock::time_point begin;
    bool answered = false;
};

class Connection {
 public:
    explicit Connection(const std::string& endpoint) : socket_(dial(endpoint)) {
        out_ = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        std::string settings;
        put_big_endian(settings, 4, 2);  // SETTINGS_INITIAL_WINDOW_SIZE: answers never wait for us
        put_big_endian(settings, 0x7fffffff, 4);
        put_frame(out_, Frame::settings, 0, 0, settings);
        std::string whole;
        put_big_endian(whole, 0x7fff0000 - 65535, 4);
        put_frame(out_, Frame::window, 0, 0, whole);
    }
    int socket() const { return socket_; }

    void begin(std::size_t client, const std::string& headers, const std::string& body) {
        put_frame(out_, Frame::headers, end_headers, next_stream_, headers);
        put_frame(out_, Frame::data, end_stream, next_stream_, body);
        calls_[next_stream_] = {client, Clock::now()};
        next_stream_ += 2;
    }

    // What was put together since, in one send.
    void flush() {
        for (std::string_view rest = out_; !rest.empty();) {
            ssize_t sent = ::send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL);
            if (sent <= 0) die("etcd closed a connection");
            rest.remove_prefix(static_cast<std::size_t>(sent));
        }
        out_.clear();
    }

    template <class Ended>
    void receive(Ended ended) {
        std::size_t had = in_.size();
        in_.resize(had + 65536);
        ssize_t got = ::recv(socket_, in_.data() + had, 65536, 0);
        if (got <= 0) die("etcd closed a connection");
        in_.resize(had + static_cast<std::size_t>(got));
        std::string_view rest = in_;
        while (rest.size() >= frame_header) {
            std::size_t length = number(rest, 0, 3);
            if (rest.size() < frame_header + length) break;
            take(rest.substr(0, frame_header + length), ended);
            rest.remove_prefix(frame_header + length);
        }
        in_.erase(0, in_.size() - rest.size());
    }

 private:
    static int dial(const std::string& endpoint) {
        std::size_t colon = endpoint.rfind(':');
        if (colon == std::string::npos) die(endpoint + " is not host:port");
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(endpoint.substr(colon + 1))));
        ::inet_pton(AF_INET, endpoint.substr(0, colon).c_str(), &address.sin_addr);
        int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        auto* generic = reinterpret_cast<sockaddr*>(&address);
        if (::connect(socket, generic, sizeof address) != 0) die("cannot connect to " + endpoint);
        int on = 1;
        ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        return socket;
    }

    static std::uint32_t number(std::string_view bytes, std::size_t at, std::size_t count) {
        std::uint32_t value = 0;
        for (char byte : bytes.substr(at, count))
            value = value << 8 | static_cast<unsigned char>(byte);
        return value;
    }

    template <class Ended>
    void take(std::string_view frame, Ended& ended) {
        auto type = static_cast<Frame>(frame[3]);
        auto flags = static_cast<std::uint8_t>(frame[4]);
        std::uint32_t stream = number(frame, 5, 4) & 0x7fffffff;
        std::string_view body = frame.substr(frame_header);
        if (type == Frame::goaway) die("etcd ends the connection");
        if (type == Frame::settings && (flags & end_stream) == 0)
            put_frame(out_, type, end_stream, 0, {});
        if (type == Frame::ping && (flags & end_stream) == 0)
            put_frame(out_, type, end_stream, 0, body);
        auto call = calls_.find(stream);
        if (call == calls_.end()) return;
        if (type == Frame::data && body.size() >= 5) {
            call->second.answered = true;
            owed_ += body.size();
        }
        if (owed_ > 1u << 24) give_window();
        bool over = type == Frame::reset ||
                    ((type == Frame::headers || type == Frame::data) && (flags & end_stream) != 0);
        if (!over) return;
        Call done = call->second;
        calls_.erase(call);
        ended(done);
    }

    void give_window() {
        std::string more;
        put_big_endian(more, static_cast<std::uint32_t>(owed_), 4);
        put_frame(out_, Frame::window, 0, 0, more);
        owed_ = 0;
    }

    int socket_;
    std::string out_, in_;
    std::uint32_t next_stream_ = 1;
    std::size_t owed_ = 0;
    std::map<std::uint32_t, Call> calls_;
};

// ---- the load -----------------------------------------------------------------------------------

struct Figures {
    std::vector<double> micros;
    std::size_t failed = 0;
};

class Load {
 public:
    explicit Load(const Options& options) : options_(options) {
        bool writes = options.workload == "put";
        headers_ = header_block(writes ? "/etcdserverpb.KV/Put" : "/etcdserverpb.KV/Range");
        std::size_t count = std::min(options.connections, options.clients);
        for (std::size_t i = 0; i < count; ++i)
            connections_.emplace_back(options.endpoints[i % options.endpoints.size()]);
        for (std::size_t i = 0; i < options.clients; ++i) {
            std::string body;
            put_field(body, 1, key_of(i));
            if (writes) put_field(body, 2, std::string(options.payload, 'q'));
            bodies_.push_back(message(body));
        }
    }

    Figures run() {
        for (std::size_t i = 0; i < options_.clients; ++i) begin(i);
        auto warm = Clock::now() + std::chrono::seconds(1);
        auto end = warm + std::chrono::duration_cast<Clock::duration>(
                              std::chrono::duration<double>(options_.seconds));
        std::vector<pollfd> ready;
        for (Connection& connection : connections_)
            ready.push_back({connection.socket(), POLLIN, 0});
        auto ended = [&](const Call& call) {
            auto now = Clock::now();
            if (!call.answered) ++figures_.failed;
            if (call.answered && now > warm)
                figures_.micros.push_back(
                    std::chrono::duration<double, std::micro>(now - call.begin).count());
            begin(call.client);
        };
        while (Clock::now() < end) {
            for (Connection& connection : connections_) connection.flush();
            if (::poll(ready.data(), ready.size(), 1000) < 0) die("poll");
            for (std::size_t i = 0; i < ready.size(); ++i) {
                if (ready[i].revents != 0) connections_[i].receive(ended);
            }
        }
        return std::move(figures_);
    }

 private:
    void begin(std::size_t client) {
        connections_[client % connections_.size()].begin(client, headers_, bodies_[client]);
    }

    const Options& options_;
    std::string headers_;
    std::vector<Connection> connections_;
    std::vector<std::string> bodies_;  // by client
    Figures figures_;
};

double quantile(const std::vector<double>& sorted, double q) {
    if (sorted.empty()) return 0;
    return sorted[static_cast<std::size_t>(q * static_cast<double>(sorted.size() - 1))];
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app("A load on etcd, for `./dev bench --peers`.");
    app.add_option("--endpoint", options.endpoints, "host:port, a few")->required();
    app.add_option("--clients", options.clients, "calls out at a time")
        ->check(CLI::Range(1, 100'000));
    app.add_option("--connections", options.connections)->check(CLI::Range(1, 1024));
    app.add_option("--payload", options.payload, "bytes of a value")->check(CLI::Range(0, 1 << 20));
    app.add_option("--workload", options.workload, "put, or range: a linearizable read")
        ->check(CLI::IsMember({"put", "range"}));
    app.add_option("--seconds", options.seconds, "measured, after one to warm up");
    CLI11_PARSE(app, argc, argv);
    Figures figures = Load(options).run();
    if (figures.failed != 0) die(fmt::format("{} calls failed", figures.failed));
    std::vector<double>& micros = figures.micros;
    std::sort(micros.begin(), micros.end());
    fmt::print(
        R"({{"system":"etcd","workload":"{}","clients":{},"window":1,"payload":{},"groups":1,"members":3,)"
        R"("ops_s":{:.0f},"p50_us":{:.0f},"p99_us":{:.0f},"p999_us":{:.0f},"sync":"every member"}})"
        "\n",
        options.workload, options.clients, options.payload,
        static_cast<double>(micros.size()) / options.seconds, quantile(micros, 0.5),
        quantile(micros, 0.99), quantile(micros, 0.999));
}
