// What a command costs on its way between processes: a client's message, a gateway's, a peer's. The
// processor only; the last one goes over loopback sockets.
#include "host/group/command.hpp"
#include "rpc/codec.hpp"
#include "rpc/gateway.hpp"
#include "rpc/loop/frame.hpp"
#include "rpc/loop/rpc_connection.hpp"
#include "rpc/loop/tcp.hpp"
#include "rpc/values.hpp"
#include "tests/bench/per_command.hpp"
#include "tests/rpc/fake_host.hpp"

#include <benchmark/benchmark.h>
#include <capnp/message.h>
#include <capnp/serialize.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace quorate::rpc {
namespace {

using bench::PerCommand;

constexpr std::size_t payload_bytes = 256;

// ---- between hosts --------------------------------------------------------------------------------

std::vector<group::PeerMessage> append_of(std::int64_t count) {
    Bytes payload = Bytes::take(std::string(payload_bytes, 'x'));
    raft::AppendEntries append{.term = Term(3), .prev = {Term(3), Index(1000)}};
    for (std::int64_t i = 1; i <= count; ++i) {
        append.entries.push_back({{Term(3), Index(1000 + static_cast<std::uint64_t>(i))},
                                  raft::EntryKind::command,
                                  payload});
    }
    append.last = append.leader_last = append.entries.back().id.index;
    std::vector<group::PeerMessage> messages;
    messages.push_back(
        group::RaftEnvelope{GroupId(1), Epoch(1), MemberId(1), MemberId(2), std::move(append)});
    return messages;
}

void peer_encode(benchmark::State& state) {
    auto messages = append_of(state.range(0));
    PerCommand per(state, payload_bytes);
    for (auto _ : state) benchmark::DoNotOptimize(encode_batch(messages));
}
BENCHMARK(peer_encode)->Arg(1)->Arg(64)->Arg(1024);

Bytes joined(const std::vector<Bytes>& pieces) {
    std::size_t size = 0;
    for (const Bytes& piece : pieces) size += piece.size();
    auto words = std::make_shared_for_overwrite<std::uint64_t[]>((size + 7) / 8);
    auto* at = reinterpret_cast<std::byte*>(words.get());
    ByteView all(at, size);
    for (const Bytes& piece : pieces) {
        std::memcpy(at, piece.view().data(), piece.size());
        at += piece.size();
    }
    return {std::move(words), all};
}

void peer_decode(benchmark::State& state) {
    Bytes frame = joined(encode_batch(append_of(state.range(0))));
    PerCommand per(state, payload_bytes);
    for (auto _ : state) {
        auto header = loop::read_frame_header(frame.view(), {});
        benchmark::DoNotOptimize(header);
        auto decoded = decode_frame(frame);
        if (!decoded.has_value()) std::abort();
        benchmark::DoNotOptimize(decoded);
    }
}
BENCHMARK(peer_decode)->Arg(1)->Arg(64)->Arg(1024);

// ---- between a client and its host ------------------------------------------------------------------

using WriteParams = schema::Pipeline::WriteParams;

void build_write(capnp::MessageBuilder& message, std::int64_t count, const std::string& command) {
    auto params = message.initRoot<WriteParams>();
    params.setFirst(1);
    params.setTimeoutMs(5000);
    auto list = params.initCommands(static_cast<unsigned>(count));
    for (unsigned i = 0; i < list.size(); ++i) list.set(i, data(as_bytes(command)));
}

// As rpc/client/sender.cpp writes a batch.
void client_encode(benchmark::State& state) {
    std::string command(payload_bytes, 'x');
    std::size_t words = 32 + static_cast<std::size_t>(state.range(0)) * (2 + payload_bytes / 8);
    PerCommand per(state, payload_bytes);
    for (auto _ : state) {
        capnp::MallocMessageBuilder message(static_cast<unsigned>(words));
        build_write(message, state.range(0), command);
        benchmark::DoNotOptimize(message.getSegmentsForOutput().size());
    }
}
BENCHMARK(client_encode)->Arg(1)->Arg(64)->Arg(1024);

// As rpc/gateway_pipeline.cpp reads one: the commands' one copy, on their way into the log.
void gateway_decode(benchmark::State& state) {
    capnp::MallocMessageBuilder message;
    build_write(message, state.range(0), std::string(payload_bytes, 'x'));
    kj::Array<capnp::word> flat = capnp::messageToFlatArray(message);
    std::vector<Bytes> taken;
    PerCommand per(state, payload_bytes);
    for (auto _ : state) {
        taken.clear();
        capnp::FlatArrayMessageReader reader(flat);
        for (capnp::Data::Reader command : reader.getRoot<WriteParams>().getCommands())
            taken.push_back(group::make_command({.time_ms = 1}, view(command)));
        benchmark::DoNotOptimize(taken.data());
    }
}
BENCHMARK(gateway_decode)->Arg(1)->Arg(64)->Arg(1024);

void outcomes_encode(benchmark::State& state) {
    group::Outcome outcome = group::Applied{{Term(1), Index(1)}, Bytes::copy_of("12345678")};
    PerCommand per(state, 8);
    for (auto _ : state) {
        capnp::MallocMessageBuilder message(static_cast<unsigned>(16 + 24 * state.range(0)));
        auto params = message.initRoot<schema::Pipeline::WriteResults>();
        auto list = params.initOutcomes(static_cast<unsigned>(state.range(0)));
        for (unsigned i = 0; i < list.size(); ++i) {
            list[i].setCorrelation(i);
            encode(outcome, list[i].initOutcome());
        }
        benchmark::DoNotOptimize(message.getSegmentsForOutput().size());
    }
}
BENCHMARK(outcomes_encode)->Arg(1)->Arg(64)->Arg(1024);

// ---- a client, its gateway, and back ------------------------------------------------------------------

// A gateway and a client of it on one loop, in front of a group that answers at once.
class Conversation {
 public:
    Conversation() {
        gateway_ = Gateway::open(loop_, {.listen = "127.0.0.1:0", .software = "bench"}).value();
        host_.port->on_submit = [this](auto& submitted) {
            submitted.done(group::Applied{{Term(1), Index(1)}, reply_});
            host_.port->submitted.clear();
        };
        gateway_->start(host_);
        std::unique_ptr<loop::Connection> dialled;
        loop::Connector connector(loop_, gateway_->address(), 5s,
                                  [&dialled](auto result) { dialled = std::move(*result); });
        until([&] { return dialled != nullptr; });
        client_ = std::make_unique<loop::RpcConnection>(std::move(dialled), loop::RpcOptions{});
        auto gate = client_->bootstrap().castAs<schema::Gate>();
        auto login = gate.loginRequest().send().wait(scope_.kj());
        auto request = login.getHost().groupRequest();
        request.setName("demo");
        auto found = request.send().wait(scope_.kj());
        auto open = found.getGroup().pipelineRequest();
        pipeline_ = open.send().wait(scope_.kj()).getPipeline();
        write(1);
    }

    void write(std::int64_t count) {
        std::uint64_t wanted = told_ + static_cast<std::uint64_t>(count);
        auto request = pipeline_.writeRequest();
        request.setTimeoutMs(60'000);
        auto list = request.initCommands(static_cast<unsigned>(count));
        for (unsigned i = 0; i < list.size(); ++i) list.set(i, data(as_bytes(command_)));
        auto sent = request.send()
                        .then([this](capnp::Response<schema::Pipeline::WriteResults> answer) {
                            told_ += answer.getOutcomes().size();
                        })
                        .eagerlyEvaluate(nullptr);
        until([&] { return told_ == wanted; });
    }

 private:
    void until(const std::function<bool()>& holds) {
        if (!scope_.run_until(holds, 10s)) std::abort();
    }

    loop::EventLoop loop_;
    loop::EventLoop::Scope scope_{loop_};
    testing::FakeHost host_;
    std::unique_ptr<Gateway> gateway_;
    std::unique_ptr<loop::RpcConnection> client_;
    schema::Pipeline::Client pipeline_ = nullptr;
    std::uint64_t told_ = 0;
    const std::string command_ = std::string(payload_bytes, 'x');
    const Bytes reply_ = Bytes::copy_of("12345678");
};

void gateway_there_and_back(benchmark::State& state) {
    Conversation conversation;
    PerCommand per(state, payload_bytes);
    for (auto _ : state) conversation.write(state.range(0));
}
BENCHMARK(gateway_there_and_back)->Arg(1)->Arg(64)->Arg(1024);

}  // namespace
}  // namespace quorate::rpc

BENCHMARK_MAIN();
