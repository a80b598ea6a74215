// SPDX-License-Identifier: Apache-2.0
#include "report/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>

namespace xhal::conformance {

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kConformant:
      return "conformant";
    case Verdict::kConformantWithWaivers:
      return "conformant with waivers";
    case Verdict::kNotConformant:
      return "not conformant";
    case Verdict::kNothingToTest:
      return "nothing to test";
    case Verdict::kNotJudged:
      return "not judged";
  }
  return "not judged";
}

std::optional<Verdict> verdict_from_name(std::string_view name) {
  for (const Verdict verdict : {Verdict::kConformant, Verdict::kConformantWithWaivers,
                                Verdict::kNotConformant, Verdict::kNothingToTest, Verdict::kNotJudged}) {
    if (name_of(verdict) == name) return verdict;
  }
  return std::nullopt;
}

size_t Report::count(Outcome outcome) const {
  return static_cast<size_t>(std::ranges::count_if(
      tests, [outcome](const TestRecord& r) { return !r.waiver && r.result.outcome == outcome; }));
}

size_t Report::waived() const {
  return static_cast<size_t>(
      std::ranges::count_if(tests, [](const TestRecord& r) { return r.waiver.has_value(); }));
}

bool Report::anything_bad() const {
  return std::ranges::any_of(tests,
                             [](const TestRecord& r) { return !r.waiver && is_bad(r.result.outcome); });
}

bool Report::waivers_fail() const {
  return std::ranges::any_of(waivers, [](const Waiver& one) { return !one.problem.empty(); });
}

std::string_view outcome_word(const TestRecord& record) {
  return record.waiver ? kWaived : name_of(record.result.outcome);
}

std::string Report::rerun_command(const std::string& test) const {
  if (evidence) {
    return fmt::format("xhal-conform {} --level {} --challenge {} --bundle again --filter {}",
                       target_arguments, shell_word(level), shell_word(evidence->challenge),
                       shell_word(test));
  }
  return fmt::format("xhal-conform {} --level {} --seed {} --filter {}", target_arguments, shell_word(level),
                     seed, shell_word(test));
}

Containment containment_of(const Report& report) {
  constexpr std::string_view kClause = "XHAL-ERROR-5";
  static constexpr const char* kScopes[] = {"stream", "context", "device", "process"};
  Containment out;
  const auto& declared = report.device.value("declared", nlohmann::json::object());
  const auto scope = declared.value("fault_scope", ~0u);
  out.declared = scope < std::size(kScopes) ? kScopes[scope] : "unknown";
  bool observed = false;
  for (const TestRecord& record : report.tests) {
    const auto& clauses = record.test->definition->info.clauses;
    if (std::none_of(clauses.begin(), clauses.end(), [&](Clause clause) { return clause.id() == kClause; }))
      continue;
    const TestResult& result = record.result;
    const std::string what =
        fmt::format("{} {}: {}", record.test->id, name_of(result.outcome), result.message);
    if (is_bad(result.outcome)) {
      out.why_not = what;
      return out;  // what another one saw does not help
    }
    const bool passed = result.outcome == Outcome::kPassed;
    observed = observed || (passed && result.substitute.empty());
    if (out.why_not.empty()) out.why_not = passed ? result.substitute : what;
  }
  if (out.why_not.empty() && !observed) out.why_not = "its test was not run";
  if (observed) out.why_not.clear();
  out.observed = observed;
  return out;
}

LevelVerdict judge(const Report& report, const Level& level, const Claims& claims) {
  LevelVerdict out;
  out.level = level.name;
  for (const uint32_t feature : missing_features(level, claims)) {
    out.reasons.push_back(fmt::format("the level requires the feature {}, which the device does not claim",
                                      feature_name(feature)));
  }
  const bool lacks_features = !out.reasons.empty();
  std::map<Outcome, std::vector<std::string>> bad;
  size_t seen = 0;
  for (const TestRecord& record : report.tests) {
    if (!belongs(*record.test, level, claims)) continue;
    ++seen;
    const bool required = is_required(*record.test, level, claims);
    const Outcome outcome = record.result.outcome;
    const bool waived = record.waiver.has_value();
    const bool unobservable =
        outcome == Outcome::kSkipped && record.test->definition->info.may_be_unobservable;
    if (required && unobservable) ++out.not_observed;
    if (required && !unobservable) {
      ++out.required;
      if (outcome == Outcome::kPassed) ++out.required_passed;
      if (outcome == Outcome::kPassed && !record.result.substitute.empty()) ++out.by_substitute;
      if (waived) ++out.waived;
    }
    if (waived) continue;
    if (is_bad(outcome) || (required && outcome == Outcome::kSkipped && !unobservable))
      bad[outcome].push_back(record.test->id);
  }
  for (const auto& [outcome, ids] : bad) {
    out.reasons.push_back(fmt::format("{} {}{}: {}{}", ids.size(), name_of(outcome),
                                      ids.size() == 1 ? " test" : " tests", ids.front(),
                                      ids.size() > 1 ? ", ..." : ""));
  }
  if (report.shard) {
    out.verdict = Verdict::kNotJudged;
    out.reasons.push_back(
        fmt::format("shard {} of {}: judged when all are merged", report.shard->index, report.shard->count));
  } else if (lacks_features || !bad.empty()) {
    out.verdict = Verdict::kNotConformant;
  } else if (report.incomplete || !report.filters.empty()) {
    out.verdict = Verdict::kNotJudged;
    out.reasons.emplace_back(report.incomplete ? "the run was interrupted" : "a filter left tests out");
  } else if (seen == 0 || out.required_passed == 0) {
    out.verdict = Verdict::kNothingToTest;
    out.reasons.emplace_back("no required test was run");
  } else if (out.waived > 0) {
    out.verdict = Verdict::kConformantWithWaivers;
    out.reasons.push_back(
        fmt::format("{} required {} waived", out.waived, out.waived == 1 ? "test is" : "tests are"));
  } else {
    out.verdict = Verdict::kConformant;
  }
  return out;
}

std::string one_line(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    size_t length = 1;
    bool good = byte >= 0x20 && byte != 0x7F;
    if (byte >= 0x80) {
      length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
      good = byte >= 0xC2 && byte <= 0xF4 && i + length <= text.size();
      for (size_t k = 1; good && k < length; ++k)
        good = (static_cast<unsigned char>(text[i + k]) & 0xC0) == 0x80;
      // C1 controls, overlong forms, surrogates and what lies above U+10FFFF.
      const auto second = good ? static_cast<unsigned char>(text[i + 1]) : 0u;
      if ((byte == 0xC2 && second < 0xA0) || (byte == 0xE0 && second < 0xA0) ||
          (byte == 0xED && second > 0x9F) || (byte == 0xF0 && second < 0x90) ||
          (byte == 0xF4 && second > 0x8F)) {
        good = false;
      }
      if (!good) length = 1;
    }
    if (good) {
      out.append(text.substr(i, length));
    } else {
      out += byte == '\n' || byte == '\t' ? ' ' : '?';
    }
    i += length;
  }
  return out;
}

std::string shell_word(const std::string& text) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_.-/=,+:@").find(c) != std::string_view::npos;
  };
  if (!text.empty() && std::all_of(text.begin(), text.end(), plain)) return text;
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

}  // namespace xhal::conformance
