// SPDX-License-Identifier: Apache-2.0
#include "programs/fuzz_worker.h"

#include <chrono>
#include <memory>
#include <string>

#include "frame/trail.h"
#include "programs/execute.h"
#include "programs/gates.h"
#include "programs/program_json.h"
#include "run/worker.h"

namespace xhal::programs {

namespace {

using conformance::RunSettings;
using conformance::Session;
using conformance::WorkerTell;
using Clock = std::chrono::steady_clock;

// Lives as long as the worker's session, which is the process.
struct Bench {
  Executor executor;
  World world;
  bool holds;
  Bench(Session& session, const RunSettings& settings, bool keeps)
      : executor(session, settings.patience_ns, keeps), world(world_of(session)), holds(can_hold(session)) {}
};

Bench& bench(Session& session, const RunSettings& settings) {
  static auto* const only = new Bench(session, settings, true);
  return *only;
}

// For programs that are made smaller: each as in a process of its own, since a printed one will be.
Bench& lone_bench(Session& session, const RunSettings& settings) {
  static auto* const only = new Bench(session, settings, false);
  return *only;
}

class Batch {
 public:
  Batch(const nlohmann::json& message, Bench& bench, const WorkerTell& tell)
      : bench_(bench),
        tell_(tell),
        rotation_(message.at("rotation").get<bool>() && bench.holds),
        drops_(message.at("drop").get<bool>() && bench.holds),
        wish_{message.at("first"), message.at("ops"), message.at("threads")} {}

  // False: no more programs in this process.
  bool run(uint64_t count) {
    for (uint64_t i = 0; i < count; ++i, ++wish_.seed) {
      conformance::begin_stage("program of seed " + std::to_string(wish_.seed));
      const bool goes_on = run_one();
      ++programs_;
      if (!goes_on) return false;
      if (Clock::now() - told_ > std::chrono::milliseconds(50)) progress();
    }
    return true;
  }

  void progress() {
    told_ = Clock::now();
    tell_({{"what", "programs"},
           {"programs", std::exchange(programs_, 0)},
           {"ops", std::exchange(ops_, 0)},
           {"gated", std::exchange(gated_, 0)},
           {"not_gated", std::exchange(not_gated_, 0)},
           {"drops_seen", std::exchange(drops_seen_, 0)}});
  }

 private:
  bool run_one() {
    const Program program = generate(bench_.world, wish_);
    const Contents expected = expected_contents(program);
    if (!drops_) {
      ops_ += program.ops.size();
      if (!judge(bench_.executor.run(program, expected), nullptr)) return false;
    }
    if (!rotation_ && !drops_) return true;
    for (const NecessaryWait& wait : necessary_waits(program)) {
      const auto rotated = gated(bench_.world, program, wait);
      if (!rotated) {
        ++not_gated_;
        continue;
      }
      ++gated_;
      ops_ += rotated->ops.size();
      if (drops_) {
        // A run of a faulty program: what it leaves behind is its own, and no difference is what is bad.
        const Verdict verdict = bench_.executor.run(*rotated, expected, wait.wait + 1);
        if (!verdict.same) {
          ++drops_seen_;
        } else {
          tell_({{"what", "unseen"},
                 {"seed", wish_.seed},
                 {"wait", wait.wait},
                 {"producer", wait.producer},
                 {"consumer", wait.consumer}});
        }
        if (verdict.spoiled) return false;
      } else if (!judge(bench_.executor.run(*rotated, expected), &wait)) {
        return false;
      }
    }
    return true;
  }

  bool judge(const Verdict& verdict, const NecessaryWait* wait) {
    if (verdict.same) return true;
    tell_({{"what", "difference"},
           {"seed", wish_.seed},
           {"wait", wait == nullptr ? nlohmann::json() : nlohmann::json(wait->wait)},
           {"text", verdict.text}});
    return !verdict.spoiled;
  }

  Bench& bench_;
  const WorkerTell& tell_;
  const bool rotation_, drops_;
  Wish wish_;
  uint64_t programs_ = 0, ops_ = 0, gated_ = 0, not_gated_ = 0, drops_seen_ = 0;
  Clock::time_point told_ = Clock::now();
};

void batch(const nlohmann::json& message, Session& session, const RunSettings& settings,
           const WorkerTell& tell) {
  Bench& mine = bench(session, settings);
  tell({{"what", "world"}, {"world", to_json(mine.world)}, {"holds", mine.holds}});
  Batch work(message, mine, tell);
  const bool whole = work.run(message.at("count").get<uint64_t>());
  work.progress();
  tell({{"what", "batch_done"}, {"spoiled", !whole}});
}

// One program, so many times. Spoiled, the process has made fewer runs.
void single(const nlohmann::json& message, Session& session, const RunSettings& settings,
            const WorkerTell& tell) {
  Bench& mine = lone_bench(session, settings);
  const Program program = program_from_json(message.at("program"));
  const Contents expected = expected_contents(program);
  const auto wanted = message.at("runs").get<uint32_t>();
  const bool until_failure = message.at("until_failure");
  uint32_t runs = 0;
  uint32_t failed = 0;
  bool spoiled = false;
  while (runs < wanted && !spoiled && !(until_failure && failed > 0)) {
    const Verdict verdict = mine.executor.run(program, expected);
    ++runs;
    failed += verdict.same ? 0 : 1;
    spoiled = verdict.spoiled;
  }
  tell({{"what", "program_done"}, {"runs", runs}, {"failed", failed}, {"spoiled", spoiled}});
}

}  // namespace

void add_fuzz_tasks() {
  conformance::add_worker_task("programs", batch);
  conformance::add_worker_task("program", single);
}

}  // namespace xhal::programs
