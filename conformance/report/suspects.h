// SPDX-License-Identifier: Apache-2.0
// Which rules a run's failures speak of most: where whoever mends the driver looks first. One defect breaks many tests, and most of the
// clauses that fail are innocent.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "report/report.h"

namespace xhal::conformance {

// Nobody reads more before he looks.
inline constexpr size_t kShownSuspects = 3;

struct Suspect {
  std::string clause;
  size_t failed = 0;  // tests in which an assertion of it failed
  size_t first = 0;   // of those, the ones in which no other failed before it
  size_t tests = 0;   // that judge it and were run
  double said =
      0;  // by those that failed, each of which divides its word among the clauses that failed in it
};

// What one test that was run says.
struct Testimony {
  std::vector<std::string_view> judges;  // clauses
  std::vector<std::string_view> broken;  // those whose assertions failed, in their order
};

// All whose assertions failed, the likeliest first.
std::vector<Suspect> suspects_of(const std::vector<Testimony>& tests);
std::vector<Suspect> suspects_of(const std::vector<TestRecord>& records);
// The clauses whose assertions failed in a test, in their order.
std::vector<std::string_view> broken_clauses(const TestRecord& record);
// Of a report in its JSON form.
std::vector<Suspect> suspects_of(const nlohmann::json& report);

}  // namespace xhal::conformance
