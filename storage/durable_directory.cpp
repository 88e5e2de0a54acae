#include "storage/durable_directory.hpp"

namespace quorate::storage {

Result<void> make_directory_durably(Files& files, const std::string& path) {
    TRY_VOID(files.make_directory(path));
    for (std::string parent = path; !parent.empty();) {
        std::size_t slash = parent.rfind('/');
        parent.resize(slash == std::string::npos ? 0 : slash);
        TRY_VOID(files.sync_directory(parent));
    }
    return {};
}

}  // namespace quorate::storage
