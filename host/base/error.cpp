#include "host/base/error.hpp"

#include <algorithm>

namespace quorate {
namespace {

constexpr ErrorInfo catalogue[] = {
#define QUORATE_ERROR(name, number, retryable, hint) {Errc::name, #name, retryable, hint},
#include "host/base/errors.def"
#undef QUORATE_ERROR
};

static_assert(std::ranges::is_sorted(catalogue, {}, &ErrorInfo::code));

}  // namespace

const ErrorInfo& error_info(Errc code) {
    auto found = std::ranges::lower_bound(catalogue, code, {}, &ErrorInfo::code);
    return found != std::end(catalogue) && found->code == code ? *found
                                                               : error_info(Errc::internal);
}

std::span<const ErrorInfo> error_catalogue() {
    return catalogue;
}

std::string to_string(const Error& error) {
    return "QR-" + std::to_string(static_cast<unsigned>(error.code)) + " " +
           std::string(error_info(error.code).name) + ": " + error.what;
}

Error within(std::string_view where, Error error) {
    error.what = std::string(where) + ": " + error.what;
    return error;
}

}  // namespace quorate
