#include "rpc/cli/words.hpp"

namespace quorate::cli {
namespace {

constexpr char guard = '\1';  // neither an option nor a command begins with it

}  // namespace

std::vector<std::string> guarded(const std::vector<std::string>& words) {
    std::vector<std::string> result;
    bool open = true;  // no `--` yet
    for (const std::string& word : words) {
        if (open && word == "--") {
            open = false;
        } else {
            bool as_it_is = open && word != "++" && !word.starts_with(guard);
            result.push_back(as_it_is ? word : guard + word);
        }
    }
    return result;
}

std::string unguarded(std::string word) {
    if (word.starts_with(guard)) word.erase(0, 1);
    return word;
}

}  // namespace quorate::cli
