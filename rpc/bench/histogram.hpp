#pragma once

#include <array>
#include <cstdint>

namespace quorate::bench {

// How often each latency was seen, to 1.6 % of its value, in memory that does not grow: 64 equal steps
// within each power of two (the layout of Gil Tene's HdrHistogram).
class Histogram {
 public:
    void add(std::uint64_t nanoseconds);
    void merge(const Histogram& other);
    std::uint64_t count() const { return count_; }
    std::uint64_t max() const { return max_; }  // exactly; nanoseconds
    // The latency that the share `q` (0 to 1) did not exceed; 0 if there is none.
    std::uint64_t quantile(double q) const;

 private:
    static constexpr unsigned step_bits = 6;
    static constexpr std::size_t steps = std::size_t{1} << step_bits;
    static std::size_t bucket_of(std::uint64_t value);
    static std::uint64_t highest_in(std::size_t bucket);

    std::array<std::uint64_t, (65 - step_bits) * steps> counts_{};
    std::uint64_t count_ = 0;
    std::uint64_t max_ = 0;
};

}  // namespace quorate::bench
