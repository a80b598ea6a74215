// SPDX-License-Identifier: Apache-2.0
#include "run/in_process.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "frame/execute.h"
#include "report/print.h"
#include "report/report.h"
#include "run/command.h"
#include "run/exit_codes.h"
#include "run/subject.h"

namespace xhal::conformance {

using namespace ending;

int run_in_process(const Options& options) {
  const auto& cases = checked_cases();
  const auto test = std::find_if(cases.begin(), cases.end(),
                                 [&](const TestCase& one) { return one.id == options.in_process; });
  if (test == cases.end())
    stop(kExitUsage,
         fmt::format("--in-process {}: no test has this id; --list shows them", options.in_process));
  const Probe found = probed(options.target, options.entry_deadline_s, -1);
  const RunSettings settings = settings_of(options.target, *options.seed, found);
  const std::string reason = why_not_applicable(*test, claims_of(found));
  if (!reason.empty()) stop(kExitNothing, fmt::format("{}: {}", test->id, reason));
  print(stdout, "{} with seed {} in process {}\n", test->id, settings.seed, getpid());
  std::unique_ptr<Session> session;
  const auto shared = [&]() -> Session& {
    if (session == nullptr) session = std::make_unique<Session>(options.target);
    return *session;
  };
  const TestResult result = execute(*test, settings, options.target, shared, [](const Failure& failure) {
    print(stdout, "  {}\n", one_line(to_string(failure)));
  });
  for (const std::string& note : result.notes) print(stdout, "  note: {}\n", one_line(note));
  if (!result.substitute.empty()) print(stdout, "  by substitute: {}\n", one_line(result.substitute));
  print(stdout, "{}{}{}\n", name_of(result.outcome), result.message.empty() ? "" : ": ",
        one_line(result.message));
  return is_bad(result.outcome) ? kExitMisbehaved : kExitOk;
}

}  // namespace xhal::conformance
