// SPDX-License-Identifier: Apache-2.0
#include "bench/runner/measure.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "bench/runner/clock.hpp"
#include "frame/random.h"

namespace xhal::bench {
namespace {

// The lesser of two blocks: one may meet what happens once, or somebody else's work.
double lesser_of_two(const Side& side, uint64_t units) {
  const double first = side.block(units);
  const double second = side.block(units);
  if (std::isnan(first) || second < first) return second;
  return first;
}

// How many units of a side take about so long. The first blocks also bring to life what sleeps.
uint64_t units_for(const Side& side, double block_ns) {
  constexpr double kNear = 0.25;  // from here on one step is enough
  uint64_t units = side.least_units;
  double each = lesser_of_two(side, units);
  while (units < side.most_units && !(each * static_cast<double>(units) >= block_ns * kNear)) {
    units = std::min(units * 2, side.most_units);
    each = lesser_of_two(side, units);
  }
  if (std::isnan(each) || each <= 0) return units;
  const double wanted = std::min(block_ns / each, static_cast<double>(side.most_units));
  return std::max(side.least_units, static_cast<uint64_t>(wanted));
}

void wait_ns(double ns) {
  const Clock::time_point start = Clock::now();
  while (since(start) < ns) {
  }
}

void run_for(const Side& side, uint64_t units, double ns) {
  const Clock::time_point start = Clock::now();
  do {
    side.block(units);
  } while (since(start) < ns);
}

// Burns as long as a part of what was just measured: what a subject that got slower would take.
double slower(double each, uint64_t units, double part) {
  if (part <= 0 || std::isnan(each)) return each;
  const Clock::time_point start = Clock::now();
  wait_ns(each * static_cast<double>(units) * part);
  return each + since(start) / static_cast<double>(units);
}

// Of the two turns of a round; one that does not count leaves the other.
double of_turns(double first, double second) {
  if (std::isnan(first)) return second;
  if (std::isnan(second)) return first;
  return (first + second) / 2;
}

}  // namespace

Samples measure(const Row& row, const Plan& plan) {
  const size_t sides = row.sides.size();
  Samples out;
  for (const Side& side : row.sides) {
    out.sides.push_back(side.name);
    out.units.push_back(units_for(side, plan.block_ns));
  }
  if (row.verify) row.verify();
  const auto most = static_cast<size_t>(plan.most_rounds);
  out.ns.resize(sides);
  for (auto& series : out.ns) series.reserve(most);

  conformance::SplitMix random(plan.seed);
  std::vector<size_t> order(sides);
  std::iota(order.begin(), order.end(), size_t{0});
  std::vector<double> first(sides);
  std::vector<double> second(sides);
  const bool beside_processes = std::ranges::any_of(row.sides, &Side::is_process);
  const auto turn = [&](size_t i) {
    wait_ns(plan.settle_ns);
    const Side& side = row.sides[i];
    if (beside_processes && !side.is_process) run_for(side, out.units[i], plan.spread_ns);
    const double each = side.block(out.units[i]);
    return i == 0 ? slower(each, out.units[i], plan.planted) : each;
  };
  const Clock::time_point start = Clock::now();
  for (size_t round = 0; round < most; ++round) {
    for (size_t i = sides; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
    if (row.before_round) row.before_round();
    for (const size_t i : order) first[i] = turn(i);
    for (size_t i = sides; i-- > 0;) second[order[i]] = turn(order[i]);
    for (size_t i = 0; i < sides; ++i) out.ns[i].push_back(of_turns(first[i], second[i]));
    if (round + 1 >= plan.least_rounds && since(start) > plan.seconds * 1e9) break;
  }
  if (row.verify) row.verify();

  const size_t rounds = out.ns.empty() ? 0 : out.ns.front().size();
  const Formula value = row.value ? row.value : time_of(0);
  out.ratios.resize(row.comparisons.size());
  std::vector<double> round(sides);
  for (size_t r = 0; r < rounds; ++r) {
    for (size_t i = 0; i < sides; ++i) round[i] = out.ns[i][r];
    out.values.push_back(value(round));
    for (size_t k = 0; k < row.comparisons.size(); ++k)
      out.ratios[k].push_back(row.comparisons[k].ratio(round));
  }
  return out;
}

}  // namespace xhal::bench
