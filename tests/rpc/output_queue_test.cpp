#include "rpc/loop/output_queue.hpp"

#include <gtest/gtest.h>

#include <random>

namespace quorate::testing {
namespace {

using loop::OutputQueue;

std::string front_of(OutputQueue& queue) {
    std::string text;
    for (ByteView piece : queue.front()) text += as_text(piece);
    return text;
}

TEST(OutputQueue, gives_what_it_took_in_order_whatever_is_consumed_when) {
    unsigned seed = std::random_device()();
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    OutputQueue queue;
    std::string waiting;
    char next = 'a';
    for (int step = 0; step < 5000; ++step) {
        // Small ones are gathered, large ones kept, some chunks grow full.
        std::size_t sizes[] = {1, 8, 300, 5000, 70'000};
        std::string piece(sizes[random() % 5],
                          next = next == 'z' ? 'a' : static_cast<char>(next + 1));
        if (random() % 2 == 0) {
            queue.push_copy(as_bytes(piece));
        } else {
            queue.push(Bytes::copy_of(piece));
        }
        waiting += piece;
        ASSERT_EQ(queue.size(), waiting.size());
        if (random() % 3 != 0) continue;
        std::string front = front_of(queue);
        ASSERT_FALSE(front.empty());
        ASSERT_TRUE(waiting.starts_with(front));
        std::size_t count = random() % 4 == 0 ? front.size() : random() % (front.size() + 1);
        queue.consume(count);
        waiting.erase(0, count);
        ASSERT_EQ(queue.empty(), waiting.empty());
    }
    while (!queue.empty()) {
        std::string front = front_of(queue);
        ASSERT_FALSE(front.empty());
        ASSERT_TRUE(waiting.starts_with(front));
        queue.consume(front.size());
        waiting.erase(0, front.size());
    }
    EXPECT_EQ(waiting, "");
    EXPECT_TRUE(queue.front().empty());
}

TEST(OutputQueue, gathers_small_pieces_into_one) {
    OutputQueue queue;
    for (int i = 0; i < 100; ++i) queue.push_copy(as_bytes(std::string_view("small")));
    EXPECT_EQ(queue.front().size(), 1u);
    queue.consume(7);
    queue.push_copy(as_bytes(std::string_view("later")));
    EXPECT_EQ(queue.front().size(), 1u);
    EXPECT_EQ(queue.size(), 498u);
    queue.clear();
    EXPECT_TRUE(queue.empty());
    queue.push_copy(as_bytes(std::string_view("anew")));
    EXPECT_EQ(front_of(queue), "anew");
}

}  // namespace
}  // namespace quorate::testing
