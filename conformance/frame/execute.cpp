// SPDX-License-Identifier: Apache-2.0
#include "frame/execute.h"

#include <chrono>
#include <string_view>

#include "frame/kernel_pack.h"
#include "frame/trail.h"

namespace xhal::conformance {

TestResult execute(const TestCase& test, const RunSettings& settings, const Target& target,
                   const std::function<Session&()>& shared_session,
                   const std::function<void(const Failure&)>& on_failure) {
  begin_stage("test " + test.id);
  const auto begin = std::chrono::steady_clock::now();
  Recorder recorder(test.definition->info.clauses, on_failure);
  if (settings.challenged && std::string_view(test.definition->info.not_bit_exact).empty())
    recorder.take_digest();
  std::string inconclusive;
  std::string unobservable;
  try {
    // The scope ends what the test has left, before its time is taken and its result told.
    Context context(test, settings, target, shared_session, recorder);
    try {
      test.definition->function(context);
    } catch (const StopTest&) {
      // Otherwise a test that gave up without a word would pass by what it had asserted before.
      if (!recorder.has_failed())
        recorder.failed("", {test.definition->file, test.definition->line}, "the test itself",
                        "stopped without saying why");
    } catch (const Inconclusive& reason) {
      inconclusive = reason.why;
    } catch (const NotObservable& reason) {
      unobservable = reason.why;
    } catch (const NotInImage& lack) {
      inconclusive = lack.what();
    }
  } catch (const std::exception& error) {
    recorder.failed("", {test.definition->file, test.definition->line}, "the test itself", error.what());
  }
  TestResult result = recorder.result();
  if (result.failures.empty() && !inconclusive.empty()) {
    result.outcome = Outcome::kInconclusive;
    result.message = inconclusive;
  } else if (result.failures.empty() && !unobservable.empty()) {
    result.outcome = test.definition->info.may_be_unobservable ? Outcome::kSkipped : Outcome::kInconclusive;
    result.message = "not observed: " + unobservable;
  }
  result.milliseconds =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

}  // namespace xhal::conformance
