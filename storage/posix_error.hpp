#pragma once

#include "host/base/result.hpp"

#include <string>
#include <string_view>

namespace quorate::storage {

// The failure of one system call: "cannot <verb> <path>: <errno's text>". ENOSPC and EDQUOT are
// disk_full, ENOENT is not_found, all others io. Pre: `code` is errno as the call left it.
Error posix_error(std::string_view verb, const std::string& path, int code);

}  // namespace quorate::storage
