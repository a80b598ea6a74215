// SPDX-License-Identifier: Apache-2.0
// What follows from a reviewer's words: everything in a run that could have been prepared if it were known before.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace xhal::conformance {

inline constexpr const char* kEvidenceClaim = "tamper-evident, not proof of hardware";

class Challenge {
 public:
  // `commit` is the suite's: the same words mean another run for another suite.
  Challenge(std::string text, std::string commit) : text_(std::move(text)), commit_(std::move(commit)) {}

  // Why a text is none that can be typed again from a page; "" where it is.
  static std::string why_unfit(std::string_view text);

  [[nodiscard]] const std::string& text() const { return text_; }
  // Of data, order and random programs.
  [[nodiscard]] uint64_t seed() const;
  // Of the names that the kernels of the pack get.
  [[nodiscard]] std::string kernel_key() const { return derived("kernel names"); }
  // Of the faults that are put over the driver, their tests and places.
  [[nodiscard]] uint64_t control_seed() const;

 private:
  [[nodiscard]] std::string derived(std::string_view purpose) const;

  std::string text_;
  std::string commit_;
};

}  // namespace xhal::conformance
