// SPDX-License-Identifier: Apache-2.0
// Numbers for ratios by their names, from a TOML file: what each is wanted to be (goals.toml), how far runs of one build lie apart (drift.toml).
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

namespace xhal::bench {

class RowTableError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct RowEntry {
  std::string row;        // glob over names
  std::string reference;  // glob over the row's references
  std::string driver;     // "": of every driver
  double number = 0;
  std::string reason;
};

// How a file calls what is in it, and what its numbers may not fall below.
struct RowTableWords {
  const char* entry;
  const char* number;
  const char* reason;
  double above;
  const char* beside;  // another key of the file, which somebody else reads; "": none
};
inline constexpr RowTableWords kGoals = {"goal", "limit", "miss", 0, ""};
inline constexpr RowTableWords kDrift = {"drift", "factor", "why", 1, "chance"};

class RowTable {
 public:
  RowTable() = default;
  RowTable(const std::string& file, const RowTableWords& words);  // throws RowTableError
  // The last entry that matches; one that names the driver comes before one that does not.
  [[nodiscard]] const RowEntry* find(const std::string& row, const std::string& reference,
                                     const std::string& driver) const;
  [[nodiscard]] const std::vector<RowEntry>& all() const { return entries_; }

 private:
  std::vector<RowEntry> entries_;
};

}  // namespace xhal::bench
