#include "host/group/admission.hpp"

#include "host/base/check.hpp"

#include <algorithm>
#include <utility>

namespace quorate::group {

namespace {

// What a batch costs all its hosts together beyond its commands, in commands (docs/performance.md).
constexpr std::uint64_t batch_weight = 32;

// One group fills a quarter of the room at most: whatever bounds it, others go on beside it.
constexpr std::uint64_t groups_at_least = 4;

}  // namespace

Admission::~Admission() {
    scheduler_.cancel(timer_);
    CHECK(holders_.empty() && waiting_.empty(), "places go before what they are in");
}

std::uint64_t Admission::weight_of(std::size_t commands) const {
    if (commands == 0) return 0;
    return std::min(batch_weight + commands,
                    std::max(limits_.commands / groups_at_least, batch_weight + 1));
}

void Admission::fill() {
    while (!waiting_.empty() && !full()) {
        Place& next = *waiting_.front();
        waiting_.pop_front();
        next.hold(Place::State::granted, next.queued_);
        next.granted_();
    }
    arm();
}

// Only while somebody waits does it matter who is stuck.
void Admission::arm() {
    if (timer_ != 0 || waiting_.empty() || holders_.empty()) return;
    timer_ = scheduler_.at(holders_.front()->since_ + limits_.patience, [this] {
        timer_ = 0;
        expire();
    });
}

void Admission::expire() {
    Time since = scheduler_.now() - limits_.patience;
    while (!waiting_.empty() && !holders_.empty() && holders_.front()->since_ <= since) {
        Place& stuck = *holders_.front();
        holders_.pop_front();
        stuck.state_ = Place::State::stuck;
        stuck.count(0);
    }
    fill();
}

// ---- one group's place --------------------------------------------------------------------------

bool Admission::Place::may_propose(Load load) {
    update(load);
    if (load.queued == 0) return false;
    bool has_room = admission_.waiting_.empty() && !admission_.full();
    switch (state_) {
        case State::idle:
            if (has_room) {
                hold(State::busy, load.under_way + load.queued);
                return true;
            }
            at_ = admission_.waiting_.insert(admission_.waiting_.end(), this);
            state_ = State::waiting;
            admission_.arm();
            return false;
        case State::waiting:
            return false;
        case State::granted:
            state_ = State::busy;
            renew();
            return true;
        case State::busy:
            if (has_room) renew();
            return has_room;
        case State::stuck:
            return has_room;
    }
    return false;
}

// Pre: it holds.
void Admission::Place::renew() {
    since_ = admission_.scheduler_.now();
    admission_.holders_.splice(admission_.holders_.end(), admission_.holders_, at_);
}

void Admission::Place::update(Load load) {
    queued_ = load.queued;
    bool has_proposed = state_ == State::busy || state_ == State::stuck;
    if (load.under_way == 0 && (has_proposed || load.queued == 0)) return leave();
    if (state_ != State::busy) return;
    count(admission_.weight_of(load.under_way));
    admission_.fill();
}

void Admission::Place::hold(State state, std::size_t commands) {
    state_ = state;
    at_ = admission_.holders_.insert(admission_.holders_.end(), this);
    since_ = admission_.scheduler_.now();
    count(admission_.weight_of(commands));
}

void Admission::Place::count(std::uint64_t weight) {
    admission_.under_way_ += weight - weight_;  // less is a wrap, and comes out right
    weight_ = weight;
}

void Admission::Place::leave() {
    bool held = holds();
    State before = std::exchange(state_, State::idle);
    if (before == State::waiting) admission_.waiting_.erase(at_);
    if (!held) return;
    admission_.holders_.erase(at_);
    count(0);
    admission_.fill();
}

}  // namespace quorate::group
