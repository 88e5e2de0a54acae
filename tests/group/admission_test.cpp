#include "host/group/admission.hpp"

#include "tests/support/test_scheduler.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace quorate::group {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A group that proposes whatever it may, at once, and whose commands settle when a test says so.
class Proposer {
 public:
    Proposer(Admission& admission, std::string name, std::vector<std::string>& log)
        : name_(std::move(name)), log_(log), place_(admission, [this] { try_to_propose(); }) {}

    void queue(std::size_t commands = 1) {
        load_.queued += commands;
        try_to_propose();
    }
    void settle(std::size_t commands = 1) {
        load_.under_way -= commands;
        try_to_propose();
    }
    // Its commands' deadlines pass before they are proposed.
    void give_up_queued() {
        load_.queued = 0;
        try_to_propose();
    }
    void leave() { place_.leave(); }

 private:
    void try_to_propose() {
        if (!place_.may_propose(load_)) return;
        log_.push_back(name_ + std::to_string(load_.queued));
        load_.under_way += load_.queued;
        load_.queued = 0;
        place_.update(load_);
    }

    const std::string name_;
    std::vector<std::string>& log_;
    Admission::Place::Load load_;
    Admission::Place place_;
};

// Room for two groups with a command or a few each: a batch counts for some 32.
class AdmissionTest : public ::testing::Test {
 protected:
    std::vector<std::string> said() { return std::exchange(log_, {}); }

    testing::TestScheduler scheduler_;
    Admission admission_{scheduler_, {.commands = 60, .patience = 500ms}};
    std::vector<std::string> log_;
    Proposer a_{admission_, "a", log_};
    Proposer b_{admission_, "b", log_};
    Proposer c_{admission_, "c", log_};
    Proposer d_{admission_, "d", log_};
};

TEST_F(AdmissionTest, nobody_waits_while_there_is_room) {
    a_.queue();
    a_.queue();
    b_.queue(5);
    EXPECT_THAT(said(), ElementsAre("a1", "a1", "b5"));
    a_.settle(2);
    b_.settle(5);
    EXPECT_EQ(admission_.under_way(), 0u);
}

TEST_F(AdmissionTest, beyond_it_who_has_waited_longest_comes_next_with_all_it_has_by_then) {
    a_.queue();
    b_.queue();
    c_.queue();
    d_.queue();
    c_.queue(3);
    EXPECT_THAT(said(), ElementsAre("a1", "b1"));
    b_.settle();
    EXPECT_THAT(said(), ElementsAre("c4"));
    a_.settle();
    EXPECT_THAT(said(), ElementsAre("d1"));
    EXPECT_EQ(admission_.waiting(), 0u);
}

TEST_F(AdmissionTest, while_others_wait_a_group_proposes_again_only_in_its_turn) {
    a_.queue();
    b_.queue();
    c_.queue();
    a_.queue(7);
    EXPECT_THAT(said(), ElementsAre("a1", "b1")) << "as long as its own is not settled";
    a_.settle();
    EXPECT_THAT(said(), ElementsAre("c1")) << "nor before who came first";
    b_.settle();
    EXPECT_THAT(said(), ElementsAre("a7"));
}

TEST_F(AdmissionTest, one_group_counts_for_no_more_than_a_quarter) {
    Admission admission{scheduler_, {.commands = 1000, .patience = 500ms}};
    Proposer large(admission, "large", log_);
    Proposer small(admission, "small", log_);
    large.queue(60'000);
    EXPECT_EQ(admission.under_way(), 250u);
    small.queue();
    large.queue(2);
    EXPECT_THAT(said(), ElementsAre("large60000", "small1", "large2"));
}

TEST_F(AdmissionTest, who_wants_nothing_any_more_holds_nobody_up) {
    a_.queue();
    b_.queue();
    c_.queue();
    d_.queue();
    c_.give_up_queued();
    a_.settle();
    EXPECT_THAT(said(), ElementsAre("a1", "b1", "d1"));
    a_.queue();
    c_.queue();
    a_.leave();
    b_.leave();
    EXPECT_THAT(said(), ElementsAre("c1"));
}

// Whether none of them settle or one now and then: something else than this host bounds it.
TEST_F(AdmissionTest, a_group_whose_commands_take_too_long_holds_nobody_up) {
    a_.queue(9);
    b_.queue();
    c_.queue();
    scheduler_.run_for(300ms);
    a_.settle();
    b_.settle();
    EXPECT_THAT(said(), ElementsAre("a9", "b1", "c1"));
    b_.queue();
    d_.queue();
    scheduler_.run_for(199ms);
    EXPECT_THAT(said(), IsEmpty());
    scheduler_.run_for(1ms);
    EXPECT_THAT(said(), ElementsAre("b1")) << "a does not count any more; c is newer";
    a_.queue();
    EXPECT_THAT(said(), IsEmpty()) << "others wait, and its own are not settled";
    a_.settle(8);
    c_.settle();
    EXPECT_THAT(said(), ElementsAre("d1"));
    b_.settle();
    EXPECT_THAT(said(), ElementsAre("a1")) << "it counts again";
    EXPECT_EQ(admission_.under_way(), 66u);
}

TEST_F(AdmissionTest, nobody_is_called_stuck_while_nobody_waits) {
    a_.queue();
    b_.queue();
    scheduler_.run_for(10s);
    EXPECT_EQ(admission_.under_way(), 66u);
    c_.queue();
    scheduler_.run_ready();
    EXPECT_THAT(said(), ElementsAre("a1", "b1"));
    scheduler_.run_for(1ms);
    EXPECT_THAT(said(), ElementsAre("c1"));
}

}  // namespace
}  // namespace quorate::group
