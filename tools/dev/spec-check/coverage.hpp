// SPDX-License-Identifier: Apache-2.0
// docs/spec/coverage.md: what consumers need -> calls and clauses; every call -> what four vendor APIs do for it; and the sketches, which
// are these vendor calls as C.
//
// Two shapes of table, told by their header row; other tables are left alone.
//   | need | calls and clauses | remark |             each row names calls or clauses, or says kAboveTheHal or kLater and why
//   | call | CUDA | HIP | Level Zero | OpenCL |       one row for each entry of the list, once
// A vendor's cell starts with one of the words of kWithoutSketch and a reason, or it is a call sequence: then
// docs/spec/sketches/<api>/ has a function sketch_<entry>, in which every vendor call that the cell names in backticks occurs.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "pages.hpp"

namespace xhal::spec {

inline constexpr const char* kCoverage = "docs/spec/coverage.md";
// PyTorch's needs have a page of their own, and the level of that name the same list (conformance/levels/torch.toml).
inline constexpr const char* kFramework = "docs/torch.md";
inline constexpr const char* kFrameworkLevel = "conformance/levels/torch.toml";
inline constexpr const char* kSketches = "docs/spec/sketches";

struct Vendor {
  std::string_view column;
  std::string_view folder;
  std::string_view prefix;  // of its calls
};
inline constexpr std::array<Vendor, 4> kVendors{{
    {"CUDA", "cuda", "cu"},
    {"HIP", "hip", "hip"},
    {"Level Zero", "level_zero", "ze"},
    {"OpenCL", "opencl", "cl"},
}};

inline constexpr std::string_view kAboveTheHal = "above the HAL: ";
inline constexpr std::string_view kLater = "later: ";
// Not claimed: a driver over this API refuses the feature. Own state: the driver answers from what it keeps itself. libxhal: no driver
// is asked.
inline constexpr std::string_view kNotClaimed = "not claimed: ";
inline constexpr std::string_view kOwnState = "own state: ";
inline constexpr std::string_view kByLibxhal = "libxhal: ";

// A row of a Markdown table, trimmed; nothing when the line is none. And whether it is the rule below a header.
std::vector<std::string> table_cells(const std::string& line);
bool is_rule(const std::vector<std::string>& cells);

void check_coverage(const std::filesystem::path& root, const Contract& contract, const Clauses& clauses,
                    Findings& findings);

// The page's rows that name clauses and the level's interfaces are the same, by name and clauses.
void check_interfaces(const std::filesystem::path& root, const TextFile& page, Findings& findings);

}  // namespace xhal::spec
