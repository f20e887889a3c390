// Whatever happens, in as many worlds as HEARTH_SEEDS says (300 else): simulation.h tells what must
// hold. HEARTH_SEED=N runs that one alone.
#include "core/simulation.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace hearth::core::testing {
namespace {

constexpr int kSteps = 800;

unsigned number_in(const char* name, unsigned otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : static_cast<unsigned>(std::atoi(text));
}

void add(Simulation::Counts& sum, const Simulation::Counts& one) {
  sum.messages += one.messages;
  sum.hosts += one.hosts;
  sum.kills += one.kills;
  sum.hangs += one.hangs;
  sum.deploys += one.deploys;
  sum.alarms += one.alarms;
  sum.alarm_retries += one.alarm_retries;
  sum.handovers += one.handovers;
  sum.returns += one.returns;
  sum.quarantines += one.quarantines;
  sum.moves += one.moves;
  sum.refusals += one.refusals;
  sum.calls += one.calls;
  sum.relays += one.relays;
  sum.leaving_kills += one.leaving_kills;
}

void run(unsigned seed, Simulation::Counts& sum) {
  Simulation simulation(seed);
  simulation.open();
  for (int i = 0; i < kSteps && !::testing::Test::HasFatalFailure(); ++i) {
    SCOPED_TRACE("seed " + std::to_string(seed) + ", step " + std::to_string(i));
    simulation.step();
  }
  SCOPED_TRACE("seed " + std::to_string(seed) + ", at the end");
  if (!::testing::Test::HasFatalFailure()) simulation.settle_all();
  add(sum, simulation.counts);
}

TEST(SimulationTest, LosesNothingRepeatsNothingAndKeepsOrder) {
  const unsigned only = number_in("HEARTH_SEED", 0);
  const unsigned first = only > 0 ? only : 1;
  const unsigned last = only > 0 ? only : number_in("HEARTH_SEEDS", 300);
  Simulation::Counts sum;
  for (unsigned seed = first; seed <= last && !HasFailure(); ++seed) run(seed, sum);
  std::printf(
      "%llu messages, %llu hosts, %llu killed, %llu hung, %llu deploys, %llu alarms (%llu again), "
      "%llu handovers (%llu called off), %llu sockets of quarantined agents closed, %llu agents "
      "moved "
      "(%llu times not yet), %llu hosts killed while they left, %llu calls (%llu relayed)\n",
      static_cast<unsigned long long>(sum.messages), static_cast<unsigned long long>(sum.hosts),
      static_cast<unsigned long long>(sum.kills), static_cast<unsigned long long>(sum.hangs),
      static_cast<unsigned long long>(sum.deploys), static_cast<unsigned long long>(sum.alarms),
      static_cast<unsigned long long>(sum.alarm_retries),
      static_cast<unsigned long long>(sum.handovers), static_cast<unsigned long long>(sum.returns),
      static_cast<unsigned long long>(sum.quarantines), static_cast<unsigned long long>(sum.moves),
      static_cast<unsigned long long>(sum.refusals),
      static_cast<unsigned long long>(sum.leaving_kills),
      static_cast<unsigned long long>(sum.calls), static_cast<unsigned long long>(sum.relays));
  if (only > 0 || HasFailure()) return;
  EXPECT_GT(sum.messages, last * 100u);
  for (const std::uint64_t rare :
       {sum.kills, sum.hangs, sum.deploys, sum.alarms, sum.alarm_retries, sum.handovers,
        sum.returns, sum.quarantines, sum.moves, sum.refusals, sum.leaving_kills, sum.relays}) {
    EXPECT_GT(rare, 0u) << "something that the seeds are for has not happened";
  }
}

}  // namespace
}  // namespace hearth::core::testing
