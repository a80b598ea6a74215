// SPDX-License-Identifier: Apache-2.0
#include "strength/unbroken.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "frame/clause.h"
#include "run/command.h"
#include "run/exit_codes.h"
#include "strength/fault_list.h"
#include "strength/reason_list.h"

namespace xhal::conformance {

using namespace ending;

namespace {

bool is_known(std::string_view clause) {
  return std::ranges::find(kClauseIds, clause) != std::end(kClauseIds);
}

// Why an entry has no place in the list; "" when it has.
std::string why_not(const std::string& clause) {
  if (!is_known(clause)) return fmt::format("'{}' is no clause", clause);
  if (is_of_host(clause)) return fmt::format("{} is a clause of libxhal, which no driver can break", clause);
  const auto faults = all_faults();
  const auto breaks =
      std::ranges::find_if(faults, [&](const FaultInfo& fault) { return fault.clause.id() == clause; });
  return breaks == faults.end() ? "" : fmt::format("{} is broken by {}: take it out", clause, breaks->name);
}

}  // namespace

bool is_of_host(std::string_view clause) {
  const auto* const found = std::ranges::find(kClauseIds, clause);
  return found != std::end(kClauseIds) &&
         clause_info(static_cast<size_t>(found - std::begin(kClauseIds))).feature == "host";
}

Unbroken::Unbroken(const std::string& path) {
  try {
    for (const ReasonedEntry& entry : read_reasons(path, "unbroken", "clauses")) {
      for (const ReasonedThing& one : entry.things) {
        const std::string& clause = one.texts.front();
        if (const std::string why = why_not(clause); !why.empty()) wrong_reasons(path, one.line, why);
        if (!reasons_.emplace(clause, entry.reason).second)
          wrong_reasons(path, one.line, fmt::format("{} is listed twice", clause));
      }
    }
  } catch (const std::runtime_error& error) {
    stop(kExitUsage, error.what());
  }
}

std::string Unbroken::reason(const std::string& clause) const {
  const auto found = reasons_.find(clause);
  return found == reasons_.end() ? "" : found->second;
}

}  // namespace xhal::conformance
