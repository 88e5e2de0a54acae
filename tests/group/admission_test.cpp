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
        place_.progressed();
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

TEST_F(AdmissionTest, one_group_alone_has_no_more_under_way_than_all_of_them_may) {
    a_.queue(100);
    EXPECT_THAT(said(), ElementsAre("a100")) << "a batch is not cut";
    a_.queue(2);
    EXPECT_THAT(said(), IsEmpty());
    a_.settle(90);
    EXPECT_THAT(said(), ElementsAre("a2"));
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

TEST_F(AdmissionTest, a_group_whose_commands_do_not_settle_makes_room_and_does_not_wait) {
    a_.queue();
    b_.queue();
    scheduler_.run_for(300ms);
    b_.queue();
    b_.settle();
    c_.queue();
    scheduler_.run_for(199ms);
    EXPECT_THAT(said(), ElementsAre("a1", "b1", "b1"));
    scheduler_.run_for(1ms);
    EXPECT_THAT(said(), ElementsAre("c1")) << "a settled nothing for so long; b did";
    a_.queue();
    EXPECT_THAT(said(), ElementsAre("a1")) << "it is no load";
    d_.queue();
    a_.settle();
    a_.queue();
    EXPECT_THAT(said(), IsEmpty()) << "it is, again";
    c_.settle();
    b_.settle();
    EXPECT_THAT(said(), ElementsAre("d1", "a1"));
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
