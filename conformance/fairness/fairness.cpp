// SPDX-License-Identifier: Apache-2.0
#include "fairness/fairness.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <iterator>

#include "build_info.h"
#include "fairness/mix_run.h"
#include "fairness/variant_list.h"
#include "report/output_file.h"
#include "report/print.h"
#include "report/sha256.h"
#include "run/command.h"
#include "run/exit_codes.h"
#include "run/interrupts.h"
#include "run/run.h"
#include "run/shard.h"
#include "run/subject.h"

namespace xhal::conformance {

using namespace ending;

namespace {

std::vector<const Variant*> selected(const FairnessOptions& options) {
  std::vector<bool> used(options.variants.size(), false);
  std::vector<const Variant*> out;
  for (const Variant& variant : all_variants()) {
    bool wanted = options.variants.empty();
    for (size_t i = 0; i < options.variants.size(); ++i) {
      if (!glob_matches(options.variants[i], variant.name)) continue;
      wanted = true;
      used[i] = true;
    }
    if (wanted) out.push_back(&variant);
  }
  for (size_t i = 0; i < used.size(); ++i) {
    if (!used[i])
      stop(kExitNothing,
           fmt::format("--variant {}: matches no variant; --list shows their names", options.variants[i]));
  }
  if (options.pairs && out.size() < 2)
    stop(kExitNothing,
         fmt::format("--pairs: {} alone makes no pair; choose more of them", out.front()->name));
  return out;
}

// What is run, and the pairs that are not, in the order of the table.
struct Work {
  std::vector<Mix> mixes;
  std::vector<Pair> apart;
  std::optional<Shard> shard;
};

// `base`: the driver, where there is one.
Work work_of(const FairnessOptions& options, const Probe* base) {
  Work out;
  std::vector<const Variant*> variants = selected(options);
  if (!options.pairs) {
    for (const Variant* variant : variants) out.mixes.push_back({{variant}});
  } else {
    // What does not apply is told once, and takes no mix with it.
    const auto applies = [&](const Variant* one) { return base == nullptr || why_not(*one, *base).empty(); };
    const auto rest = std::ranges::stable_partition(variants, applies);
    const std::vector<const Variant*> others(rest.begin(), rest.end());
    variants.erase(rest.begin(), rest.end());
    out.mixes = covering_mixes(variants, options.together);
    for (Pair& pair : pairs_of(variants)) {
      if (!pair.why_not.empty()) out.apart.push_back(std::move(pair));
    }
    if (out.mixes.empty() && !out.apart.empty())
      stop(kExitNothing, fmt::format("--pairs: no two of them go together: {}", out.apart.front().why_not));
    for (const Variant* other : others) out.mixes.push_back({{other}});
  }
  out.shard = chosen_shard(options.shard);
  if (!out.shard) return out;
  const auto elsewhere = [&](const Mix& mix) {
    return shard_of(mix.name(), out.shard->count) != out.shard->index;
  };
  std::erase_if(out.mixes, elsewhere);
  std::erase_if(out.apart, [&](const Pair& pair) { return elsewhere(pair.mix); });
  return out;
}

nlohmann::json identity_of(const FairnessOptions& options, const std::optional<Shard>& shard,
                           const Probe& found) {
  nlohmann::json driver = found.driver;
  driver["sha256"] = sha256_of_file(found.driver.value("path", ""));
  nlohmann::json device = found.devices.front();
  device.erase("feature_words");
  return {{"schema", kVariantsSchema},
          {"abi", fmt::format("{}.{}.{}", XHAL_ABI_MAJOR, XHAL_ABI_MINOR, XHAL_ABI_REVISION)},
          {"suite", {{"version", build::version()}, {"commit", build::commit()}, {"dirty", build::dirty()}}},
          {"driver", driver},
          {"device", device},
          {"device_count", found.devices.size()},
          {"level", options.level},
          {"seed", *options.seed},
          {"seeds", options.seeds},
          {"options",
           {{"variants", options.variants},
            {"pairs", options.pairs},
            {"together", options.together},
            {"filters", options.filters},
            {"jobs", options.jobs},
            {"shard", shard ? fmt::format("{}/{}", shard->index, shard->count) : ""},
            {"timeout_s", options.test_deadline_s}}}};
}

struct Sum {
  size_t fair = 0, bad = 0, not_applicable = 0, taken_apart = 0;
  uint64_t executions = 0, went_wrong = 0;
};

Sum sum_of(const std::vector<MixRecord>& records) {
  Sum out;
  for (const MixRecord& record : records) {
    ++(record.is_bad()                                ? out.bad
       : record.verdict == MixVerdict::kNotApplicable ? out.not_applicable
       : record.verdict == MixVerdict::kTakenApart    ? out.taken_apart
                                                      : out.fair);
    for (const auto& [outcome, count] : record.totals) {
      if (outcome != name_of(Outcome::kSkipped)) out.executions += count;
    }
    out.went_wrong += record.failures.size();
  }
  return out;
}

nlohmann::json json_of(const nlohmann::json& identity, const std::vector<MixRecord>& records,
                       const Work& work, bool incomplete, double seconds) {
  nlohmann::json out = identity;
  const Sum sum = sum_of(records);
  out["fair"] = sum.fair;
  out["total"] = sum.fair + sum.bad;
  out["test_executions"] = sum.executions;
  out["test_failures"] = sum.went_wrong;
  out["variants"] = nlohmann::json::array();
  for (const MixRecord& record : records) out["variants"].push_back(json_of(record));
  out["apart"] = nlohmann::json::array();
  for (const Pair& pair : work.apart)
    out["apart"].push_back({{"name", pair.mix.name()}, {"why", pair.why_not}});
  out["incomplete"] = incomplete;
  out["seconds"] = seconds;
  return out;
}

int run_checked(FairnessOptions& options) {
  const Level level = level_of(options.level, options.share_directory);
  filtered(options.filters);
  // What was asked for wrongly is told before a driver is loaded.
  work_of(options, nullptr);
  std::optional<OutputFile> file;
  const Interrupts interrupts;
  try {
    if (!options.json.empty()) file.emplace(options.json);
  } catch (const OutputError& error) {
    stop(kExitUsage, error.what());
  }
  use_kernel_compiler(options.kernel_compiler, options.target, options.share_directory + "/kernels",
                      options.entry_deadline_s, interrupts.fd());
  MixPlan plan{options, level, probed(options.target, options.entry_deadline_s, interrupts.fd()),
               interrupts.fd()};
  if (plan.base.ending == Probe::Ending::kInterrupted)
    stop(kExitInterrupted,
         fmt::format("driver {}: interrupted while it was loaded", driver_of(options.target)));
  const Work work = work_of(options, &plan.base);
  const nlohmann::json identity = identity_of(options, work.shard, plan.base);

  std::FILE* const console = options.json == "-" ? stderr : stdout;
  print(console, "{} {} over {} of driver {}, level {}, seed {}{}\n", work.mixes.size(),
        options.pairs ? "mixes of variants" : "variants", plan.base.devices.front().value("name", ""),
        plan.base.driver.value("name", ""), options.level, *options.seed,
        options.seeds > 1 ? fmt::format(" to {}", *options.seed + options.seeds - 1) : "");
  const auto begin = std::chrono::steady_clock::now();
  std::vector<MixRecord> records;
  bool incomplete = false;
  std::deque<Mix> mixes(work.mixes.begin(), work.mixes.end());
  for (; !mixes.empty(); mixes.pop_front()) {
    const Mix& mix = mixes.front();
    if (options.terminal)
      print(stderr, "\r\033[K{}/{} {}", records.size() + 1, records.size() + mixes.size(), mix.name());
    auto record = run_mix(mix, plan);
    if (options.terminal) print(stderr, "\r\033[K");
    if (!record) {
      incomplete = true;
      break;
    }
    print_record(console, *record);
    std::fflush(console);
    if (record->verdict == MixVerdict::kTakenApart)
      std::ranges::move(pairs_of_hidden(*record), std::back_inserter(mixes));
    records.push_back(std::move(*record));
  }
  for (const Pair& pair : work.apart)
    print(console, "{:<15} {}: {}\n", "apart", pair.mix.name(), pair.why_not);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  try {
    if (file) {
      file->commit(json_of(identity, records, work, incomplete, seconds)
                       .dump(2, ' ', false, nlohmann::json::error_handler_t::replace) +
                   "\n");
    }
  } catch (const OutputError& error) {
    stop(kExitInternal, error.what());
  }
  const Sum sum = sum_of(records);
  print(console, "\n{} of {} are judged fairly{}; {} test executions, {} went wrong; {:.0f} s{}\n", sum.fair,
        sum.fair + sum.bad,
        sum.not_applicable == 0 ? "" : fmt::format(", {} do not apply", sum.not_applicable), sum.executions,
        sum.went_wrong, seconds, incomplete ? ", interrupted" : "");
  if (incomplete) return kExitInterrupted;
  if (sum.bad > 0) return kExitMisbehaved;
  // A shard of few mixes may have none.
  return sum.fair > 0 || work.mixes.empty() ? kExitOk : kExitNothing;
}

}  // namespace

int list_variants(const FairnessOptions& options) {
  return ended([&] {
    const Work work = work_of(options, nullptr);
    for (const Mix& mix : work.mixes) {
      if (options.pairs) {
        print(stdout, "{}\n", mix.name());
        continue;
      }
      const Variant& one = *mix.variants.front();
      std::vector<std::string_view> clauses;
      for (const Clause clause : one.clauses) clauses.push_back(clause.id());
      conformance::print(stdout, "{}\n  {}\n  legal by {}: {}\n  {}needs {}\n", one.name, one.what,
                         fmt::join(clauses, ", "), one.why,
                         one.simulator.empty() ? "" : fmt::format("the simulator's {}; ", one.simulator),
                         feature_name(one.needs));
    }
    for (const Pair& pair : work.apart) print(stdout, "{}\n  apart: {}\n", pair.mix.name(), pair.why_not);
    return static_cast<int>(kExitOk);
  });
}

int run_variants(FairnessOptions options) {
  return ended([&] {
    if (options.share_directory.empty()) options.share_directory = default_share_directory();
    if (options.target.kernel_directory.empty())
      options.target.kernel_directory = options.share_directory + "/kernels";
    if (!options.seed) options.seed = drawn_seed();
    return run_checked(options);
  });
}

}  // namespace xhal::conformance
