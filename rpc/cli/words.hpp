#pragma once

#include <string>
#include <string_view>
#include <vector>

// The words of a command line, kept from a parser that takes some of them for its own: `submit` and
// `query` pass on words that may be anything.
namespace quorate::cli {

// What the parser gets of the words behind the program's name. What comes after the first `--`
// (which is left out) is no option, whatever it looks like; nor is `++`, which ends a command
// there.
std::vector<std::string> guarded(const std::vector<std::string>& words);

// The word as it was written.
std::string unguarded(std::string word);

}  // namespace quorate::cli
