#pragma once

#include "storage/files.hpp"

#include <string>

namespace quorate::storage {

// Makes the directory and its missing parents, and syncs each entry on the way: after this no crash
// takes it away, also if who made it before died before syncing. Errors: the file layer's.
Result<void> make_directory_durably(Files& files, const std::string& path);

}  // namespace quorate::storage
