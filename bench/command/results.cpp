// SPDX-License-Identifier: Apache-2.0
#include "bench/command/results.hpp"

#include <algorithm>
#include <functional>

#include "frame/random.h"

namespace xhal::bench {
namespace {

std::vector<Restart> of_all(const std::vector<Samples>& restarts,
                            const std::function<const std::vector<double>&(const Samples&)>& part) {
  std::vector<Restart> out;
  for (const Samples& samples : restarts) out.push_back(part(samples));
  return out;
}

}  // namespace

std::string_view name_of(RowState state) {
  switch (state) {
    case RowState::kMeasured:
      return "measured";
    case RowState::kNotHere:
      return "not here";
    case RowState::kFailed:
      return "failed";
    case RowState::kCrashed:
      return "crashed";
    case RowState::kSkipped:
      return "skipped";
  }
  return "?";
}

Verdict RowResult::verdict() const {
  if (state != RowState::kMeasured) return Verdict::kNoGoal;
  const auto has = [this](Verdict verdict) {
    return std::ranges::any_of(comparisons, [=](const auto& one) { return one.verdict == verdict; });
  };
  for (const Verdict verdict : {Verdict::kFail, Verdict::kAmbiguous, Verdict::kPass}) {
    if (has(verdict)) return verdict;
  }
  return Verdict::kNoGoal;
}

Contention RowResult::contention() const {
  Contention sum;
  for (const Samples& samples : restarts) sum += samples.contention;
  return sum;
}

void evaluate(RowResult& row, uint64_t seed, double busy) {
  if (row.restarts.empty()) return;
  const bool is_busy = row.contention().is_above(busy);
  const uint64_t own_seed = seed ^ conformance::hash_text(row.info->name());
  const auto values = of_all(
      row.restarts, [](const Samples& samples) -> const auto& { return samples.values; });
  row.value = interval_of_median(values, own_seed);
  std::vector<double> subject;
  for (const Samples& samples : row.restarts)
    subject.insert(subject.end(), samples.ns.front().begin(), samples.ns.front().end());
  row.times = percentiles(std::move(subject));
  for (size_t i = 0; i < row.comparisons.size(); ++i) {
    ComparisonResult& comparison = row.comparisons[i];
    const auto ratios = of_all(
        row.restarts, [i](const Samples& samples) -> const auto& { return samples.ratios.at(i); });
    comparison.ratio = interval_of_median(ratios, own_seed + i + 1);
    comparison.verdict = judge(comparison.ratio, comparison.better, comparison.goal);
    if (is_busy && comparison.verdict != Verdict::kNoGoal) comparison.verdict = Verdict::kAmbiguous;
  }
}

}  // namespace xhal::bench
