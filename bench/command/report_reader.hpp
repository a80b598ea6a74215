// SPDX-License-Identifier: Apache-2.0
// What is kept of a run after it: read from its JSON form, or taken from a run that was just made. Commands that compare work on this alone.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/command/bench_run.hpp"
#include "bench/statistics/statistics.hpp"

namespace xhal::bench {

struct KeptComparison {
  std::string reference;
  Better better = Better::kLess;
  std::vector<Restart> ratios;  // by process
};

struct KeptRow {
  std::string name;
  std::string state;  // as name_of(RowState) writes it
  std::string why;
  std::vector<KeptComparison> comparisons;
  Contention contention;  // of all processes

  [[nodiscard]] bool measured() const;
  [[nodiscard]] const KeptComparison* find(const std::string& reference) const;
};

struct KeptReport {
  std::string path;         // "" for a run that was just made
  nlohmann::json document;  // the JSON form
  std::vector<KeptRow> rows;

  [[nodiscard]] const KeptRow* find(const std::string& row) const;
};

// The JSON report in this file. Stops with the user's mistake: no file, no JSON, another schema, a field that is missing or of another kind.
KeptReport kept_report(const std::string& path);
KeptReport kept_report(const BenchReport& report);
KeptRow kept_row(const RowResult& row);

// Why the figures of two reports do not stand beside each other, "driver sim and driver cuda"; "" when they do.
std::string other_subject(const KeptReport& one, const KeptReport& other);
// What else differs that may explain a difference, a line each: goals, kernels, processor, builds.
std::vector<std::string> other_circumstances(const KeptReport& one, const KeptReport& other);

}  // namespace xhal::bench
