// SPDX-License-Identifier: Apache-2.0
#include "run/oddness.h"

#include <algorithm>
#include <vector>

namespace xhal::conformance {

OddnessCounts OddnessReader::news(xhal_driver_t driver) {
  const void* table = nullptr;
  if (table_ == nullptr && driver != nullptr &&
      xhal_driver_get_extension(driver, XHAL_ODDNESS_NAME, XHAL_ODDNESS_VERSION, &table) == XHAL_SUCCESS)
    table_ = static_cast<const xhal_oddness_t*>(table);
  if (table_ == nullptr) return {};
  std::vector<const char*> names(table_->read(0, nullptr, nullptr));
  std::vector<uint64_t> counts(names.size());
  const uint32_t count = table_->read(static_cast<uint32_t>(names.size()), names.data(), counts.data());
  OddnessCounts out;
  for (size_t i = 0; i < std::min<size_t>(count, names.size()); ++i) {
    uint64_t& told = told_[names[i]];
    if (counts[i] > told) out[names[i]] += counts[i] - told;
    told = counts[i];
  }
  return out;
}

}  // namespace xhal::conformance
