// SPDX-License-Identifier: Apache-2.0
// Bundles of xhal-conform --challenge, as their senders may change them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "conform.hpp"

namespace xhal::test {

inline constexpr const char* kWords = "seven herons over the estuary";

// What is in the folder, to be read, changed and put elsewhere.
struct BundleCopy {
  explicit BundleCopy(const std::string& folder);

  nlohmann::json report;
  std::vector<nlohmann::json> lines;  // of the transcript

  // The report of line 1.
  [[nodiscard]] nlohmann::json& header() { return lines.front()["report"]; }
  // Lines that begin this test, or end it.
  [[nodiscard]] std::vector<size_t> lines_of(const std::string& key, const std::string& test) const;
  // Takes a step out: its lines, and one from every later index.
  void take_out(size_t index);
  [[nodiscard]] nlohmann::json& test(const std::string& id);
  // As a sender would who knows how it is made: every hash anew.
  void chain_again();
  void write(const std::string& folder) const;
};

// `xhal-conform --challenge` over this driver, into the folder.
Ending answer(const std::string& folder, const std::vector<std::string>& arguments,
              const Environment& environment = {}, const std::string& words = kWords);
Ending verify(const std::string& folder, const std::vector<std::string>& arguments = {},
              const Environment& environment = {});
// Lines of verify's output that name something wrong.
size_t findings_in(const std::string& out);

}  // namespace xhal::test
