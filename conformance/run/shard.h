// SPDX-License-Identifier: Apache-2.0
// A run in parts: any job array can share the tests out, and nobody has to tell a machine what the others do.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace xhal::conformance {

struct Shard {
  unsigned index = 1;  // from 1
  unsigned count = 1;

  bool operator==(const Shard&) const = default;
};

inline constexpr unsigned kMostShards = 10'000;

// The shard that a test is in: by its id alone, so that every machine, filter and order gives the same.
unsigned shard_of(std::string_view test, unsigned count);

// What the option says ("2/4"), or without it GTEST_TOTAL_SHARDS and GTEST_SHARD_INDEX (from 0); nothing when neither is given. Stops with
// the user's mistake.
std::optional<Shard> chosen_shard(const std::string& option);

}  // namespace xhal::conformance
