#include "tests/raft/script.hpp"

#include "host/raft/membership.hpp"
#include "tests/raft/print.hpp"

#include <algorithm>
#include <sstream>
#include <stdexcept>

namespace quorate::raft::test {
namespace {

std::string text(MemberId id) {
    return std::to_string(id.value());
}
std::string text(Index index) {
    return std::to_string(index.value());
}

VoteKind parse_kind(const std::string& word) {
    if (word == "promotable") return VoteKind::promotable;
    if (word == "non_voter") return VoteKind::non_voter;
    return VoteKind::voter;
}

}  // namespace

Script::Script() {
    options_.max_append_bytes = 1000;
    options_.commit_delay = {};
    options_.hibernate_rounds = 0;
    now_ = Time{} + 1s;
    commands_ = {{"start", &Script::start},       {"member", &Script::member},
                 {"campaign", &Script::campaign}, {"propose", &Script::propose},
                 {"deliver", &Script::deliver},   {"stabilize", &Script::stabilize},
                 {"flush", &Script::flush},       {"crash", &Script::crash},
                 {"restart", &Script::restart},   {"advance", &Script::advance},
                 {"transfer", &Script::transfer}, {"cancel", &Script::cancel},
                 {"add", &Script::add},           {"remove", &Script::remove},
                 {"kind", &Script::kind},         {"read", &Script::read},
                 {"compact", &Script::compact},   {"snapshot", &Script::snapshot},
                 {"trim", &Script::trim},         {"fetched", &Script::fetched},
                 {"isolate", &Script::isolate},   {"heal", &Script::heal},
                 {"receive", &Script::receive},   {"status", &Script::status},
                 {"log", &Script::log},           {"peers", &Script::peers},
                 {"down", &Script::down},         {"lost", &Script::lost}};
}

std::string Script::run(const std::string& line) {
    Words words(line);
    auto command = commands_.find(words.verb);
    if (command == commands_.end()) throw std::runtime_error("no such command: " + line);
    shown_.clear();
    quiet_ = words.has("quiet");
    (this->*command->second)(words);
    return quiet_ ? std::string() : shown_;
}

// ---- who there is ---------------------------------------------------------------------------------

void Script::set_options(const Words& words) {
    auto turn = [&](const char* key, bool& option) {
        if (words.named.contains(key)) option = words.named.at(key) != "off";
    };
    turn("pre_vote", options_.pre_vote);
    turn("check_quorum", options_.check_quorum);
    if (words.named.contains("commit_delay"))
        options_.commit_delay = 1ms * static_cast<int>(words.named_number("commit_delay"));
    if (words.named.contains("reads")) slow_reads_ = words.named.at("reads") == "slow";
    if (words.named.contains("disk")) fast_disk_ = words.named.at("disk") == "fast";
    auto set = [&](const char* key, auto& option) {
        if (words.named.contains(key))
            option = static_cast<std::decay_t<decltype(option)>>(words.named_number(key));
    };
    set("max_entries", options_.max_append_entries);
    set("max_bytes", options_.max_append_bytes);
    set("window", options_.max_inflight_messages);
    set("window_bytes", options_.max_inflight_bytes);
    set("max_uncommitted", options_.max_uncommitted_bytes);
    set("hibernate", options_.hibernate_rounds);
}

// start 1,2,3: members that were never started before, all of one group.
void Script::start(const Words& words) {
    set_options(words);
    Membership members = parse_members(words.plain.at(0));
    for (const Member& one : members.members) {
        nodes_[one.id] = std::make_unique<Node>(one.id, options_, members);
        nodes_[one.id]->start(one.id.value(), now_);
        turn(*nodes_[one.id]);
    }
}

// member 1 members=1,2,3 term=3 vote=2 log=1,1,2 snapshot=1: one with a past. log gives its entries' terms.
void Script::member(const Words& words) {
    set_options(words);
    MemberId id(words.number(0));
    auto made = std::make_unique<Node>(id, options_, parse_members(words.named.at("members")));
    std::vector<Entry> entries;
    std::istringstream terms(words.named.contains("log") ? words.named.at("log") : "");
    for (std::string word; std::getline(terms, word, ',');) {
        EntryId entry{Term(std::stoull(word)), Index(entries.size() + 1)};
        std::size_t bracket = word.find('[');
        if (bracket == std::string::npos) {
            entries.push_back({entry, EntryKind::command, Bytes::copy_of(std::string_view("x"))});
        } else {  // 2[1;2;3]: a membership
            std::string names = word.substr(bracket + 1, word.size() - bracket - 2);
            std::replace(names.begin(), names.end(), ';', ',');
            entries.push_back({entry, EntryKind::membership, encode(parse_members(names))});
        }
    }
    HardState hard{Term(words.named_number("term")), MemberId(words.named_number("vote"))};
    made->set_disk(hard, entries, Index(words.named_number("snapshot")));
    if (words.has("damaged")) made->damage(made->durable_log().last().next());
    made->start(id.value(), now_);
    nodes_[id] = std::move(made);
    turn(*nodes_[id]);
}

Node& Script::node(std::uint64_t id) {
    auto found = nodes_.find(MemberId(id));
    if (found == nodes_.end()) throw std::runtime_error("no member " + std::to_string(id));
    return *found->second;
}

Node& Script::node_of(const Words& words) {
    return node(words.number(0));
}

void Script::crash(const Words& words) {
    node_of(words).crash(words.named_number("kept"));
}

void Script::restart(const Words& words) {
    Node& one = node_of(words);
    if (one.up()) one.crash(words.named_number("kept"));
    one.start(one.id().value() + one.starts(), now_);
    turn(one);
}

// ---- turns and mail -------------------------------------------------------------------------------

void Script::turn(Node& node) {
    for (bool again = true; again;) {
        Output output = node.take();
        for (const NeedEntries& need : output.need_entries) needs_[node.id()] = need;
        again = !slow_reads_ && !output.need_entries.empty();
        if (again) {
            for (const NeedEntries& need : std::exchange(output.need_entries, {}))
                node.step(node.read(need));
        }
        if (output.snapshot_wanted) wanted_[node.id()] = *output.snapshot_wanted;
        for (const Send& send : output.sends) mail_.push_back({node.id(), send.to, send.message});
        bool plain_store = output.store && !output.store->truncate_from && !output.store->reset;
        if (fast_disk_ && plain_store) output.store.reset();
        for (const std::string& line : print(node.id(), output)) say(line);
        if (!fast_disk_ || node.unflushed() == 0) continue;
        node.flush(node.unflushed());
        again = true;
    }
}

void Script::step(Node& node, Input input) {
    node.step(std::move(input));
    turn(node);
}

void Script::give(const Letter& letter) {
    if (isolated_.contains(letter.from) || isolated_.contains(letter.to)) return;
    auto found = nodes_.find(letter.to);
    if (found == nodes_.end() || !found->second->up()) return;
    step(*found->second, Receive{letter.from, letter.to, Epoch(1), letter.message});
}

// What is in the mail now, or the part of it that from= and to= name; drop= loses what goes to or
// comes from a member.
std::deque<Script::Letter> Script::take_mail(const Words& words) {
    std::deque<Letter> taken, left;
    MemberId from(words.named_number("from")), to(words.named_number("to")),
        drop(words.named_number("drop"));
    for (Letter& letter : mail_) {
        if (drop && (letter.from == drop || letter.to == drop)) continue;
        bool wanted = (!from || letter.from == from) && (!to || letter.to == to);
        (wanted ? taken : left).push_back(std::move(letter));
    }
    mail_ = std::move(left);
    if (words.has("reversed")) std::reverse(taken.begin(), taken.end());
    return taken;
}

void Script::deliver(const Words& words) {
    for (const Letter& letter : take_mail(words)) {
        if (words.has("lost")) continue;
        give(letter);
        if (words.has("twice")) give(letter);
    }
}

// Delivers and flushes until nothing moves any more.
void Script::stabilize(const Words& words) {
    for (int i = 0; i < 1000; ++i) {
        bool moved = false;
        for (const Letter& letter : take_mail(words)) {
            moved = true;
            give(letter);
        }
        for (auto& [id, one] : nodes_) {
            if (!one->up() || one->unflushed() == 0) continue;
            moved = true;
            one->flush(one->unflushed());
            turn(*one);
        }
        if (!moved) return;
    }
    throw std::runtime_error("does not come to rest");
}

void Script::flush(const Words& words) {
    Node& one = node_of(words);
    one.flush(words.number(1, one.unflushed()));
    turn(one);
}

// advance 300 [1]: time passes for all members, or for one.
void Script::advance(const Words& words) {
    now_ += 1ms * static_cast<int>(words.number(0));
    for (auto& [id, one] : nodes_) {
        if (one->up() && (words.number(1) == 0 || id == MemberId(words.number(1))))
            step(*one, Tick{now_});
    }
}

void Script::isolate(const Words& words) {
    for (const std::string& word : words.plain) isolated_.insert(MemberId(std::stoull(word)));
}

void Script::heal(const Words&) {
    isolated_.clear();
}

// receive 1 from 2 Append term=2 prev=1/1 commit=1 +2/2'x'
void Script::receive(const Words& words) {
    Epoch epoch(words.named_number("epoch", 1));
    MemberId to(words.named_number("addressee", words.number(0)));
    step(node_of(words), Receive{MemberId(words.number(2)), to, epoch, parse_message(words, 3)});
}

// ---- requests -------------------------------------------------------------------------------------

void Script::campaign(const Words& words) {
    step(node_of(words), Campaign{});
}

void Script::propose(const Words& words) {
    Propose batch{.id = next_id_++};
    for (std::size_t i = 1; i < words.plain.size(); ++i) {
        if (words.plain[i] != "quiet")
            batch.batch.push_back({EntryKind::command, Bytes::copy_of(words.plain[i])});
    }
    step(node_of(words), std::move(batch));
}

void Script::transfer(const Words& words) {
    step(node_of(words), TransferLeadership{next_id_++, MemberId(words.number(1))});
}

void Script::cancel(const Words& words) {
    step(node_of(words), CancelTransfer{});
}

// add 1 4 [promotable|non_voter]
void Script::add(const Words& words) {
    Member added{.id = MemberId(words.number(1)), .host = "h" + words.plain[1]};
    if (words.plain.size() > 2) added.kind = parse_kind(words.plain[2]);
    step(node_of(words), ChangeMembership{next_id_++, AddMember{added}});
}

void Script::remove(const Words& words) {
    step(node_of(words), ChangeMembership{next_id_++, RemoveMember{MemberId(words.number(1))}});
}

void Script::kind(const Words& words) {
    SetVoteKind change{MemberId(words.number(1)), parse_kind(words.plain.at(2))};
    step(node_of(words), ChangeMembership{next_id_++, change});
}

// down 1 2 3: the hosts of 2 and 3 do not answer that of 1, all others do.
void Script::down(const Words& words) {
    Unreachable input;
    for (std::size_t i = 1; i < words.plain.size(); ++i)
        input.members.push_back(MemberId(words.number(i)));
    step(node_of(words), std::move(input));
}

// lost 2 1 term=3: the host of 1 tells that of 2 that its member does not lead the term.
void Script::lost(const Words& words) {
    step(node_of(words), LeaderLost{MemberId(words.number(1)), Term(words.named_number("term"))});
}

void Script::read(const Words& words) {
    step(node_of(words), Read{ReadId(words.number(1))});
}

// compact 1 [from]: a snapshot of what is applied; the log is kept from there on.
void Script::compact(const Words& words) {
    Node& one = node_of(words);
    if (!one.compact(Index(words.number(1, one.applied().value() + 1)))) say("nothing to compact");
    turn(one);
}

// snapshot 3 arrives|fails: how the fetch that 3 wanted ends.
void Script::snapshot(const Words& words) {
    Node& one = node_of(words);
    SnapshotWanted wanted = wanted_.at(one.id());
    if (words.has("fails")) return step(one, SnapshotFailed{wanted.snapshot});
    auto from = nodes_.find(wanted.from);
    const Snapshot* source =
        from != nodes_.end() ? from->second->snapshot(wanted.snapshot) : nullptr;
    one.receive_snapshot(source ? *source : Snapshot{wanted.snapshot, wanted.membership, 0});
    turn(one);
}

void Script::trim(const Words& words) {
    Node& one = node_of(words);
    one.trim_cache(Index(words.number(1)));
    turn(one);
}

// fetched 1 [fails]: the entries that 1 needed from its log were read.
void Script::fetched(const Words& words) {
    Node& one = node_of(words);
    NeedEntries need = needs_.at(one.id());
    if (words.has("fails"))
        return step(one, EntriesFetched{.peer = need.peer, .from = need.from, .term = need.term});
    EntriesFetched read = one.read(need);
    step(one, std::move(read));
}

// ---- what can be seen -----------------------------------------------------------------------------

void Script::status(const Words& words) {
    for (auto& [id, one] : nodes_) {
        if (!words.plain.empty() && id != MemberId(words.number(0))) continue;
        if (!one->up()) {
            say(text(id) + " down");
            continue;
        }
        const Core& core = one->core();
        say(text(id) + " " + print(core.role()) + " term=" + std::to_string(core.term().value()) +
            " leader=" + text(core.leader()) + " last=" + print(core.last()) +
            " durable=" + text(core.durable()) + " commit=" + text(core.commit()) + " members " +
            print(core.membership()) + (core.recovering() ? " recovering" : "") +
            (core.asleep() ? " asleep" : ""));
    }
}

void Script::log(const Words& words) {
    for (auto& [id, one] : nodes_) {
        if (!words.plain.empty() && id != MemberId(words.number(0))) continue;
        std::string line = text(id) + ":";
        if (one->log().base().index > Index{}) line += " (" + print(one->log().base()) + ")";
        for (const Entry& entry : one->log().entries()) line += " " + print(entry);
        say(line);
    }
}

void Script::peers(const Words& words) {
    constexpr const char* states[] = {"probe", "replicate", "snapshot"};
    for (const Core::PeerStatus& peer : node_of(words).core().peers()) {
        say(text(peer.id) + " match=" + text(peer.match) + " next=" + text(peer.next) + " " +
            states[static_cast<int>(peer.state)] + (peer.recent_active ? "" : " silent"));
    }
}

}  // namespace quorate::raft::test
