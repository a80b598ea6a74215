// SPDX-License-Identifier: Apache-2.0
// What each ratio is wanted to be, from goals.toml: of every driver, and of one by its name.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace xhal::bench {

class GoalsError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Goal {
  std::string row;  // glob over names
  std::string reference;
  std::string driver;  // "": of every driver
  double limit = 0;
  std::string miss;  // why it is known to be missed
};

class Goals {
 public:
  Goals() = default;
  explicit Goals(const std::string& file);  // throws GoalsError
  // The last entry that matches; one that names the driver comes before one that does not.
  [[nodiscard]] const Goal* find(const std::string& row, const std::string& reference,
                                 const std::string& driver) const;
  [[nodiscard]] const std::vector<Goal>& all() const { return goals_; }

 private:
  std::vector<Goal> goals_;
};

}  // namespace xhal::bench
