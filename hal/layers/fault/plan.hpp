// SPDX-License-Identifier: Apache-2.0
// Which calls fail, with which code: what the layer's options say.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "codes.hpp"

namespace xhal::fault {

// Calls `first` to `last` of the entries that the pattern matches fail.
struct Rule {
  std::string pattern;  // "stream_create", "memory_*", "*"
  uint64_t first = 1;
  uint64_t last = 1;
  xhal_result_t code = XHAL_SUCCESS;  // XHAL_SUCCESS: the entry's first natural code
};

struct Settings {
  std::vector<Rule> rules;
  bool sweep = false;      // each call fails once
  uint64_t chance = 0;     // of `chance` calls one fails; 0: none
  std::string chance_for;  // among the entries of this pattern
  uint64_t seed = 1;
  std::string table;  // a file; "" for none
};

// '*' stands for any characters.
bool matches(std::string_view pattern, std::string_view name);

// "stream_create:3:OUT_OF_HOST_MEMORY"; the reason when it is no rule, else "".
std::string parse_rule(std::string_view text, Rule& out);
// "" when the rule names entries that exist and a code that they all may return.
std::string check_rule(const Rule& rule);

// The answers for one driver of one instance. Any thread may ask at any time.
class Plan {
 public:
  explicit Plan(Settings settings);

  // Whether a call of the entry can ever fail: what cannot is not intercepted.
  [[nodiscard]] bool concerns(Entry entry) const;
  // Counts the call. XHAL_SUCCESS lets it go on; every other code is its answer, and is reported.
  xhal_result_t decide(Entry entry, bool pinned);

  struct Count {
    uint64_t calls = 0;
    uint64_t failed = 0;
  };
  [[nodiscard]] Count count(Entry entry) const;
  [[nodiscard]] const Settings& settings() const { return settings_; }

 private:
  struct Counters {
    std::atomic<uint64_t> calls{0};
    std::atomic<uint64_t> failed{0};
  };

  xhal_result_t fail_by_rule(Entry entry, bool pinned);
  bool sweep_fails(Entry entry);
  [[nodiscard]] xhal_result_t drawn_code(Entry entry, bool pinned, uint64_t call) const;

  const Settings settings_;
  const std::unique_ptr<std::atomic<uint64_t>[]> rule_calls_;
  std::atomic<uint64_t> chance_calls_{0};
  // libxhal lists the devices of a new instance itself; in a sweep those calls go through, or no instance would ever be made.
  std::atomic<bool> listed_{false};
  Counters counters_[layers::kEntryCount];
};

}  // namespace xhal::fault
