// SPDX-License-Identifier: Apache-2.0
// Levels are data: a TOML file names the features that a device must claim and the tests that count.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "frame/test.h"

namespace xhal::conformance {

// What a framework asks of a device, by the clauses that it stands on: it works when their tests pass.
struct Interface {
  std::string name;
  std::vector<size_t> clauses;  // indices of kClauseIds
};

struct Level {
  std::string name;
  std::string title;
  std::vector<uint32_t> features;    // must be claimed
  std::vector<uint32_t> if_claimed;  // count where they are
  bool all_claimed = false;          // every claimed feature counts too
  std::vector<std::string> tests;    // globs over ids
  std::vector<Interface> interfaces;
};

class LevelError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A name is looked up in `folder`; what holds a '/' or ends in .toml is a file. Throws LevelError with one line.
Level load_level(const std::string& name_or_path, const std::string& folder);
// Names of the levels in the folder, sorted.
std::vector<std::string> level_names(const std::string& folder);

// The device as far as selection needs it.
struct Claims {
  std::vector<uint64_t> feature_words;
  size_t device_count = 0;

  [[nodiscard]] bool claims(uint32_t feature) const {
    return feature / 64 < feature_words.size() && ((feature_words[feature / 64] >> (feature % 64)) & 1u) != 0;
  }
  void claim(const std::vector<uint32_t>& features) {
    for (const uint32_t feature : features) {
      if (feature / 64 >= feature_words.size()) feature_words.resize(feature / 64 + 1);
      feature_words[feature / 64] |= uint64_t{1} << (feature % 64);
    }
  }
};

// Number of the feature with this name, or of "host" and unknown ones: core.
uint32_t feature_of_clause(Clause clause);
std::string feature_name(uint32_t feature);

// Shell-style: * any run, ? any one character. Nothing else is special.
bool glob_matches(std::string_view pattern, std::string_view text);

bool stands_on(const TestCase& test, const Interface& interface);

// Whether the test is one of the level's, by its clauses.
bool belongs(const TestCase& test, const Level& level, const Claims& claims);
// Why the test does not apply to the device; "" when it does.
std::string why_not_applicable(const TestCase& test, const Claims& claims);
// Whether the verdict needs it: it belongs, and if it does not apply then because the level wants more than the device claims.
bool is_required(const TestCase& test, const Level& level, const Claims& claims);
// Features that the level wants and the device does not claim.
std::vector<uint32_t> missing_features(const Level& level, const Claims& claims);

}  // namespace xhal::conformance
