// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace xhal::conformance {

enum class Outcome {
  kPassed,
  kFailed,        // an assertion did not hold
  kSkipped,       // does not apply: a feature it needs is not claimed, or it tests the refusal of one that is
  kRefused,       // the feature is claimed, and a call of it answered UNSUPPORTED
  kInconclusive,  // nothing was shown either way: no witness, no kernel image
  kCrashed,       // the worker died
  kTimedOut,      // the deadline passed and the worker was killed
  kUnstable       // failed behind other tests, passed alone: counts as failed
};

inline constexpr std::array kOutcomes = {Outcome::kPassed,   Outcome::kFailed,       Outcome::kSkipped,
                                         Outcome::kRefused,  Outcome::kInconclusive, Outcome::kCrashed,
                                         Outcome::kTimedOut, Outcome::kUnstable};

constexpr std::string_view name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::kPassed:
      return "passed";
    case Outcome::kFailed:
      return "failed";
    case Outcome::kSkipped:
      return "skipped";
    case Outcome::kRefused:
      return "refused";
    case Outcome::kInconclusive:
      return "inconclusive";
    case Outcome::kCrashed:
      return "crashed";
    case Outcome::kTimedOut:
      return "timed_out";
    case Outcome::kUnstable:
      return "unstable";
  }
  return "failed";
}

constexpr std::optional<Outcome> outcome_from_name(std::string_view name) {
  for (const Outcome outcome : kOutcomes) {
    if (name_of(outcome) == name) return outcome;
  }
  return std::nullopt;
}

// Whether a person has to look at it, required or not.
constexpr bool is_bad(Outcome outcome) { return outcome != Outcome::kPassed && outcome != Outcome::kSkipped; }

}  // namespace xhal::conformance
