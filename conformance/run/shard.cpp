// SPDX-License-Identifier: Apache-2.0
#include "run/shard.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <cstdlib>

#include "run/command.h"
#include "run/exit_codes.h"

namespace xhal::conformance {

using namespace ending;

namespace {

std::optional<unsigned> number(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<Shard> from_option(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto index = number(text.substr(0, slash));
  const auto count = number(text.substr(slash + 1));
  if (!index || !count || *count == 0 || *count > kMostShards || *index == 0 || *index > *count)
    return std::nullopt;
  return Shard{*index, *count};
}

}  // namespace

unsigned shard_of(std::string_view test, unsigned count) {
  // FNV-1a; the last mixing lets ids that differ in their ends only fall apart.
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : test) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccd;
  hash ^= hash >> 33;
  return static_cast<unsigned>(hash % count) + 1;
}

std::optional<Shard> chosen_shard(const std::string& option) {
  if (!option.empty()) {
    const auto shard = from_option(option);
    if (!shard) {
      stop(kExitUsage,
           fmt::format("--shard {}: write i/n with i from 1 to n and n at most {}", option, kMostShards));
    }
    return shard;
  }
  const char* const total = std::getenv("GTEST_TOTAL_SHARDS");
  const char* const index = std::getenv("GTEST_SHARD_INDEX");
  if (total == nullptr && index == nullptr) return std::nullopt;
  const auto count = number(total == nullptr ? "" : total);
  const auto which = number(index == nullptr ? "" : index);
  if (!count || !which || *count == 0 || *count > kMostShards || *which >= *count) {
    stop(kExitUsage,
         fmt::format(
             "GTEST_TOTAL_SHARDS={} GTEST_SHARD_INDEX={}: set both, the index from 0 to the total less "
             "one and the total at most {}, or neither, or give --shard i/n",
             total == nullptr ? "" : total, index == nullptr ? "" : index, kMostShards));
  }
  return Shard{*which + 1, *count};
}

}  // namespace xhal::conformance
