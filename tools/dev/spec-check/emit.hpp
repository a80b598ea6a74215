// SPDX-License-Identifier: Apache-2.0
// The clauses as C++ initialisers, for programs that name them.
#pragma once

#include "pages.hpp"

namespace xhal::spec {

// One line each, sorted by id: {"XHAL-EVENT-3", "core", "A rule."},
std::string clause_table(const Clauses& clauses);
// One line each, in the same order: "XHAL-EVENT-3",
std::string clause_ids(const Clauses& clauses);

// Leaves a file alone that holds this text already, so that nothing is built again. False when it cannot be written.
bool write_if_changed(const std::filesystem::path& path, const std::string& text);

}  // namespace xhal::spec
