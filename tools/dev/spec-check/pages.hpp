// SPDX-License-Identifier: Apache-2.0
// The numbered clauses of docs/spec, and every place that mentions one.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "contract.hpp"

namespace xhal::spec {

inline constexpr const char* kSpec = "docs/spec";

struct Clause {
  std::string page;  // "EVENT"
  unsigned number = 0;
  std::string feature;  // lower case, or "host"
  std::string rule;
  std::string seen_by;
  bool withdrawn = false;
  std::string file;
  size_t line = 0;

  [[nodiscard]] std::string id() const { return "XHAL-" + page + "-" + std::to_string(number); }
};

class Clauses {
 public:
  // In the order of files and lines; a second one of the same id is not kept.
  [[nodiscard]] const std::vector<Clause>& all() const { return all_; }
  // Null for an unknown or withdrawn id.
  [[nodiscard]] const Clause* find(const std::string& id) const;
  // Null, or the first of the same id, withdrawn or not.
  [[nodiscard]] const Clause* add(Clause clause);

 private:
  std::vector<Clause> all_;
  std::map<std::string, size_t> by_id_;
};

// Reads all pages and finds what is wrong with their form.
Clauses read_pages(const std::filesystem::path& root, const Contract& contract, Findings& findings);

// Finds mentions, anywhere in the tree's text, of clauses that do not exist.
void check_mentions(const std::filesystem::path& root, const Clauses& clauses, Findings& findings);

}  // namespace xhal::spec
