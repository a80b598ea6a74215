// SPDX-License-Identifier: Apache-2.0
#include "plan.hpp"

#include <algorithm>
#include <bitset>
#include <charconv>

#include "xhal/kit/driver.hpp"

namespace xhal::fault {

using layers::index_of;
using layers::kEntries;
using layers::kEntryCount;

namespace {

// Entries whose last call by this thread was failed by a sweep: the next one is the repetition and goes through.
thread_local std::bitset<kEntryCount> t_failed_once;

bool parse_number(std::string_view text, uint64_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

// splitmix64: every seed and number gives another draw, the same on every machine.
uint64_t draw(uint64_t seed, uint64_t number) {
  uint64_t z = seed + (number + 1) * 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

// "3", "3-5", "3-"
bool parse_calls(std::string_view text, uint64_t& first, uint64_t& last) {
  const size_t dash = text.find('-');
  if (!parse_number(text.substr(0, dash), first) || first == 0) return false;
  last = first;
  if (dash == std::string_view::npos) return true;
  if (dash + 1 == text.size()) {
    last = UINT64_MAX;
    return true;
  }
  return parse_number(text.substr(dash + 1), last) && last >= first;
}

}  // namespace

bool matches(std::string_view pattern, std::string_view name) {
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == name;
  if (!name.starts_with(pattern.substr(0, star))) return false;
  const std::string_view rest = pattern.substr(star + 1);
  for (size_t skipped = star; skipped <= name.size(); ++skipped) {
    if (matches(rest, name.substr(skipped))) return true;
  }
  return false;
}

std::string parse_rule(std::string_view text, Rule& out) {
  const size_t first_colon = text.find(':');
  out.pattern = text.substr(0, first_colon);
  if (out.pattern.empty()) return "an entry's name is missing";
  if (first_colon == std::string_view::npos) return "";
  text.remove_prefix(first_colon + 1);
  const size_t second_colon = text.find(':');
  if (!parse_calls(text.substr(0, second_colon), out.first, out.last))
    return "the calls are neither 'N' nor 'N-M' nor 'N-', counted from 1";
  if (second_colon == std::string_view::npos) return "";
  const auto code = code_from_name(text.substr(second_colon + 1));
  if (!code.has_value()) return "no error has this name";
  out.code = *code;
  return "";
}

std::string check_rule(const Rule& rule) {
  bool found = false;
  for (size_t i = 0; i < kEntryCount; ++i) {
    if (!matches(rule.pattern, kEntries[i].name)) continue;
    found = true;
    if (rule.code == XHAL_SUCCESS || may_return(static_cast<Entry>(i), rule.code)) continue;
    return "xhal_" + std::string(kEntries[i].name) + " never returns " +
           std::string(layers::result_name(rule.code));
  }
  return found ? ""
               : "no entry is called '" + rule.pattern +
                     "' (names without xhal_, as in stream_create or memory_*)";
}

Plan::Plan(Settings settings)
    : settings_(std::move(settings)),
      rule_calls_(std::make_unique<std::atomic<uint64_t>[]>(settings_.rules.size())) {}

bool Plan::concerns(Entry entry) const {
  if (settings_.sweep || !settings_.table.empty()) return true;
  const std::string_view name = layers::info_of(entry).name;
  return (settings_.chance != 0 && matches(settings_.chance_for, name)) ||
         std::any_of(settings_.rules.begin(), settings_.rules.end(),
                     [&](const Rule& rule) { return matches(rule.pattern, name); });
}

xhal_result_t Plan::drawn_code(Entry entry, bool pinned, uint64_t call) const {
  const NaturalCodes codes = natural_codes(entry, pinned);
  return codes.codes[draw(settings_.seed, call * kEntryCount + index_of(entry)) % codes.count];
}

xhal_result_t Plan::fail_by_rule(Entry entry, bool pinned) {
  xhal_result_t answer = XHAL_SUCCESS;
  for (size_t i = 0; i < settings_.rules.size(); ++i) {
    const Rule& rule = settings_.rules[i];
    if (!matches(rule.pattern, layers::info_of(entry).name)) continue;
    // Every rule counts every call that it matches, also one that another rule fails.
    const uint64_t call = rule_calls_[i].fetch_add(1, std::memory_order_relaxed) + 1;
    if (call < rule.first || call > rule.last || answer != XHAL_SUCCESS) continue;
    answer = rule.code != XHAL_SUCCESS ? rule.code : natural_codes(entry, pinned).codes[0];
    kit::fail(answer, "call %llu of '%s' fails as the fault layer was told",
              static_cast<unsigned long long>(call), rule.pattern.c_str());
  }
  return answer;
}

bool Plan::sweep_fails(Entry entry) {
  // Another layer may ask for extensions meanwhile.
  if (entry != Entry::driver_get_devices && entry != Entry::driver_get_extension) {
    listed_.store(true, std::memory_order_relaxed);
  } else if (entry == Entry::driver_get_devices && !listed_.load(std::memory_order_relaxed)) {
    return false;
  }
  t_failed_once.flip(index_of(entry));
  return t_failed_once.test(index_of(entry));
}

xhal_result_t Plan::decide(Entry entry, bool pinned) {
  Counters& counters = counters_[index_of(entry)];
  const uint64_t call = counters.calls.fetch_add(1, std::memory_order_relaxed) + 1;
  xhal_result_t answer = fail_by_rule(entry, pinned);
  if (answer == XHAL_SUCCESS && settings_.chance != 0 &&
      matches(settings_.chance_for, layers::info_of(entry).name)) {
    const uint64_t number = chance_calls_.fetch_add(1, std::memory_order_relaxed);
    if (draw(settings_.seed, number) % settings_.chance == 0) {
      answer = drawn_code(entry, pinned, call);
      kit::fail(answer, "call %llu of this entry drew its failure (fault layer, chance=%llu,seed=%llu)",
                static_cast<unsigned long long>(call), static_cast<unsigned long long>(settings_.chance),
                static_cast<unsigned long long>(settings_.seed));
    }
  }
  if (answer == XHAL_SUCCESS && settings_.sweep && sweep_fails(entry)) {
    answer = drawn_code(entry, pinned, call);
    kit::fail(answer,
              "call %llu of this entry fails once in the fault layer's sweep; made again it goes through",
              static_cast<unsigned long long>(call));
  }
  if (answer != XHAL_SUCCESS) counters.failed.fetch_add(1, std::memory_order_relaxed);
  return answer;
}

Plan::Count Plan::count(Entry entry) const {
  const Counters& counters = counters_[index_of(entry)];
  return {counters.calls.load(std::memory_order_relaxed), counters.failed.load(std::memory_order_relaxed)};
}

}  // namespace xhal::fault
