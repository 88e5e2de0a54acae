#include "rpc/codec.hpp"

#include "host/raft/membership.hpp"
#include "rpc/loop/frame.hpp"
#include "tests/rpc/random_messages.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace quorate::testing {
namespace {

using group::PeerMessage;
using rpc::Batch;
using rpc::PeerFrame;

// As it would arrive: one aligned buffer.
Bytes joined(const std::vector<Bytes>& pieces) {
    std::string all;
    for (const Bytes& piece : pieces) all += piece.text();
    auto buffer = std::make_shared<std::uint64_t[]>((all.size() + 7) / 8);
    std::memcpy(buffer.get(), all.data(), all.size());
    ByteView view(reinterpret_cast<const std::byte*>(buffer.get()), all.size());
    return {std::move(buffer), view};
}

// What a receiver does with bytes from outside: the table first, then the rest.
Result<PeerFrame> receive(const Bytes& bytes) {
    auto header = loop::read_frame_header(bytes.view(), {.max_bytes = 1 << 20});
    const auto* size = std::get_if<loop::FrameSize>(&header);
    if (size == nullptr || size->total_bytes != bytes.size())
        return fail(Errc::protocol, "no frame");
    return rpc::decode_frame(bytes);
}

Result<PeerFrame> round_trip(const PeerFrame& frame) {
    return receive(joined(rpc::encode_frame(frame)));
}

Batch batch_of(PeerMessage message) {
    Batch batch;
    batch.messages.push_back(std::move(message));
    return batch;
}

class CodecKinds : public ::testing::TestWithParam<std::size_t> {};

TEST_P(CodecKinds, every_message_arrives_as_it_was_sent) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        RandomMessages random(seed);
        PeerMessage sent = random.of_kind(GetParam());
        auto received = round_trip(batch_of(sent));
        ASSERT_TRUE(received.has_value())
            << to_string(received.error()) << " seed " << seed << " " << describe(sent);
        const auto& messages = std::get<Batch>(*received).messages;
        ASSERT_EQ(messages.size(), 1u);
        EXPECT_EQ(describe(messages[0]), describe(sent)) << "seed " << seed;
    }
}

TEST_P(CodecKinds, the_size_is_never_underestimated) {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        RandomMessages random(seed);
        PeerMessage message = random.of_kind(GetParam());
        std::size_t encoded = joined(rpc::encode_frame(batch_of(message))).size();
        EXPECT_LE(encoded, rpc::wire_bytes(message) + 64) << "seed " << seed << describe(message);
    }
}

// Any damage is refused, or yields a message that keeps what decode_frame promises; it never reads out
// of bounds (run under AddressSanitizer) and never throws.
TEST_P(CodecKinds, damaged_bytes_are_refused_or_harmless) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        RandomMessages random(seed);
        Bytes whole = joined(rpc::encode_frame(batch_of(random.of_kind(GetParam()))));
        for (int flips = 0; flips < 100; ++flips) {
            std::string bytes(whole.text());
            for (std::uint64_t i = 0; i <= random.number(3); ++i) {
                bytes[random.number(bytes.size())] ^= static_cast<char>(1u << random.number(8));
            }
            Bytes damaged = joined({Bytes::take(bytes)});
            auto received = receive(damaged);
            if (received.has_value() && std::holds_alternative<Batch>(*received)) {
                for (const auto& one : std::get<Batch>(*received).messages) {
                    EXPECT_TRUE(round_trip(batch_of(one)).has_value())
                        << "seed " << seed << " flip " << flips << " " << describe(one);
                }
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(All, CodecKinds, ::testing::Range<std::size_t>(0, RandomMessages::kinds));

TEST(Codec, a_batch_of_many_kinds_arrives_in_order) {
    RandomMessages random(5);
    Batch sent;
    for (std::size_t i = 0; i < 500; ++i) {
        sent.messages.push_back(random.of_kind(random.number(RandomMessages::kinds)));
    }
    auto received = round_trip(sent);
    ASSERT_TRUE(received.has_value()) << to_string(received.error());
    const auto& messages = std::get<Batch>(*received).messages;
    ASSERT_EQ(messages.size(), sent.messages.size());
    for (std::size_t i = 0; i < messages.size(); ++i) {
        EXPECT_EQ(describe(messages[i]), describe(sent.messages[i])) << i;
    }
}

TEST(Codec, a_frame_cut_short_anywhere_is_refused) {
    RandomMessages random(6);
    Batch batch;
    for (std::size_t kind = 0; kind < RandomMessages::kinds; ++kind) {
        batch.messages.push_back(random.of_kind(kind));
    }
    std::string whole(joined(rpc::encode_frame(batch)).text());
    for (std::size_t length = 0; length < whole.size(); ++length) {
        EXPECT_FALSE(receive(joined({Bytes::take(whole.substr(0, length))})).has_value()) << length;
        // Even if the table were made to fit, what lies beyond the end is not read.
        std::string lie = whole.substr(0, std::max<std::size_t>(16, length / 8 * 8));
        if (whole[0] == 0) {  // one segment
            auto words = static_cast<std::uint32_t>((lie.size() - 8) / 8);
            std::memcpy(lie.data() + 4, &words, 4);
            EXPECT_FALSE(receive(joined({Bytes::take(lie)})).has_value()) << length;
        }
    }
}

TEST(Codec, payloads_are_slices_of_the_received_frame) {
    raft::AppendEntries append{.term = Term(1), .last = Index(1), .leader_last = Index(1)};
    append.entries.push_back(
        {{Term(1), Index(1)}, raft::EntryKind::command, Bytes::copy_of("payload!")});
    Bytes frame = joined(rpc::encode_frame(
        batch_of(group::RaftEnvelope{GroupId(1), Epoch(1), MemberId(1), MemberId(2), append})));
    auto received = rpc::decode_frame(frame);
    ASSERT_TRUE(received.has_value());
    const auto& message = std::get<Batch>(*received).messages[0];
    const auto& envelope = std::get<group::RaftEnvelope>(message);
    const auto& payload = std::get<raft::AppendEntries>(envelope.message).entries[0].payload;
    EXPECT_GE(payload.view().data(), frame.view().data());
    EXPECT_LE(payload.view().data() + payload.size(), frame.view().data() + frame.size());
}

TEST(Codec, hellos_arrive_as_they_were_sent) {
    rpc::Hello sent{.protocol = 3,
                    .protocol_oldest = 2,
                    .software = "quorate 1.2",
                    .cluster = "c",
                    .incarnation = 77,
                    .self = {"alpha", "127.0.0.1:1", "127.0.0.1:2"},
                    .hosts = {{"beta", "127.0.0.1:3", ""}},
                    .lane = 4};
    auto check = [&](const rpc::Hello& got) {
        EXPECT_EQ(got.protocol, 3);
        EXPECT_EQ(got.protocol_oldest, 2);
        EXPECT_EQ(got.software, "quorate 1.2");
        EXPECT_EQ(got.cluster, "c");
        EXPECT_EQ(got.incarnation, 77u);
        EXPECT_EQ(got.lane, 4);
        EXPECT_EQ(got.self.name, "alpha");
        EXPECT_EQ(got.self.client_address, "127.0.0.1:2");
        ASSERT_EQ(got.hosts.size(), 1u);
        EXPECT_EQ(got.hosts[0].name, "beta");
        EXPECT_EQ(got.hosts[0].peer_address, "127.0.0.1:3");
    };
    check(std::get<rpc::Hello>(*round_trip(sent)));
    check(std::get<rpc::Accepted>(*round_trip(rpc::Accepted{sent})).hello);
    auto refused = round_trip(rpc::RefusedHello{{Errc::cluster_mismatch, "another cluster"}});
    EXPECT_EQ(std::get<rpc::RefusedHello>(*refused).why.code, Errc::cluster_mismatch);
    EXPECT_EQ(std::get<rpc::Ping>(*round_trip(rpc::Ping{9})).number, 9u);
    EXPECT_EQ(std::get<rpc::Pong>(*round_trip(rpc::Pong{9})).number, 9u);
    EXPECT_EQ(std::get<rpc::Hosts>(*round_trip(rpc::Hosts{sent.hosts})).hosts.size(), 1u);
}

TEST(Codec, names_that_would_not_be_safe_to_print_are_refused) {
    for (const char* bad : {"", "a b", "a\nb", "-a", "../x", "a/b", "\xff"}) {
        rpc::Hello hello{.protocol = 1, .incarnation = 1, .self = {bad, "", ""}};
        EXPECT_FALSE(round_trip(hello).has_value()) << bad;
        EXPECT_FALSE(round_trip(rpc::Hosts{{{bad, "", ""}}}).has_value()) << bad;
    }
    rpc::Hello long_name{.protocol = 1, .incarnation = 1, .self = {std::string(65, 'a'), "", ""}};
    EXPECT_FALSE(round_trip(long_name).has_value());
}

// ---- what the core takes for granted ------------------------------------------------------------

PeerMessage from_core(raft::Message message) {
    return group::RaftEnvelope{GroupId(1), Epoch(1), MemberId(1), MemberId(2), std::move(message)};
}

raft::AppendEntries good_append() {
    raft::AppendEntries append{.term = Term(5),
                               .prev = {Term(2), Index(10)},
                               .last = Index(12),
                               .commit = Index(11),
                               .leader_last = Index(12)};
    append.entries.push_back({{Term(2), Index(11)}, raft::EntryKind::command, Bytes::copy_of("a")});
    append.entries.push_back({{Term(5), Index(12)}, raft::EntryKind::command, Bytes::copy_of("b")});
    return append;
}

bool taken(PeerMessage message) {
    return round_trip(batch_of(std::move(message))).has_value();
}

TEST(Codec, entries_whose_terms_cannot_be_are_refused) {
    ASSERT_TRUE(taken(from_core(good_append())));
    auto with = [](auto change) {
        raft::AppendEntries append = good_append();
        change(append);
        return taken(from_core(std::move(append)));
    };
    EXPECT_FALSE(with([](auto& m) { m.entries[0].id.term = Term(1); })) << "falls below prev";
    EXPECT_FALSE(with([](auto& m) { m.entries[1].id.term = Term(1); })) << "falls";
    EXPECT_FALSE(with([](auto& m) { m.entries[1].id.term = Term(6); })) << "exceeds the leader's";
    EXPECT_FALSE(with([](auto& m) { m.prev.term = Term(6); })) << "prev exceeds the leader's";
    EXPECT_FALSE(with([](auto& m) { m.prev.term = Term(0); })) << "half an id";
    EXPECT_FALSE(with([](auto& m) { m.leader_last = Index(11); })) << "ends before what it sends";
    EXPECT_FALSE(with([](auto& m) { m.commit = Index(13); })) << "commits what it lacks";
    EXPECT_FALSE(with([](auto& m) { m.entries[0].kind = raft::EntryKind(0); })) << "no kind";
    EXPECT_FALSE(with([](auto& m) { m.entries[0].kind = raft::EntryKind(9); })) << "unknown kind";
    EXPECT_FALSE(with([](auto& m) { m.entries[0].kind = raft::EntryKind::noop; })) << "full noop";
    EXPECT_FALSE(with([](auto& m) { m.entries[0].kind = raft::EntryKind::membership; }))
        << "no membership";
    EXPECT_FALSE(with([](auto& m) { m.term = Term(1ull << 63); })) << "no such term";
}

TEST(Codec, ids_of_zero_are_refused) {
    raft::VoteReply reply{.term = Term(1)};
    EXPECT_TRUE(taken(group::RaftEnvelope{GroupId(1), Epoch(1), MemberId(1), MemberId(2), reply}));
    EXPECT_FALSE(taken(group::RaftEnvelope{GroupId(), Epoch(1), MemberId(1), MemberId(2), reply}));
    EXPECT_FALSE(taken(group::RaftEnvelope{GroupId(1), Epoch(), MemberId(1), MemberId(2), reply}));
    EXPECT_FALSE(taken(group::RaftEnvelope{GroupId(1), Epoch(1), MemberId(), MemberId(2), reply}));
    EXPECT_FALSE(taken(group::RaftEnvelope{GroupId(1), Epoch(1), MemberId(1), MemberId(), reply}));
    EXPECT_FALSE(taken(group::Request{0, 1s, group::PingRequest{}}));
}

TEST(Codec, a_piece_beyond_its_snapshots_end_is_refused) {
    group::SnapshotPiece piece{.group = GroupId(1),
                               .from = MemberId(1),
                               .to = MemberId(2),
                               .snapshot = {Term(1), Index(1)},
                               .offset = 90,
                               .total = 100,
                               .bytes = Bytes::copy_of("0123456789")};
    EXPECT_TRUE(taken(piece));
    piece.offset = 91;
    EXPECT_FALSE(taken(piece));
    piece.offset = ~0ull;
    EXPECT_FALSE(taken(piece));
    piece.total = 5;
    piece.offset = 0;
    EXPECT_FALSE(taken(piece));
}

TEST(Codec, a_wait_of_ages_is_shortened_rather_than_wrapped) {
    auto received = round_trip(batch_of(group::Request{1, Duration::max(), group::PingRequest{}}));
    ASSERT_TRUE(received.has_value());
    const auto& request = std::get<group::Request>(std::get<Batch>(*received).messages[0]);
    EXPECT_GT(request.remaining, 1h);
    EXPECT_LE(request.remaining, 24h);
}

}  // namespace
}  // namespace quorate::testing
