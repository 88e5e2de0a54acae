#include "host/base/log.hpp"
#include "host/group/applier.hpp"
#include "host/group/repair.hpp"

#include <algorithm>
#include <utility>

// How the machine is had, what happens when it fails, and which build takes over then.
namespace quorate::group {
namespace {

constexpr std::size_t build_digits_shown = 12;

}  // namespace

void Applier::begin(FoundState found) {
    if (found.snapshot) base_ = found.snapshot->meta.last;
    if (found.machine_error) return cannot_load(std::move(*found.machine_error));
    take_over(std::move(found.machine));
}

void Applier::install(EntryId snapshot) {
    base_ = snapshot;
    last_fault_ = {};
    if (snapshot.index >= reached_.index) reached_ = {};
    // Past the entry where the build failed, but it would fail at the next one like it.
    bool passes = standstill_.at != Index{} && snapshot.index >= standstill_.at;
    if (passes) {
        auto other = untried_build(env_.source.machines, build(), standstill_);
        if (other) env_.source.ref = *other;
    }
    load(snapshot);
}

void Applier::try_again() {
    if (!stands_still()) return;
    if (other_build_may_do_) {
        auto other = untried_build(env_.source.machines, build(), standstill_);
        if (!other) return;
        log::info("machine_build_tried",
                  "another build of the machine begins where the last one failed",
                  {{"group", env_.source.name},
                   {"index", standstill_.at.value()},
                   {"build", other->build},
                   {"failed", build().build}});
        env_.source.ref = *other;
    }
    last_fault_ = {};
    load(base_);
}

void Applier::stop() {
    state_ = State::ended;
    ++load_;
    drop_machine();
}

// ---- loading ------------------------------------------------------------------------------------

void Applier::drop_machine() {
    if (machine_) env_.listener.machine_leaves();
    machine_.reset();
}

void Applier::load(EntryId snapshot) {
    if (state_ == State::ended) return;
    state_ = State::loading;
    trouble_.reset();
    other_build_may_do_ = false;
    looking_failed_ = false;
    drop_machine();
    std::uint64_t load = ++load_;
    env_.background.run<LoadedMachine>(
        [source = env_.source, snapshot] { return load_machine(source, snapshot); },
        [this, load](Result<LoadedMachine> result) {
            if (load == load_) loaded(std::move(result));
        });
}

void Applier::loaded(Result<LoadedMachine> result) {
    if (!result.has_value()) return cannot_load(std::move(result.error()));
    take_over(std::move(*result));
    env_.listener.state_moved();
    schedule();
}

void Applier::take_over(LoadedMachine loaded) {
    state_ = State::running;
    machine_ = std::move(loaded.machine);
    applied_ = loaded.at;
    highest_ = std::max(highest_, applied_.index);
    commit_ = std::max(commit_, applied_.index);
    time_ms_ = loaded.time_ms;
    outcome_.start_from(loaded.outcome_hash);
    settle_build();
}

void Applier::cannot_load(Error error) {
    state_ = error.code == Errc::plugin_not_found ? State::waiting_for_plugin : State::faulted;
    log::error("machine_not_loaded", to_string(error),
               {{"group", env_.source.name}, {"build", build().build}});
    if (is_of_the_build(error)) build_failed();
    stand_still(std::move(error));
}

// ---- faults -------------------------------------------------------------------------------------

// The instance is unusable (a fault may have left it half changed). It is rebuilt once, applying
// one entry at a time: a fault that then comes at no later entry is the machine's, not the moment's.
void Applier::faulted(const machine::Machine::Fault& fault) {
    if (applied_.index >= reached_.index) reached_ = {applied_.index, outcome_.hash()};
    if (fault.index <= last_fault_) {
        build_failed();
        return stop_at(fault.index, fault.error);
    }
    log::warning(
        "machine_fault", to_string(fault.error),
        {{"group", env_.source.name}, {"index", fault.index.value()}, {"build", build().build}});
    last_fault_ = fault.index;
    load(base_);
}

// What was applied before must come out as it did: replies were given, and other members hold
// that state. Something, if it does not.
std::optional<Error> Applier::find_difference() const {
    if (applied_.index != reached_.index || outcome_.hash() == reached_.outcome_hash) return {};
    return fail(Errc::plugin_fault,
                "build " + build().build.substr(0, build_digits_shown) + " of machine " +
                    build().machine +
                    " does not repeat what was applied before: it answers a command up to here "
                    "in another way",
                "install a build that treats every earlier command as the one before it did");
}

void Applier::build_failed() {
    other_build_may_do_ = true;
    remember_failure(standstill_, std::max(highest_applied().next(), base_.index), build().build);
    standstill_.reached = reached_.index;
    standstill_.outcome_hash = reached_.outcome_hash;
    env_.listener.build_changed();
}

// The build at hand got past the entry where others failed.
void Applier::settle_build() {
    if (standstill_.at == Index{} || applied_.index < standstill_.at) return;
    log::info(
        "machine_repaired", "the machine runs again",
        {{"group", env_.source.name}, {"index", standstill_.at.value()}, {"build", build().build}});
    standstill_ = {};
    env_.listener.build_changed();
}

void Applier::stop_at(Index index, Error error) {
    state_ = State::faulted;
    error = within("at entry " + std::to_string(index.value()), std::move(error));
    log::error("machine_stopped", to_string(error),
               {{"group", env_.source.name}, {"index", index.value()}, {"build", build().build}});
    drop_machine();
    stand_still(std::move(error));
}

void Applier::stand_still(Error error) {
    trouble_ = std::move(error);
    env_.listener.applying_stopped();
    if (stands_still()) look_for_end();
}

}  // namespace quorate::group
