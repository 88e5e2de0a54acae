#pragma once

#include <string>
#include <vector>

namespace quorate::raft::test {

// The scripts that are there, by name.
std::vector<std::string> script_names();
std::string path_of_script(const std::string& name);
// What stands in the file.
std::string text_of_script(const std::string& name);
std::string text_of_cases();  // cases.md

struct Replayed {
    std::string text;                 // the script, with what each of its blocks shows now
    std::vector<std::string> errors;  // of commands that broke
};
// Throws std::runtime_error if the script ends with commands that are to show nothing.
Replayed replay(const std::string& text);

}  // namespace quorate::raft::test
