// SPDX-License-Identifier: Apache-2.0
// Clauses of docs/spec, by id. An id that the spec does not hold does not compile.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string_view>

namespace xhal::conformance {

inline constexpr std::string_view kClauseIds[] = {
#include "clause_ids.inc"
};
inline constexpr size_t kClauseCount = std::size(kClauseIds);

// Not constexpr on purpose: a constant evaluation that gets here ends in a compile error with this name.
inline void docs_spec_has_no_such_clause() {}

constexpr uint16_t clause_index(std::string_view id) {
  const auto* found = std::lower_bound(std::begin(kClauseIds), std::end(kClauseIds), id);
  if (found == std::end(kClauseIds) || *found != id) docs_spec_has_no_such_clause();
  return static_cast<uint16_t>(found - std::begin(kClauseIds));
}

class Clause {
 public:
  consteval Clause(const char* id) : index_(clause_index(id)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] constexpr std::string_view id() const { return kClauseIds[index_]; }
  [[nodiscard]] constexpr uint16_t index() const { return index_; }
  friend constexpr bool operator==(Clause, Clause) = default;

 private:
  uint16_t index_;
};

struct ClauseInfo {
  std::string_view id;
  std::string_view feature;  // as the spec says: a name of features.def in lower case, or "host"
  std::string_view rule;
};

// In the order of kClauseIds.
const ClauseInfo& clause_info(Clause clause);
const ClauseInfo& clause_info(size_t index);

}  // namespace xhal::conformance
