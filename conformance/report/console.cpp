// SPDX-License-Identifier: Apache-2.0
#include "report/console.h"

#include <fmt/format.h>

#include <algorithm>

#include "evidence/challenge.h"
#include "report/print.h"
#include "report/suspects.h"

namespace xhal::conformance {

namespace {

constexpr const char* kRed = "31";
constexpr const char* kGreen = "32";
constexpr const char* kYellow = "33";
constexpr const char* kBold = "1";
constexpr const char* kDim = "2";

const char* color_of(Outcome outcome) {
  if (outcome == Outcome::kPassed) return kGreen;
  return outcome == Outcome::kSkipped || outcome == Outcome::kInconclusive ? kYellow : kRed;
}

const char* color_of(Verdict verdict) {
  if (verdict == Verdict::kConformant) return kGreen;
  if (verdict == Verdict::kConformantWithWaivers) return kYellow;
  return verdict == Verdict::kNotConformant ? kRed : kYellow;
}

std::string duration(double milliseconds) {
  return milliseconds < 1000 ? fmt::format("{:.1f} ms", milliseconds)
                             : fmt::format("{:.1f} s", milliseconds / 1000);
}

}  // namespace

std::string Console::paint(std::string_view text, const char* code) const {
  return style_.color ? fmt::format("\033[{}m{}\033[0m", code, text) : std::string(text);
}

void Console::header(const Report& report, size_t selected, size_t to_run) {
  report_ = &report;
  const auto text = [](const nlohmann::json& object, const char* key) {
    return one_line(object.value(key, ""));
  };
  const auto& declared = report.device.value("declared", nlohmann::json::object());
  print(out_, "xhal-conform {} ({}{}), contract {}.{}.{}\n", report.suite_version,
        report.suite_commit.substr(0, 12), report.suite_dirty ? ", changed" : "", XHAL_ABI_MAJOR,
        XHAL_ABI_MINOR, XHAL_ABI_REVISION);
  print(out_, "driver  {} {}{}  {}\n", text(report.driver, "name"), text(report.driver, "version"),
        report.driver.value("emulated", false) ? paint(" EMULATED", kYellow) : "",
        text(report.driver, "path"));
  print(out_, "device  {} of {}: {}, {}\n", report.device.value("index", 0u), report.device_count,
        text(report.device, "name"), text(report.device, "architecture"));
  print(out_, "        {}, declares faults contained by the {}, streams {}\n",
        declared.value("is_synchronous", false) ? "synchronous" : "asynchronous",
        containment_of(report).declared, [&] {
          for (const auto& feature : report.device.value("features", nlohmann::json::array())) {
            if (feature == "cross_stream_progress") return "independent";
          }
          return "may stop each other";
        }());
  print(out_, "level   {}, {} tests, {} apply, seed {}{}, deadline {:.0f} s a test\n\n",
        one_line(report.level), selected, to_run, report.seed, report.shuffled ? " (shuffled)" : "",
        report.test_deadline_s);
  std::fflush(out_);
  total_ = to_run;
  start_ = std::chrono::steady_clock::now();
}

void Console::begun(const TestCase& test) {
  current_ = test.id;
  if (!style_.terminal) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - drawn_ < std::chrono::milliseconds(50)) return;
  drawn_ = now;
  draw_progress();
}

void Console::draw_progress() {
  const double elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  std::string left;
  if (done_ > 0 && total_ > done_) {
    left = fmt::format(" ~{:.0f} s left",
                       elapsed / static_cast<double>(done_) * static_cast<double>(total_ - done_));
  }
  std::string text = fmt::format("[{}/{} {}%{}] {}", done_, total_, total_ == 0 ? 100 : 100 * done_ / total_,
                                 left, current_);
  const auto width = static_cast<size_t>(std::max(20, style_.width - 1));
  if (text.size() > width) text.resize(width);
  print(out_, "\r\033[K{}", text);
  std::fflush(out_);
  progress_shown_ = true;
}

void Console::erase_progress() {
  if (!progress_shown_) return;
  print(out_, "\r\033[K");
  std::fflush(out_);
  progress_shown_ = false;
}

void Console::line(const TestRecord& record) {
  const Outcome outcome = record.result.outcome;
  // Padded before it is painted: escape codes have no width.
  print(out_, "{}  {}  {}\n", paint(fmt::format("{:<12}", name_of(outcome)), color_of(outcome)),
        record.test->id, paint(duration(record.result.milliseconds), kDim));
}

void Console::failure_details(const TestRecord& record) {
  print(out_, "      {}\n", one_line(record.result.message));
  for (const Failure& failure : record.result.failures) {
    if (failure.clause.empty()) continue;
    for (size_t i = 0; i < kClauseCount; ++i) {
      if (kClauseIds[i] == failure.clause) {
        print(out_, "      {}: {}\n", paint(failure.clause, kBold), clause_info(i).rule);
        break;
      }
    }
    break;
  }
  if (report_ != nullptr) print(out_, "      again: {}\n", report_->rerun_command(record.test->id));
}

void Console::ended(const TestRecord& record, size_t done, size_t total) {
  done_ = done;
  total_ = total;
  const bool bad = is_bad(record.result.outcome);
  if (style_.terminal && !style_.verbose && !bad) return;
  erase_progress();
  line(record);
  if (bad) failure_details(record);
  std::fflush(out_);
}

// How many of a level's interfaces are in which state; those that fail with their tests, and by name those that are not there.
void Console::interfaces_of(const LevelVerdict& level) {
  if (level.interfaces.empty()) return;
  std::string counts;
  for (const char* const state : {"works", "fails", "absent", "not judged"}) {
    const auto count = std::ranges::count_if(level.interfaces,
                                             [&](const InterfaceVerdict& one) { return one.state == state; });
    if (count > 0) counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", count, state);
  }
  print(out_, "  interfaces: {}\n", counts);
  for (const InterfaceVerdict& one : level.interfaces) {
    if (one.state == "fails") {
      print(out_, "    {}: {}: {}{}\n", paint(one.state, kRed), one_line(one.name), one.failed.front(),
            one.failed.size() > 1 ? fmt::format(" and {} more", one.failed.size() - 1) : "");
    } else if (one.state == "absent") {
      print(out_, "    {}: {}\n", paint(one.state, kYellow), one_line(one.name));
    }
  }
}

void Console::summary(const Report& report) {
  erase_progress();
  std::string counts;
  for (const Outcome outcome : kOutcomes) {
    const size_t count = report.count(outcome);
    if (count == 0) continue;
    counts +=
        fmt::format("{}{} {}", counts.empty() ? "" : ", ", count, paint(name_of(outcome), color_of(outcome)));
  }
  if (report.waived() > 0)
    counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", report.waived(), paint(kWaived, kYellow));
  if (counts.empty()) counts = "nothing";
  print(out_, "\n{} in {:.1f} s{}\n", counts, report.seconds,
        report.incomplete ? paint(", INTERRUPTED", kRed) : "");
  if (report.incomplete) print(out_, "not run: {} tests\n", report.not_run.size());
  const Containment containment = containment_of(report);
  if (containment.observed) {
    print(out_, "containment: observed, faults stay within the {}\n", containment.declared);
  } else {
    print(out_, "containment: {}, the device declares the {} ({})\n", paint("not observed", kYellow),
          containment.declared, one_line(containment.why_not));
  }
  for (const LevelVerdict& level : report.levels) {
    const std::string by_substitute =
        level.by_substitute == 0 ? "" : fmt::format(", {} of them by substitute", level.by_substitute);
    const std::string not_observed =
        level.not_observed == 0 ? "" : fmt::format("; {} further not observed", level.not_observed);
    const std::string waived = level.waived == 0 ? "" : fmt::format(", {} waived", level.waived);
    print(out_, "level {}: {} ({} of {} required tests passed{}{}{})\n", one_line(level.level),
          paint(name_of(level.verdict), color_of(level.verdict)), level.required_passed, level.required,
          by_substitute, waived, not_observed);
    interfaces_of(level);
    // The reasons of the level asked for follow the verdict.
    if (level.level == report.verdict.level) continue;
    for (const std::string& reason : level.reasons) print(out_, "  {}\n", one_line(reason));
  }
  for (const Waiver& waiver : report.waivers) {
    if (waiver.state == "used") {
      print(out_, "waived: {} until {}: {} ({})\n", one_line(waiver.test), waiver.expires,
            one_line(waiver.reason), one_line(waiver.link.empty() ? waiver.reproducer : waiver.link));
    } else if (!waiver.problem.empty()) {
      print(out_, "waiver {}: {}: {}\n", one_line(waiver.test), paint(waiver.state, kRed),
            one_line(waiver.problem));
    }
  }
  if (report.evidence) {
    const auto& controls = report.evidence->controls;
    print(out_, "controls: {} of {} tests with a known defect over the driver noticed it\n",
          std::ranges::count_if(controls, [](const ControlRecord& one) { return one.noticed; }),
          controls.size());
    print(out_, "challenge: '{}', kernel names: {}; {}\n", report.evidence->challenge,
          one_line(report.evidence->kernel_names), kEvidenceClaim);
  }
  const std::vector<Suspect> suspects = suspects_of(report.tests);
  for (size_t i = 0; i < std::min(suspects.size(), kShownSuspects); ++i) {
    print(out_, "{}{}: failed in {} of its {} tests\n", i == 0 ? "look first at " : "         then ",
          paint(suspects[i].clause, kBold), suspects[i].failed, suspects[i].tests);
  }
  print(out_, "verdict: {}\n", paint(name_of(report.verdict.verdict), color_of(report.verdict.verdict)));
  for (const std::string& reason : report.verdict.reasons) print(out_, "  {}\n", one_line(reason));
  std::fflush(out_);
}

}  // namespace xhal::conformance
