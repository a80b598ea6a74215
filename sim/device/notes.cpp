// SPDX-License-Identifier: Apache-2.0
#include "device/notes.hpp"

#include <cstdio>
#include <string>

#include "engine/odd.hpp"

namespace xhal::sim {
namespace {

std::string oddities_of(const Oddness& odd) {
  std::string names;
  for (size_t i = 0; i < kChosenOddities; ++i)
    if (odd.has(static_cast<Oddity>(i))) names.append(names.empty() ? "" : "+").append(kOddityNames[i]);
  return names;
}

}  // namespace

std::vector<xhal_device_note_t> notes_of(const Options& options) {
  std::vector<xhal_device_note_t> out;
  const auto fact = [&](const char* topic, const std::string& text) {
    xhal_device_note_t note = {};
    note.kind = XHAL_NOTE_FACT;
    std::snprintf(note.topic, sizeof(note.topic), "%s", topic);
    std::snprintf(note.text, sizeof(note.text), "%s", text.c_str());
    out.push_back(note);
  };
  const std::string odd = oddities_of(options.odd);
  fact("order",
       odd.empty() ? "streams run side by side, in the order of the system's threads" : "odd=" + odd);
  fact("time", options.odd.slow == 0
                   ? "as fast as the processor goes"
                   : "slow=" + std::to_string(options.odd.slow) + ": no figure of time is the processor's");
  if (options.level != 0)
    fact("floats", "level=" + std::to_string(options.level) + ": kernels of x86-64-v" +
                       std::to_string(options.level) + " at most");
  if (!options.matrix_library.empty()) fact("matrix products", "matrix_library=" + options.matrix_library);
  return out;
}

}  // namespace xhal::sim
