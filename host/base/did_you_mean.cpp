#include "host/base/did_you_mean.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

namespace quorate {
namespace {

// Edits needed to turn one into the other: Damerau's, for a typo is often two letters swapped.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1);
    std::vector<std::size_t> last(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(last.begin(), last.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            std::size_t changed = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = std::min({changed, last[j] + 1, row[j - 1] + 1});
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
        }
        before = std::exchange(last, row);
    }
    return last.back();
}

}  // namespace

std::string_view did_you_mean(std::string_view written, std::span<const std::string_view> names) {
    std::string_view nearest;
    // A third of the letters may be wrong: beyond, it is another word.
    std::size_t allowed = std::max<std::size_t>(written.size() / 3, 1);
    for (std::string_view name : names) {
        std::size_t edits = distance(written, name);
        if (edits > allowed || name.empty()) continue;
        nearest = name;
        if (edits == 0) break;
        allowed = edits - 1;
    }
    return nearest;
}

}  // namespace quorate
