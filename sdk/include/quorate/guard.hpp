#pragma once

// The inner side of the boundary: nothing a machine throws passes it.

#include <exception>
#include <new>
#include <quorate/command.hpp>
#include <quorate/stream.hpp>

#pragma GCC visibility push(hidden)
namespace quorate {
inline namespace sdk {
namespace detail {

inline std::int32_t fail(qr_error* error, std::int32_t status, std::uint64_t index,
                         std::string_view text, std::int32_t code) noexcept {
    if (error == nullptr) return status;
    error->code = code;
    error->index = index;
    std::size_t size = text.copy(error->text, sizeof error->text - 1);
    error->text[size] = '\0';
    return status;
}
inline std::int32_t fail(qr_error* error, std::int32_t status, std::uint64_t index,
                         std::string_view text) noexcept {
    return fail(error, status, index, text, status);
}

// The status for the exception being handled. Pre: called from a catch block.
inline std::int32_t status_of_exception(qr_error* error, std::uint64_t index) noexcept {
    try {
        throw;
    } catch (const Stop& stop) {
        return fail(
            error, stop.status, index,
            stop.status == QR_CANCELLED ? "cancelled by the host" : "the host's stream failed");
    } catch (const Rejection& rejection) {
        return fail(error, QR_REFUSED, index, rejection.text(), rejection.code());
    } catch (const std::bad_alloc&) {
        return fail(error, QR_FAULT, index, "out of memory");
    } catch (const std::exception& exception) {
        return fail(error, QR_FAULT, index, exception.what());
    } catch (...) {
        return fail(error, QR_FAULT, index, "an exception that is not a std::exception");
    }
}

// Runs `body` and turns whatever leaves it into a status.
template <class Body>
std::int32_t guarded(qr_error* error, Body body) noexcept {
    try {
        body();
        return QR_OK;
    } catch (...) {
        return status_of_exception(error, 0);
    }
}

}  // namespace detail
}  // namespace sdk
}  // namespace quorate
#pragma GCC visibility pop
