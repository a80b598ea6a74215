// SPDX-License-Identifier: Apache-2.0
// Which clause has a test: from the conformance suite's own list and from XHAL_CLAUSE("...") markers in tests/; and pending.txt.
#pragma once

#include <optional>
#include <set>

#include "pages.hpp"

namespace xhal::spec {

inline constexpr const char* kPending = "docs/spec/pending.txt";

// Ids of clauses that have a test.
using Tested = std::set<std::string>;

// A list as `xhal-conform --list --format json` prints it: an array, or an object with one, of objects with id and clauses.
void read_test_list(const std::filesystem::path& list, const Clauses& clauses, Tested& tested,
                    Findings& findings);
void read_markers(const std::filesystem::path& root, const Clauses& clauses, Tested& tested,
                  Findings& findings);

// Clauses of core, kernel, host and settled features that no test observes are findings.
void check_tested(const Contract& contract, const Clauses& clauses, const Tested& tested, Findings& findings);

// pending.txt must hold exactly the untested clauses of the other features. `former` is the count of an older version: it may not grow.
void check_pending(const std::filesystem::path& root, const Contract& contract, const Clauses& clauses,
                   const Tested& tested, std::optional<size_t> former, Findings& findings);
std::string pending_text(const Contract& contract, const Clauses& clauses, const Tested& tested);

// The count in the first line of a pending.txt.
std::optional<size_t> pending_count(const std::string& text);
// The smallest count of the last 200 commits that changed the file, as far as the checkout has them; nothing outside of a checkout of its own.
std::optional<size_t> committed_pending_count(const std::filesystem::path& root);

}  // namespace xhal::spec
