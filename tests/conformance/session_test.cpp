// SPDX-License-Identifier: Apache-2.0
// What a session keeps of a device whose memory was gone for a while.
#include <gtest/gtest.h>

#include <filesystem>
#include <vector>

#include "frame/kernel_pack.h"
#include "frame/session.h"

namespace xhal::conformance {
namespace {

TEST(Session, LoadsThePackOnceTheDeviceHasMemoryForIt) {
  Target target;
  target.driver_path = XHAL_SIM_LIBRARY;
  target.kernel_directory =
      std::filesystem::path(XHAL_CONFORM_PROGRAM).parent_path().parent_path() / "share/xhal/kernels";
  Session session(target);
  xhal_memory_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.kind = XHAL_MEMORY_DEVICE;
  std::vector<void*> all;
  for (desc.size = uint64_t{1} << 30; desc.size > 0; desc.size /= 2) {
    void* pointer = nullptr;
    while (xhal_memory_allocate(session.device(), &desc, &pointer) == XHAL_SUCCESS) all.push_back(pointer);
  }
  std::string why;
  EXPECT_EQ(session.kernels(0, &why), nullptr);
  EXPECT_NE(why.find("XHAL_ERROR_OUT_OF_DEVICE_MEMORY"), std::string::npos) << why;
  for (void* pointer : all) ASSERT_EQ(xhal_memory_free(session.device(), pointer), XHAL_SUCCESS);
  EXPECT_NE(session.kernels(0, &why), nullptr) << why;
  EXPECT_EQ(why, "");
}

}  // namespace
}  // namespace xhal::conformance
