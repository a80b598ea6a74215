// SPDX-License-Identifier: Apache-2.0
#include "programs/fuzz.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <vector>

#include "build_info.h"
#include "programs/gates.h"
#include "programs/order.h"
#include "programs/print_c.h"
#include "programs/print_opencl.h"
#include "programs/program_json.h"
#include "programs/shrink.h"
#include "report/output_file.h"
#include "report/print.h"
#include "report/report.h"
#include "report/sha256.h"
#include "run/command.h"
#include "run/exit_codes.h"
#include "run/interrupts.h"
#include "run/run.h"
#include "run/subject.h"
#include "run/task_process.h"

namespace xhal::programs {

namespace {

using namespace conformance;
using namespace ending;
using Clock = std::chrono::steady_clock;

// One message's worth of programs; and as many lines about failing programs as a person reads.
constexpr uint64_t kBatch = 2000;
constexpr size_t kLines = 10;
// A smaller program is a help, no duty.
constexpr double kShrinkSeconds = 120;
constexpr uint32_t kRunsToSee = 20;
constexpr uint32_t kRunsToTrust = 10;

struct FailedProgram {
  uint64_t seed = 0;
  std::optional<uint32_t> wait;  // the rotation that failed; without: the program as it is
  std::string outcome;           // "failed", "crashed", "timed_out"
  std::string text;
};

struct Totals {
  uint64_t programs = 0, ops = 0, gated = 0, not_gated = 0, drops_seen = 0;
  double seconds = 0;
};

class Fuzz {
 public:
  Fuzz(const FuzzOptions& options, const Probe& found, const RunSettings& settings, int interrupt_fd)
      : options_(options),
        found_(found),
        settings_(settings),
        process_(options.target, settings, deadline_of(settings), interrupt_fd) {}

  void run() {
    const auto begin = Clock::now();
    uint64_t next = 0;
    while (next < options_.programs && !interrupted_) next = run_batch(next);
    totals_.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    clear_line();
  }

  void reproduce(OutputFile& file);
  [[nodiscard]] nlohmann::json json() const;
  [[nodiscard]] int summary() const;
  [[nodiscard]] bool failed() const { return !failures_.empty(); }

 private:
  // The number of the program to go on with.
  uint64_t run_batch(uint64_t next);
  void hear(const nlohmann::json& message);
  void add(FailedProgram failure);
  void clear_line() const {
    if (options_.terminal) print(stderr, "\r\x1b[K");
  }
  [[nodiscard]] std::string rerun(uint64_t seed) const;
  [[nodiscard]] Program program_of(const FailedProgram& failure) const;
  // How many of the runs fail, of 1; at most one that fails when `until_failure`.
  double failing_part(const Program& program, uint32_t runs, bool until_failure);
  Program made_small(Program program);

  const FuzzOptions& options_;
  const Probe& found_;
  const RunSettings settings_;
  TaskProcess process_;
  World world_;
  bool holds_ = false;
  Totals totals_;
  std::vector<FailedProgram> failures_;
  std::set<uint64_t> failed_seeds_;
  uint64_t unseen_ = 0;
  bool interrupted_ = false;
  // What a person reads goes to stderr where a report takes the standard output.
  std::FILE* const out_ = options_.json == "-" ? stderr : stdout;
  std::string reproduced_;  // how the reproducer came out
};

uint64_t Fuzz::run_batch(uint64_t next) {
  const uint64_t count = std::min(kBatch, options_.programs - next);
  const uint64_t first = *options_.seed + next;
  const size_t before = failures_.size();
  bool spoiled = false;
  const auto ending = process_.ask({{"do", "programs"},
                                    {"first", first},
                                    {"count", count},
                                    {"ops", options_.ops},
                                    {"threads", options_.threads},
                                    {"rotation", options_.rotation},
                                    {"drop", options_.drop}},
                                   "batch_done", [&](const nlohmann::json& message) {
                                     hear(message);
                                     spoiled = message.value("spoiled", false);
                                   });
  if (ending.end == TaskProcess::End::kInterrupted) {
    interrupted_ = true;
    return next;
  }
  if (ending.end == TaskProcess::End::kDone) {
    if (!spoiled) return next + count;
    process_.retire();
    if (failures_.size() > before) return failures_.back().seed - *options_.seed + 1;
    return totals_.programs;  // a dropped wait that broke the process
  }
  // The worker's own word about where it was, in memory that outlives it.
  uint64_t seed = first;
  constexpr std::string_view kStage = "program of seed ";
  if (ending.stage.starts_with(kStage))
    seed = std::strtoull(ending.stage.c_str() + kStage.size(), nullptr, 10);
  if (seed < first || seed >= first + count) seed = first;
  add({seed, {}, ending.end == TaskProcess::End::kLate ? "timed_out" : "crashed", ending.text});
  totals_.programs = seed - *options_.seed + 1;
  return totals_.programs;
}

void Fuzz::hear(const nlohmann::json& message) {
  const std::string what = message.value("what", "");
  if (what == "world") {
    world_ = world_from_json(message.at("world"));
    holds_ = message.at("holds");
  } else if (what == "difference") {
    FailedProgram failure{message.at("seed"), {}, "failed", message.at("text")};
    if (message.at("wait").is_number()) failure.wait = message.at("wait").get<uint32_t>();
    add(std::move(failure));
  } else if (what == "unseen") {
    ++unseen_;
    if (unseen_ <= kLines) {
      print(out_, "not seen: seed {}, wait {} between {} and {}\n", message.at("seed").get<uint64_t>(),
            message.at("wait").get<uint32_t>(), message.at("producer").get<uint32_t>(),
            message.at("consumer").get<uint32_t>());
    }
  } else if (what == "programs") {
    totals_.programs += message.at("programs").get<uint64_t>();
    totals_.ops += message.at("ops").get<uint64_t>();
    totals_.gated += message.at("gated").get<uint64_t>();
    totals_.not_gated += message.at("not_gated").get<uint64_t>();
    totals_.drops_seen += message.at("drops_seen").get<uint64_t>();
    if (options_.terminal)
      print(stderr, "\r\x1b[K{} of {} programs, {} failed", totals_.programs, options_.programs,
            failed_seeds_.size());
  }
}

void Fuzz::add(FailedProgram failure) {
  clear_line();
  // One line a program: its other rotations tell the same again.
  if (failed_seeds_.insert(failure.seed).second && failed_seeds_.size() <= kLines) {
    print(out_, "{}: seed {}{}: {}\n  again: {}\n", failure.outcome, failure.seed,
          failure.wait ? fmt::format(", held before what wait {} is for", *failure.wait) : "", failure.text,
          rerun(failure.seed));
    if (failed_seeds_.size() == kLines) print(out_, "further failing programs are counted only\n");
  }
  failures_.push_back(std::move(failure));
}

std::string Fuzz::rerun(uint64_t seed) const {
  const Target& target = options_.target;
  std::string out = "xhal-conform fuzz ";
  out += target.driver_path.empty() ? "--backend " + shell_word(target.backend)
                                    : "--driver " + shell_word(target.driver_path);
  out += fmt::format(" --device {}", target.device_index);
  if (target.kernel_directory != default_share_directory() + "/kernels")
    out += " --kernels " + shell_word(target.kernel_directory);
  out += fmt::format(" --programs 1 --seed {} --ops {} --threads {}", seed, options_.ops, options_.threads);
  if (!options_.rotation) out += " --no-gate-rotation";
  return out;
}

Program Fuzz::program_of(const FailedProgram& failure) const {
  Program program = generate(world_, {failure.seed, options_.ops, options_.threads});
  if (!failure.wait) return program;
  for (const NecessaryWait& wait : necessary_waits(program)) {
    if (wait.wait != *failure.wait) continue;
    if (auto rotated = gated(world_, program, wait)) return *rotated;
  }
  return program;
}

double Fuzz::failing_part(const Program& program, uint32_t runs, bool until_failure) {
  double part = 0;
  bool spoiled = false;
  const auto ending = process_.ask(
      {{"do", "program"}, {"program", to_json(program)}, {"runs", runs}, {"until_failure", until_failure}},
      "program_done", [&](const nlohmann::json& message) {
        part = message.at("failed").get<double>() / message.at("runs").get<double>();
        spoiled = message.at("spoiled");
      });
  if (spoiled) process_.retire();
  if (ending.end == TaskProcess::End::kInterrupted) interrupted_ = true;
  if (interrupted_) return 0;
  return ending.end == TaskProcess::End::kDone ? part : 1;
}

Program Fuzz::made_small(Program program) {
  const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                        std::chrono::duration<double>(kShrinkSeconds));
  const auto in_time = [&] { return Clock::now() < until; };
  program = shrink(program,
                   [&](const Program& smaller) { return in_time() && failing_part(smaller, 3, true) > 0; });
  // What fails by chance may fail for certain when one of its streams is held.
  double best = failing_part(program, kRunsToTrust, false);
  const Program without_gate = program;
  for (uint32_t op = 0; op < without_gate.ops.size() && best < 1 && holds_ && without_gate.gates == 0; ++op) {
    const auto candidate = held(world_, without_gate, op);
    if (!candidate || !defect_of(*candidate).empty() || !in_time()) continue;
    const double part = failing_part(*candidate, kRunsToTrust, false);
    if (part <= best) continue;
    best = part;
    program = *candidate;
  }
  if (best >= 1 && program.gates > 0)
    program = shrink(
        program, [&](const Program& smaller) { return in_time() && failing_part(smaller, 3, false) >= 1; });
  return program;
}

void Fuzz::reproduce(OutputFile& file) {
  const FailedProgram& failure = failures_.front();
  if (world_.devices.empty()) {
    reproduced_ = "nothing is written: the driver failed before the first program";
    print(out_, "{}: {}\n", options_.reproducer, reproduced_);
    return;
  }
  Program program = program_of(failure);
  if (failing_part(program, kRunsToSee, true) <= 0) {
    reproduced_ =
        fmt::format("the program of seed {} did not fail again in {} runs: the whole of it is written",
                    failure.seed, kRunsToSee);
  } else {
    const size_t before = program.ops.size();
    program = made_small(program);
    reproduced_ = fmt::format("the program of seed {}, made smaller from {} operations to {}", failure.seed,
                              before, program.ops.size());
  }
  const auto text_of_api = options_.reproducer_api == "opencl" ? opencl_text : c_text;
  file.commit(text_of_api(program, fmt::format("Made by: {}", rerun(failure.seed)), failure.text));
  print(out_, "{}: {}\n", options_.reproducer, reproduced_);
}

nlohmann::json Fuzz::json() const {
  nlohmann::json failures = nlohmann::json::array();
  for (const FailedProgram& one : failures_) {
    failures.push_back({{"seed", one.seed},
                        {"wait", one.wait ? nlohmann::json(*one.wait) : nlohmann::json()},
                        {"outcome", one.outcome},
                        {"message", one.text},
                        {"rerun", rerun(one.seed)}});
  }
  nlohmann::json driver = found_.driver;
  driver["sha256"] = sha256_of_file(driver.value("path", ""));
  nlohmann::json device = found_.devices.front();
  device.erase("feature_words");
  return {{"schema", "xhal-conform-fuzz/1"},
          {"abi", fmt::format("{}.{}.{}", XHAL_ABI_MAJOR, XHAL_ABI_MINOR, XHAL_ABI_REVISION)},
          {"suite", {{"version", build::version()}, {"commit", build::commit()}, {"dirty", build::dirty()}}},
          {"driver", driver},
          {"device", device},
          {"seed", *options_.seed},
          {"options",
           {{"programs", options_.programs},
            {"ops", options_.ops},
            {"threads", options_.threads},
            {"gate_rotation", options_.rotation},
            {"drop_waits", options_.drop}}},
          {"holds_streams", holds_},
          {"incomplete", interrupted_},
          {"seconds", totals_.seconds},
          {"totals",
           {{"programs", totals_.programs},
            {"failed", failed_seeds_.size()},
            {"operations", totals_.ops},
            {"rotations", totals_.gated},
            {"waits_not_gated", totals_.not_gated},
            {"dropped_waits_seen", totals_.drops_seen}}},
          {"failures", failures}};
}

int Fuzz::summary() const {
  const double rate = totals_.seconds > 0 ? static_cast<double>(totals_.ops) / totals_.seconds : 0;
  print(out_, "{} programs from seed {}: {} failed; {} operations in {:.1f} s, {:.0f} a second\n",
        totals_.programs, *options_.seed, failed_seeds_.size(), totals_.ops, totals_.seconds, rate);
  if (options_.drop) {
    print(out_, "{} of {} dropped waits seen by results ({:.2f} %); {} could not be gated\n",
          totals_.drops_seen, totals_.gated,
          totals_.gated > 0
              ? 100.0 * static_cast<double>(totals_.drops_seen) / static_cast<double>(totals_.gated)
              : 0.0,
          totals_.not_gated);
  } else if (options_.rotation && holds_) {
    print(out_,
          "gate rotation: {} runs, one for each necessary wait; {} more waits have a call in between that "
          "waits for the producer\n",
          totals_.gated, totals_.not_gated);
  } else if (options_.rotation) {
    print(out_,
          "no gate rotation: the driver does not claim that a stream goes on while another one is held by a "
          "host function\n");
  }
  if (interrupted_) return kExitInterrupted;
  return failures_.empty() ? kExitOk : kExitMisbehaved;
}

int fuzz_checked(FuzzOptions& options) {
  if (options.target.kernel_directory.empty())
    options.target.kernel_directory = default_share_directory() + "/kernels";
  if (!options.seed) options.seed = drawn_seed();
  *options.seed = std::min(*options.seed, kLargestSeed - options.programs);
  const Interrupts interrupts;
  std::optional<OutputFile> json;
  std::optional<OutputFile> reproducer;
  try {
    if (!options.json.empty()) json.emplace(options.json);
    if (!options.reproducer.empty()) reproducer.emplace(options.reproducer);
  } catch (const OutputError& error) {
    stop(kExitUsage, error.what());
  }
  use_kernel_compiler(options.kernel_compiler, options.target, default_share_directory() + "/kernels",
                      options.entry_deadline_s, interrupts.fd());
  const Probe found = probed(options.target, options.entry_deadline_s, interrupts.fd());
  if (found.ending == Probe::Ending::kInterrupted)
    stop(kExitInterrupted,
         fmt::format("driver {}: interrupted while it was loaded", driver_of(options.target)));
  Fuzz fuzz(options, found, settings_of(options.target, *options.seed, found), interrupts.fd());
  fuzz.run();
  try {
    if (reproducer && fuzz.failed()) fuzz.reproduce(*reproducer);
    if (json) json->commit(fuzz.json().dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  } catch (const OutputError& error) {
    stop(kExitInternal, error.what());
  }
  return fuzz.summary();
}

}  // namespace

int fuzz(FuzzOptions options) {
  return ended([&] { return fuzz_checked(options); });
}

}  // namespace xhal::programs
