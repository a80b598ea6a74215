// SPDX-License-Identifier: Apache-2.0
#include "frame/clause.h"

namespace xhal::conformance {

namespace {

constexpr ClauseInfo kClauses[] = {
#include "clause_table.inc"
};
static_assert(std::size(kClauses) == kClauseCount, "clause_ids.inc and clause_table.inc come from one run");

}  // namespace

const ClauseInfo& clause_info(Clause clause) { return kClauses[clause.index()]; }
const ClauseInfo& clause_info(size_t index) { return kClauses[index]; }

}  // namespace xhal::conformance
