// SPDX-License-Identifier: Apache-2.0
// What the families of rows have in common.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "bench/lanes/lanes.hpp"
#include "bench/limits/limits.hpp"
#include "bench/limits/other_side.hpp"
#include "bench/runner/bench.hpp"

namespace xhal::bench {

// "size=4096"
inline std::string parameter(const char* name, uint64_t value) {
  return std::string(name) + "=" + std::to_string(value);
}

// What lies in memory of the device, once the stream is done with it.
inline std::vector<uint64_t> words_of(const Memory& memory, xhal_stream_t stream) {
  std::vector<uint64_t> words(memory.size() / sizeof(uint64_t));
  check("xhal_memory_copy",
        xhal_memory_copy(stream, words.data(), memory.get(), words.size() * sizeof(uint64_t)));
  wait_for(stream);
  return words;
}

inline LaneOptions no_launches(uint64_t most_units) {
  LaneOptions options;
  options.arguments = 0;
  options.most_units = most_units;
  return options;
}

// Of a scenario that holds its stream.
inline LaneOptions held_launches(int arguments, uint64_t most_units) {
  LaneOptions options;
  options.arguments = arguments;
  options.most_units = most_units;
  options.holds = true;
  return options;
}

inline xhal_pointer_attributes_t attributes_of(xhal_driver_t driver, const void* pointer) {
  xhal_pointer_attributes_t attributes{};
  attributes.struct_size = sizeof(attributes);
  check("xhal_driver_get_pointer_attributes",
        xhal_driver_get_pointer_attributes(driver, pointer, &attributes));
  return attributes;
}

// A call that leaves nothing behind, as often as a block has units: one of libxhal's beside the driver's own.
template <class Call>
Row call_row(Bench& bench, const Call& call, uint64_t most_units = 100'000) {
  return scenario_row(
      bench,
      [call](CallsXhal auto& lane, uint64_t units) { return nanoseconds_each(units, [&] { call(lane); }); },
      no_launches(most_units));
}

}  // namespace xhal::bench
