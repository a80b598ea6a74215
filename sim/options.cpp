// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"

#include <sched.h>
#include <unistd.h>

#include <charconv>
#include <string>
#include <string_view>
#include <utility>

#include "xhal/kit/driver.hpp"

namespace xhal::sim {
namespace {

constexpr uint64_t kPage = 4096;
constexpr size_t kLongestPath = 4095;
constexpr uint64_t kSmallestMemory = uint64_t{1} << 20;
constexpr uint64_t kLargestMemory = uint64_t{64} << 30;

std::string read_count(std::string_view text, uint32_t lowest, uint32_t highest, uint32_t& out) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < lowest || number > highest) {
    return "must be a number from " + std::to_string(lowest) + " to " + std::to_string(highest);
  }
  out = number;
  return "";
}

std::string read_size(std::string_view text, uint64_t lowest, uint64_t highest, uint64_t& out) {
  uint64_t bytes = 0;
  if (!kit::parse_bytes(text, bytes) || bytes < lowest || bytes > highest || bytes % kPage != 0) {
    return "must be a multiple of 4096 bytes from " + std::to_string(lowest) + " to " +
           std::to_string(highest) + "; k, m, g and t are units";
  }
  out = bytes;
  return "";
}

uint64_t machine_memory() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  return pages > 0 ? static_cast<uint64_t>(pages) * kPage : kLargestMemory;
}

uint32_t usable_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
  return count > 0 ? static_cast<uint32_t>(count) : 1;
}

std::string read_matrix_library(std::string_view text, std::string& out) {
  // A name without a folder would be looked for where each process looks for libraries: another one each time.
  if (text != "none" && (text.empty() || text.front() != '/' || text.size() > kLongestPath))
    return "must be 'none' or the absolute path of a library";
  out = text;
  return "";
}

}  // namespace

xhal_result_t read_options(std::span<const xhal_key_value_t> given, Options& out) {
  Options options;
  const kit::OptionRule rules[] = {
      {"devices", "number of devices",
       [&](std::string_view value) { return read_count(value, 1, 64, options.devices); }},
      {"memory", "memory of each device",
       [&](std::string_view value) {
         return read_size(value, kSmallestMemory, kLargestMemory, options.memory_bytes);
       }},
      {"units", "compute units that a device tells of",
       [&](std::string_view value) { return read_count(value, 1, 65536, options.units); }},
      {"pinned", "pinned host memory of all devices together",
       [&](std::string_view value) { return read_size(value, kPage, UINT64_MAX / 2, options.pinned_bytes); }},
      {"staging", "memory for copies of pageable sources that wait in streams",
       [&](std::string_view value) {
         return read_size(value, kPage, UINT64_MAX / 2, options.staging_bytes);
       }},
      {"ipc_answer_ms", "milliseconds that another process may take to answer",
       [&](std::string_view value) { return read_count(value, 1, 3'600'000, options.ipc_answer_ms); }},
      {"features", "features not to claim, each with a '-' before it",
       [&](std::string_view value) { return read_withdrawn_features(value, options.withdrawn); }},
      {"level", "the highest x86-64 level of kernel images",
       [&](std::string_view value) { return read_count(value, 2, 4, options.level); }},
      {"odd", "legal but unusual ways, joined by '+'",
       [&](std::string_view value) { return read_oddities(value, options.odd.chosen); }},
      {"slow", "microseconds by which every operation is slower",
       [&](std::string_view value) { return read_count(value, 1, 100'000, options.odd.slow); }},
      {"matrix_library", "library of matrix products behind the built-in pack xhal_matrix, or none",
       [&](std::string_view value) { return read_matrix_library(value, options.matrix_library); }},
  };
  if (const xhal_result_t result = kit::apply_options("sim", given, rules); result < 0) return result;
  if (options.units == 0) options.units = usable_processors();
  if (options.pinned_bytes == 0) options.pinned_bytes = machine_memory();
  if (options.staging_bytes == 0) options.staging_bytes = machine_memory() / 4 / kPage * kPage;
  if (options.odd.has(Oddity::kOneWorker)) {
    options.units = 1;
    options.withdrawn |= bit_of(XHAL_FEATURE_CROSS_STREAM_PROGRESS);
  }
  out = std::move(options);
  return XHAL_SUCCESS;
}

}  // namespace xhal::sim
