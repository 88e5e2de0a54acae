#include "host/machine/default_functions.hpp"

#include <cstring>
#include <string_view>

namespace quorate::machine {
namespace {

std::int32_t unsupported(qr_error* error, std::string_view text) {
    error->code = QR_UNSUPPORTED;
    std::size_t kept = text.copy(error->text, sizeof(error->text) - 1);
    error->text[kept] = '\0';
    return QR_UNSUPPORTED;
}

std::int32_t no_open(qr_machine*, std::uint64_t*, qr_error* error) {
    return unsupported(error, "this machine keeps no files of its own");
}
std::int32_t no_query(const qr_machine*, const qr_query*, qr_writer*, qr_error* error) {
    return unsupported(error, "this machine answers no queries");
}
std::int32_t no_view_open(qr_machine*, qr_view**, qr_error* error) {
    return unsupported(error, "this machine gives no views");
}
std::int32_t no_view_save(const qr_view*, qr_writer*, const qr_cancel*, qr_error* error) {
    return unsupported(error, "this machine gives no views");
}
std::int32_t no_view_query(const qr_view*, const qr_query*, qr_writer*, qr_error* error) {
    return unsupported(error, "this machine answers no queries from a view");
}
void no_view_close(qr_view*) {}
std::int32_t no_load(qr_machine*, const qr_snapshot_info*, qr_reader*, const qr_cancel*,
                     qr_error* error) {
    return unsupported(error, "this machine loads no snapshots");
}
std::int32_t no_upgrade(qr_machine*, const qr_upgrade*, qr_fx*, qr_error*) {
    return QR_OK;
}
std::int32_t no_sync(qr_machine*, qr_error*) {
    return QR_OK;
}
std::int32_t no_hash(const qr_view*, std::uint64_t*, qr_error* error) {
    return unsupported(error, "this machine computes no hash");
}
std::int32_t empty_overview(const qr_machine*, qr_writer* writer, qr_error*) {
    constexpr std::string_view empty = "{}";
    return writer->write(writer,
                         {reinterpret_cast<const std::uint8_t*>(empty.data()), empty.size()});
}
const void* no_extension(const qr_machine_type*, const char*) {
    return nullptr;
}

template <class Function>
void set_if_null(Function*& function, Function* otherwise) {
    if (function == nullptr) function = otherwise;
}

}  // namespace

void set_default_functions(qr_machine_type& table) {
    set_if_null(table.open, no_open);
    set_if_null(table.query, no_query);
    set_if_null(table.view_open, no_view_open);
    set_if_null(table.view_save, no_view_save);
    set_if_null(table.view_query, no_view_query);
    set_if_null(table.view_close, no_view_close);
    set_if_null(table.load, no_load);
    set_if_null(table.upgrade, no_upgrade);
    set_if_null(table.sync, no_sync);
    set_if_null(table.hash, no_hash);
    set_if_null(table.overview, empty_overview);
    set_if_null(table.extension, no_extension);
}

}  // namespace quorate::machine
