// SPDX-License-Identifier: Apache-2.0
#include "equivalents.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <iterator>

#include "strength/reason_list.h"

namespace xhal::mutation {
namespace {

// The same statement, however it is broken into lines.
std::string one_spaced(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool is_space = std::isspace(static_cast<unsigned char>(c)) != 0;
    if (!is_space) out += c;
    if (is_space && !out.empty() && out.back() != ' ') out += ' ';
  }
  return out;
}

}  // namespace

Equivalents::Equivalents(const std::string& path) {
  using conformance::wrong_reasons;
  for (const auto& group : conformance::read_reasons(path, "equivalent", "mutants")) {
    for (const auto& mutant : group.things) {
      Entry entry;
      entry.reason = group.reason;
      entry.line = mutant.line;
      std::string* const texts[] = {&entry.file, &entry.original, &entry.mutated};
      const size_t most = std::size(texts);
      const size_t given = mutant.texts.size();
      if (given < 2 || given > most + 1)
        wrong_reasons(
            path, mutant.line,
            "a mutant is a file, what stands there, what stands there instead, and which of these it is");
      for (size_t i = 0; i < std::min(given, most); ++i) *texts[i] = one_spaced(mutant.texts[i]);
      if (given > most) {
        const std::string& nth = mutant.texts[most];
        const auto [end, error] = std::from_chars(nth.data(), nth.data() + nth.size(), entry.nth);
        if (error != std::errc{} || end != nth.data() + nth.size() || entry.nth < 1)
          wrong_reasons(path, mutant.line, "which of these it is counts from 1");
      }
      entries_.push_back(std::move(entry));
    }
  }
}

bool Equivalents::Entry::is(const nlohmann::json& mutant) const {
  return mutant.at("file") == file && one_spaced(mutant.at("original")) == original &&
         (mutated.empty() || one_spaced(mutant.at("mutated")) == mutated) &&
         (nth == 0 || mutant.at("nth") == nth);
}

std::string Equivalents::reason(const nlohmann::json& mutant) const {
  const auto found = std::ranges::find_if(entries_, [&](const Entry& entry) { return entry.is(mutant); });
  return found == entries_.end() ? "" : found->reason;
}

std::vector<std::string> Equivalents::stale(const nlohmann::json& places) const {
  std::vector<std::string> out;
  for (const Entry& entry : entries_) {
    if (std::ranges::none_of(places, [&](const auto& place) { return entry.is(place); }))
      out.push_back(fmt::format("line {}: {}: {}", entry.line, entry.file, entry.original));
  }
  return out;
}

}  // namespace xhal::mutation
