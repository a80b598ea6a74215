// SPDX-License-Identifier: Apache-2.0
#include "evidence/challenge.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/sha256.h"
#include "run/run.h"

namespace xhal::conformance {

namespace {

uint64_t first_word(const std::string& hash) { return std::stoull(hash.substr(0, 16), nullptr, 16); }

}  // namespace

std::string Challenge::why_unfit(std::string_view text) {
  constexpr size_t kShortest = 12;
  constexpr size_t kLongest = 200;
  if (text.size() < kShortest || text.size() > kLongest)
    return fmt::format("write {} to {} characters", kShortest, kLongest);
  const bool plain = std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
  if (!plain || text.front() == ' ' || text.back() == ' ')
    return "write printable ASCII without a blank at its ends, so that it can be typed again";
  return {};
}

std::string Challenge::derived(std::string_view purpose) const {
  // No field can hold a line end, so no two challenges give the same text.
  return sha256(fmt::format("xhal-conform challenge/1\n{}\n{}\n{}", purpose, commit_, text_));
}

uint64_t Challenge::seed() const { return first_word(derived("seed")) & kLargestSeed; }

uint64_t Challenge::control_seed() const { return first_word(derived("controls")); }

}  // namespace xhal::conformance
