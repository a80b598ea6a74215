// SPDX-License-Identifier: Apache-2.0
// Runs tests in worker processes: what happens to a worker happens to one test.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "frame/context.h"
#include "report/report.h"
#include "run/oddness.h"

namespace xhal::conformance {

// What a first worker found out.
struct Probe {
  enum class Ending { kOpened, kRefused, kMisbehaved, kInterrupted };
  Ending ending = Ending::kMisbehaved;
  xhal_result_t code = XHAL_SUCCESS;  // kRefused: of the call that failed
  bool created = false;               // kRefused: by a call behind xhal_instance_create
  std::string text;                   // one line, unless opened
  nlohmann::json driver;
  std::vector<nlohmann::json> devices;  // the one under test first
  uint64_t first_trip_ns = 0;           // with what opening the device takes
  uint64_t round_trip_ns = 0;           // the median of some behind it
  std::string kernel_names;  // asked for with a key: "derived", or why the kernels keep their names
};

// Loads the driver in a worker, lists its devices, measures a round trip. Gives up after `deadline_s`, or when `interrupt_fd` (or -1)
// turns readable.
Probe probe(const Target& target, double deadline_s, int interrupt_fd);

class RunListener {
 public:
  virtual ~RunListener() = default;
  virtual void begun(const TestCase& test) = 0;
  virtual void ended(const TestRecord& record, size_t done, size_t total) = 0;
  // RunPlan::count_oddness: what a worker's driver has done since it told last.
  virtual void was_odd(const OddnessCounts& /*counts*/) {}
};

struct RunPlan {
  std::vector<const TestCase*> tests;  // in this order
  Target target;
  RunSettings settings;
  double deadline_s = 60;  // of one test
  unsigned jobs = 1;
  int interrupt_fd = -1;  // readable: stop
  std::function<bool(const TestCase&)> required;
  bool count_oddness = false;
  // Asked after each test: true, and the rest is not run.
  std::function<bool(const TestRecord&)> enough;
};

// One record for each test that was run, in the order of their ends; all but the rest after an interruption.
std::vector<TestRecord> run_tests(const RunPlan& plan, RunListener& listener, bool* interrupted);

}  // namespace xhal::conformance
