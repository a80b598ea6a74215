// SPDX-License-Identifier: Apache-2.0
// How often the driver or a layer over it was odd in this process, where it tells that (xhal/ext/oddness.h).
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "xhal/ext/oddness.h"
#include "xhal/xhal.h"

namespace xhal::conformance {

using OddnessCounts = std::map<std::string, uint64_t>;

class OddnessReader {
 public:
  // What has come to pass since the last call, without zeros. `driver` may be null once some driver has been asked.
  OddnessCounts news(xhal_driver_t driver);

 private:
  const xhal_oddness_t* table_ = nullptr;
  OddnessCounts told_;
};

}  // namespace xhal::conformance
