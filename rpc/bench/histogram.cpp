#include "rpc/bench/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace quorate::bench {

// Values below `steps` have a bucket each; above, the highest set bit chooses the power of two.
std::size_t Histogram::bucket_of(std::uint64_t value) {
    auto width = static_cast<unsigned>(std::bit_width(value));
    if (width <= step_bits) return value;
    unsigned shift = width - step_bits - 1;
    return (std::size_t{shift} << step_bits) + (value >> shift);
}

std::uint64_t Histogram::highest_in(std::size_t bucket) {
    if (bucket < 2 * steps) return bucket;
    std::size_t shift = (bucket >> step_bits) - 1;
    std::uint64_t first = (bucket - (shift << step_bits)) << shift;
    return first + ((std::uint64_t{1} << shift) - 1);
}

void Histogram::add(std::uint64_t nanoseconds) {
    ++counts_[bucket_of(nanoseconds)];
    ++count_;
    max_ = std::max(max_, nanoseconds);
}

void Histogram::merge(const Histogram& other) {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    count_ += other.count_;
    max_ = std::max(max_, other.max_);
}

std::uint64_t Histogram::quantile(double q) const {
    auto wanted = static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(count_)));
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
        seen += counts_[bucket];
        if (seen >= wanted && seen > 0) return std::min(highest_in(bucket), max_);
    }
    return max_;
}

}  // namespace quorate::bench
