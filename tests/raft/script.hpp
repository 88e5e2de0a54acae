#pragma once

#include "tests/raft/node.hpp"

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace quorate::raft::test {

// The words of a command: positional ones, and those of the form key=value.
struct Words {
    explicit Words(const std::string& line);
    std::string verb;
    std::vector<std::string> plain;
    std::map<std::string, std::string> named;

    std::uint64_t number(std::size_t place, std::uint64_t otherwise = 0) const;
    std::uint64_t named_number(const std::string& key, std::uint64_t otherwise = 0) const;
    bool has(const std::string& word) const;
};

// Runs the commands of one script against real cores; see README.md for the commands.
class Script {
 public:
    Script();
    // What the command shows: lines, each ended by '\n'. Throws std::runtime_error on an unknown one.
    std::string run(const std::string& line);

 private:
    struct Letter {
        MemberId from;
        MemberId to;
        Message message;
    };
    using Command = void (Script::*)(const Words&);

    void start(const Words& words);
    void member(const Words& words);
    void campaign(const Words& words);
    void propose(const Words& words);
    void deliver(const Words& words);
    void stabilize(const Words& words);
    void flush(const Words& words);
    void crash(const Words& words);
    void restart(const Words& words);
    void advance(const Words& words);
    void transfer(const Words& words);
    void cancel(const Words& words);
    void add(const Words& words);
    void remove(const Words& words);
    void kind(const Words& words);
    void read(const Words& words);
    void down(const Words& words);
    void lost(const Words& words);
    void compact(const Words& words);
    void snapshot(const Words& words);
    void trim(const Words& words);
    void fetched(const Words& words);
    void isolate(const Words& words);
    void heal(const Words& words);
    void receive(const Words& words);
    void status(const Words& words);
    void log(const Words& words);
    void peers(const Words& words);

    Node& node(std::uint64_t id);
    Node& node_of(const Words& words);
    void set_options(const Words& words);
    void turn(Node& node);
    void step(Node& node, Input input);
    void give(const Letter& letter);
    std::deque<Letter> take_mail(const Words& words);
    void say(const std::string& line) { shown_ += line + "\n"; }

    std::map<std::string, Command> commands_;
    Options options_;
    bool fast_disk_ = false;   // what is stored is durable at once, and not shown
    bool slow_reads_ = false;  // entries that are not cached come when the script says so
    bool quiet_ = false;
    Time now_{};
    std::map<MemberId, std::unique_ptr<Node>> nodes_;
    std::deque<Letter> mail_;
    std::set<MemberId> isolated_;
    std::map<MemberId, NeedEntries> needs_;
    std::map<MemberId, SnapshotWanted> wanted_;
    std::uint64_t next_id_ = 1;
    std::string shown_;
};

// A message as print() shows it, read back.
Message parse_message(const Words& words, std::size_t first);
Membership parse_members(const std::string& text);
Entry parse_entry(const std::string& text);

}  // namespace quorate::raft::test
