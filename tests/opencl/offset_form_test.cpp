// SPDX-License-Identifier: Apache-2.0
#include "kernels/offset_form.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace xhal::opencl {
namespace {

std::string form(std::string_view attributes, const std::vector<OffsetParam>& params) {
  return offset_form("k", attributes, params.data(), params.size());
}

TEST(OffsetForms, TakeABufferAndAnOffsetForEachPointer) {
  EXPECT_EQ(form("", {{"int*", CL_KERNEL_ARG_ADDRESS_GLOBAL},
                      {"pair", CL_KERNEL_ARG_ADDRESS_PRIVATE},
                      {"uint*", CL_KERNEL_ARG_ADDRESS_LOCAL},
                      {"float4*", CL_KERNEL_ARG_ADDRESS_CONSTANT}}),
            "__kernel void k__xhal_at(__global uchar* b0, ulong o0, pair v1, __local uint* v2, __constant "
            "uchar* b3, "
            "ulong o3) { k((__global int*)(b0 + o0), v1, v2, (__constant float4*)(b3 + o3)); }\n");
}

TEST(OffsetForms, AreNotMadeOfKernelsWithoutPointers) {
  EXPECT_EQ(form("", {}), "");
  EXPECT_EQ(form("", {{"uint", CL_KERNEL_ARG_ADDRESS_PRIVATE}, {"uint*", CL_KERNEL_ARG_ADDRESS_LOCAL}}), "");
}

TEST(OffsetForms, KeepTheGroupThatAKernelRequires) {
  const std::vector<OffsetParam> one = {{"int*", CL_KERNEL_ARG_ADDRESS_GLOBAL}};
  constexpr const char* kBegins = "__kernel __attribute__((reqd_work_group_size(64,1,1))) void k__xhal_at(";
  EXPECT_TRUE(form("reqd_work_group_size(64,1,1),work_group_size_hint(8,1,1)", one).starts_with(kBegins));
  EXPECT_TRUE(form("reqd_work_group_size(64", one).starts_with("__kernel void k__xhal_at("));
}

}  // namespace
}  // namespace xhal::opencl
