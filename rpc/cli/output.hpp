#pragma once

#include "host/base/result.hpp"

#include <boost/json/value.hpp>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace quorate::cli {

enum class Format : std::uint8_t { table, json };

// Rows under headings, columns as wide as their widest cell; what is too long for a cell stands below.
class Table {
 public:
    explicit Table(std::vector<std::string> headings) : rows_{std::move(headings)} {}
    void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
    // "subject: text" below the rows; nothing if there is no text.
    void note(std::string_view subject, std::string_view text);
    bool empty() const { return rows_.size() == 1; }
    std::string text() const;

 private:
    std::vector<std::vector<std::string>> rows_;
    std::string notes_;
};

// Prints answers: people get text, programs get one JSON envelope with a stable schema name.
class Printer {
 public:
    // `cluster_of_host` is asked once, with an answer to print, for the name of the cluster.
    Printer(Format format, std::function<std::string()> cluster_of_host)
        : format_(format), cluster_of_host_(std::move(cluster_of_host)) {}
    Format format() const { return format_; }
    void cluster(std::string name) { cluster_ = std::move(name); }
    void warn(std::string text) { warnings_.push_back(std::move(text)); }

    // `text` for people, or {"schema": "quorate.<name>/1", "cluster", "data", "warnings"}.
    void answer(std::string_view name, boost::json::value data, std::string_view text);

 private:
    Format format_;
    std::function<std::string()> cluster_of_host_;
    std::string cluster_;
    std::vector<std::string> warnings_;
};

// What a failed request may have done: said beside its error. A question does nothing.
enum class Effect : std::uint8_t { question, not_applied, unknown };

// Prints an error on standard error in the chosen form.
void print_error(Format format, const Error& error, Effect effect = Effect::question);

// 2 usage, 3 cannot connect, 4 timeout or unknown, 5 refused by state, 6 no such thing, 1 the rest.
int exit_code(Errc code);
// A command was applied, and the machine's reply is a rejection.
inline constexpr int exit_rejected = 7;

// 64-bit numbers above 2^53 as strings, which JSON numbers cannot hold.
boost::json::value number(std::uint64_t value);

std::string bytes_text(std::uint64_t bytes);

// With a space for each control character: what a machine threw may have any.
std::string one_line(std::string_view text);

}  // namespace quorate::cli
