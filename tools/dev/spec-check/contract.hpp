// SPDX-License-Identifier: Apache-2.0
// What include/xhal says: features, calls, names. Read as text, so that the checker can be tried on small made-up trees; a test compares
// the result with what the preprocessor makes of the same lists.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "text.hpp"

namespace xhal::spec {

struct Feature {
  std::string name;   // "EVENT_TIMING"
  std::string lower;  // "event_timing"
  bool settled = false;
};

struct Entry {
  std::string name;     // without "xhal_"
  std::string feature;  // lower case, or "host"
  size_t line = 0;
};

struct Contract {
  std::vector<Feature> features;
  std::vector<Entry> entries;
  std::vector<Entry> unlisted;  // exported by libxhal and in no list: names and texts
  std::set<std::string> names;  // every C identifier of the public headers

  [[nodiscard]] bool has_feature(const std::string& lower) const;
  // Of the list or unlisted.
  [[nodiscard]] const Entry* find_entry(const std::string& name) const;
};

inline constexpr const char* kHeaders = "include/xhal";
inline constexpr const char* kFeatureList = "include/xhal/features.def";
inline constexpr const char* kEntryList = "include/xhal/entry_points.def";

Contract read_contract(const std::filesystem::path& root, Findings& findings);

}  // namespace xhal::spec
