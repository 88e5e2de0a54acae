#include "rpc/scheduler.hpp"

namespace quorate::rpc {

// SplitMix64 (Steele, Lea, Flood 2014): a bijection of a counter, so no number comes twice.
std::uint64_t LoopScheduler::random() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

}  // namespace quorate::rpc
