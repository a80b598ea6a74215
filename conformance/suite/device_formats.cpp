// SPDX-License-Identifier: Apache-2.0
// The enumeration of image formats into arrays that are too small.
#include <cstring>

#include "suite/support.h"

namespace xhal::conformance {
namespace {

XHAL_TEST(
    device, image_formats_that_do_not_fit, .clauses = {"XHAL-INSTANCE-5"},
    .observes = "code, count and what is written, for an array of one format where the device lists more",
    .needs = {XHAL_FEATURE_KERNEL}) {
  const auto all = t.session().image_formats();
  if (all.size() < 2) {
    EXPECT_VALUE("XHAL-INSTANCE-5", all.size(), 1u, "a device with kernels lists a format");
    t.substitute("the device lists one format, which always fits");
    return;
  }
  std::vector<xhal_image_format_t> formats(2);
  for (auto& format : formats) format.struct_size = sizeof(format);
  const xhal_image_format_t untouched = formats[1];
  uint32_t count = 0;
  EXPECT_RESULT(
      "XHAL-INSTANCE-5",
      xhal_device_get_image_formats(t.device(), 1, sizeof(xhal_image_format_t), formats.data(), &count),
      XHAL_INCOMPLETE);
  EXPECT_VALUE("XHAL-INSTANCE-5", count, all.size(), "the full count");
  EXPECT_CLAUSE("XHAL-INSTANCE-5", std::memcmp(&formats[0], &all[0], sizeof(all[0])) == 0,
                "what fits is the first format");
  EXPECT_CLAUSE("XHAL-INSTANCE-5", std::memcmp(&formats[1], &untouched, sizeof(untouched)) == 0,
                "a format behind the capacity was written");
}

}  // namespace
}  // namespace xhal::conformance
