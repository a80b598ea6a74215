// SPDX-License-Identifier: Apache-2.0
// Clauses of drivers that no layer over a driver can break, and why: conformance/faults/unbroken.toml.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace xhal::conformance {

// Whether a clause binds libxhal itself. False for an id that the spec does not hold.
bool is_of_host(std::string_view clause);

class Unbroken {
 public:
  // Stops with what is wrong with the file: also with an entry whose clause a fault of the table breaks.
  explicit Unbroken(const std::string& path);
  // "" when it is not listed.
  [[nodiscard]] std::string reason(const std::string& clause) const;
  [[nodiscard]] size_t size() const { return reasons_.size(); }

 private:
  std::map<std::string, std::string> reasons_;  // by clause
};

}  // namespace xhal::conformance
