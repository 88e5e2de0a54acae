#pragma once

#include "host/base/error.hpp"

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace quorate::cli {

// What the parser refused, in our words: in which command, what is wrong, what was probably meant.
// Pre: `app` has just thrown `refusal`.
Error usage_error(const CLI::App& app, const CLI::ParseError& refusal);

// Whether the words ask for JSON: known even where they cannot be parsed.
bool asks_for_json(int argc, char** argv);

}  // namespace quorate::cli
