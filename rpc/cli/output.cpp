#include "rpc/cli/output.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>

namespace quorate::cli {
namespace {

// Columns that the terminal shows: code points, not bytes.
std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(
        text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// What to do, for somebody at this program.
std::string_view advice(const Error& error) {
    if (error.advice() != error_info(error.code).hint) return error.hint;
    if (error.code == Errc::deadline_exceeded) {
        return "allow more time with --timeout, or see who answers: `quorate host list`, `quorate "
               "leader show GROUP`";
    }
    if (error.code == Errc::unreachable) {
        return "is a host up there? --endpoint or $QUORATE_ENDPOINTS say where to ask; `quorate "
               "dev "
               "up` starts hosts for development";
    }
    return error.advice();
}

}  // namespace

void Table::note(std::string_view subject, std::string_view text) {
    if (!text.empty()) notes_ += fmt::format("{}: {}\n", subject, one_line(text));
}

std::string Table::text() const {
    std::vector<std::size_t> widths(rows_.front().size());
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
    }
    std::string text;
    for (const auto& row : rows_) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            line += row[i];
            if (i + 1 < row.size()) line.append(widths[i] - width(row[i]) + 2, ' ');
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += one_line(line) + "\n";
    }
    return notes_.empty() ? text : text + "\n" + notes_;
}

void Printer::answer(std::string_view name, boost::json::value data, std::string_view text) {
    if (format_ == Format::table) {
        std::fwrite(text.data(), 1, text.size(), stdout);
        if (!text.empty() && text.back() != '\n') std::fputc('\n', stdout);
        for (const std::string& warning : warnings_) fmt::print(stderr, "warning: {}\n", warning);
        return;
    }
    if (cluster_.empty()) cluster_ = cluster_of_host_();
    boost::json::object envelope{{"schema", fmt::format("quorate.{}/1", name)},
                                 {"cluster", cluster_},
                                 {"data", std::move(data)},
                                 {"warnings", boost::json::value_from(warnings_)}};
    fmt::print("{}\n", boost::json::serialize(envelope));
}

void print_error(Format format, const Error& error, Effect effect) {
    const ErrorInfo& info = error_info(error.code);
    if (format == Format::json) {
        boost::json::object body{
            {"code", fmt::format("QR-{}", static_cast<unsigned>(error.code))},
            {"name", info.name},
            {"message", error.what},
            {"hint", advice(error)},
            {"retryable", info.retryable},
            {"outcome", effect == Effect::unknown ? "unknown" : "not_applied"}};
        if (error.retry_after_ms != 0) body["retry_after_ms"] = error.retry_after_ms;
        fmt::print(stderr, "{}\n", boost::json::serialize(boost::json::object{{"error", body}}));
        return;
    }
    fmt::print(stderr, "error {}\n  fix: {}\n", to_string(error), advice(error));
    if (error.retry_after_ms != 0) {
        fmt::print(stderr, "  retry: in about {} ms\n", error.retry_after_ms);
    }
    if (effect == Effect::not_applied) {
        fmt::print(stderr, "  outcome: not applied{}\n",
                   info.retryable ? "; it is safe to send it again" : "");
    }
    if (effect == Effect::unknown) {
        fmt::print(stderr, "  outcome: unknown; it may have been applied, or may yet be\n");
    }
    fmt::print(stderr, "  more: quorate explain QR-{}\n", static_cast<unsigned>(error.code));
}

int exit_code(Errc code) {
    switch (code) {  // all of them, so that a new one is decided on
        case Errc::config_invalid:
        case Errc::config_unreadable:
        case Errc::address_invalid:
        case Errc::request_invalid:
        case Errc::name_invalid:
        case Errc::command_text_invalid:
        case Errc::command_too_large:
        case Errc::message_too_large:
            return 2;
        case Errc::unreachable:
        case Errc::cluster_mismatch:
        case Errc::protocol:
        case Errc::version_mismatch:
            return 3;
        case Errc::deadline_exceeded:
        case Errc::not_leader:
        case Errc::no_leader:
        case Errc::no_quorum:
        case Errc::leadership_lost:
            return 4;
        case Errc::group_exists:
        case Errc::group_not_formed:
        case Errc::already_member:
        case Errc::change_not_permitted:
        case Errc::will_break_quorum:
        case Errc::not_voter:
        case Errc::already_leader:
        case Errc::already_started:
        case Errc::member_stopped:
        case Errc::member_fenced:
        case Errc::member_recovering:
        case Errc::epoch_mismatch:
        case Errc::snapshot_busy:
        case Errc::transfer_failed:
        case Errc::cancelled:
        case Errc::overloaded:
        case Errc::disk_full:
        case Errc::access_denied:
        case Errc::plugin_fault:
        case Errc::query_failed:
        case Errc::unsupported:
        case Errc::directory_in_use:
        case Errc::directory_not_ours:
            return 5;
        case Errc::no_such_group:
        case Errc::no_such_member:
        case Errc::not_member:
        case Errc::no_such_host:
        case Errc::plugin_not_found:
        case Errc::machine_not_found:
        case Errc::not_found:
        case Errc::compacted:
            return 6;
        case Errc::identity_mismatch:
        case Errc::address_in_use:
        case Errc::plugin_unreadable:
        case Errc::plugin_not_a_plugin:
        case Errc::plugin_truncated:
        case Errc::plugin_abi:
        case Errc::plugin_symbol_missing:
        case Errc::plugin_symbols_leak:
        case Errc::plugin_refused:
        case Errc::plugin_pointer_outside:
        case Errc::snapshot_rejected:
        case Errc::io:
        case Errc::corrupt:
        case Errc::format_unknown:
        case Errc::internal:
            return 1;
    }
    return 1;  // a newer host's, which this build does not know
}

boost::json::value number(std::uint64_t value) {
    if (value > (1ull << 53)) return boost::json::string(std::to_string(value));
    return value;
}

std::string bytes_text(std::uint64_t bytes) {
    constexpr std::array<const char*, 5> units{"B", "KiB", "MiB", "GiB", "TiB"};
    auto scaled = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (scaled >= 1024 && unit + 1 < units.size()) {
        scaled /= 1024;
        ++unit;
    }
    return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", scaled, units[unit]);
}

std::string one_line(std::string_view text) {
    std::string line(text);
    std::ranges::replace_if(
        line, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
    return line;
}

}  // namespace quorate::cli
