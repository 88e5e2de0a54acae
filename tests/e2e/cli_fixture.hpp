#pragma once

#include "tests/support/cluster.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace quorate::testing {

using Words = std::vector<std::string>;

// `quorate` as a user runs it, with a development cluster of its own that ends with the test.
class Cli {
 public:
    Cli() = default;
    Cli(const Cli&) = delete;
    ~Cli() {
        if (up_) cleaned_up();
    }

    Ran operator()(Words words) { return under({}, std::move(words)); }
    // Ended by SIGTERM if it takes longer.
    Ran ended_after(const std::string& seconds, Words words) {
        return under({"/usr/bin/timeout", "-s", "TERM", seconds}, std::move(words));
    }
    // Its output, or a failure of the test with what it said instead.
    std::string ok(const Words& words) {
        Ran ran = (*this)(words);
        EXPECT_EQ(ran.code, 0) << line(words) << ran.out << ran.err;
        return ran.out;
    }
    // The envelope that every answer comes in.
    boost::json::object envelope(Words words) {
        words.insert(words.end(), {"-o", "json"});
        boost::json::object envelope = boost::json::parse(ok(words)).as_object();
        EXPECT_TRUE(envelope.at("schema").as_string().starts_with("quorate.")) << line(words);
        EXPECT_TRUE(envelope.at("schema").as_string().ends_with("/1")) << line(words);
        EXPECT_TRUE(envelope.at("cluster").is_string());
        EXPECT_TRUE(envelope.at("warnings").is_array());
        return envelope;
    }
    boost::json::value data(Words words) { return envelope(std::move(words)).at("data"); }
    boost::json::array list(Words words) { return data(std::move(words)).as_array(); }
    // The error's object, after holding the run to this exit code and an empty standard output.
    boost::json::object error(Words words, int code) {
        words.insert(words.end(), {"-o", "json"});
        Ran ran = (*this)(words);
        EXPECT_EQ(ran.code, code) << line(words) << ran.out << ran.err;
        EXPECT_EQ(ran.out, "") << line(words);
        boost::json::object error = boost::json::parse(ran.err).as_object().at("error").as_object();
        for (const char* key : {"code", "name", "message", "hint", "retryable", "outcome"}) {
            EXPECT_TRUE(error.contains(key)) << line(words) << "has no " << key;
        }
        return error;
    }

    void up(const Words& options = {}) {
        Words words{"dev", "up", "--timeout", "20s"};
        words.insert(words.end(), options.begin(), options.end());
        up_ = true;
        ok(words);
    }
    std::string directory() const { return scratch_.path() + "/dev"; }

 private:
    static std::string line(const Words& words) {
        std::string text = "quorate";
        for (const std::string& word : words) text += " " + word;
        return text + "\n";
    }
    Ran under(Words program, const Words& words) {
        program.push_back(quorate_program());
        program.insert(program.end(), words.begin(), words.end());
        return run(std::move(program), {"QUORATE_DEV_DIR=" + directory(), "QUORATE_ENDPOINTS="},
                   150s);
    }
    void cleaned_up() {
        if (::testing::Test::HasFailure()) {
            for (const char* host : {"h1", "h2", "h3", "h4"}) {
                std::string log = read_text(directory() + "/" + host + ".log");
                if (!log.empty()) std::cerr << "---- " << host << "\n" << last_lines(log, 30);
            }
        }
        (*this)({"dev", "down"});
    }

    ScratchDirectory scratch_;
    bool up_ = false;
};

inline std::string text_of(const boost::json::value& value, const char* key) {
    return std::string(value.as_object().at(key).as_string());
}

}  // namespace quorate::testing
