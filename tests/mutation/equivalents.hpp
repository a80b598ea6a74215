// SPDX-License-Identifier: Apache-2.0
// The changes of the simulator that no application can see, or that no clause speaks of, from a file with reasons (equivalent.toml).
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace xhal::mutation {

class Equivalents {
 public:
  // Throws std::runtime_error, which tells the line.
  explicit Equivalents(const std::string& path);

  // "" when the mutant is not listed.
  [[nodiscard]] std::string reason(const nlohmann::json& mutant) const;
  // What is listed and is none of `places`, each as it would be found in the file.
  [[nodiscard]] std::vector<std::string> stale(const nlohmann::json& places) const;

 private:
  struct Entry {
    std::string file, original, mutated;  // mutated "": whatever stands there instead
    int64_t nth = 0;                      // which of those that read the same in the file; 0: all
    std::string reason;
    size_t line = 0;

    [[nodiscard]] bool is(const nlohmann::json& mutant) const;
  };
  std::vector<Entry> entries_;
};

}  // namespace xhal::mutation
