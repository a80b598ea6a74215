// SPDX-License-Identifier: Apache-2.0
// What can be set when an instance is made: XHAL_SIM=devices=4,memory=2g or the instance's options.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "device/features.hpp"
#include "engine/odd.hpp"
#include "xhal/driver.h"

namespace xhal::sim {

struct Options {
  uint32_t devices = 2;
  uint64_t memory_bytes = uint64_t{1} << 30;  // of each device
  uint32_t units = 0;                         // 0: as many as the process may use processors
  uint64_t pinned_bytes = 0;                  // 0: the machine's memory
  uint64_t staging_bytes = 0;                 // 0: a quarter of the machine's memory
  uint32_t ipc_answer_ms = 5000;              // how long another process may take
  FeatureBits withdrawn = 0;                  // not claimed although they are there
  uint32_t level = 0;  // of x86-64, of the images that kernels come from; 0: the processor's
  Oddness odd;
  std::string matrix_library;  // a path, or "none"; empty: looked for
};

// Leaves `out` alone and reports a text unless every option is known and legal. Zeros above are replaced by what they stand for.
xhal_result_t read_options(std::span<const xhal_key_value_t> given, Options& out);

}  // namespace xhal::sim
