// SPDX-License-Identifier: Apache-2.0
// On a device with plain buffers a kernel's pointer may begin anywhere in a buffer, which clSetKernelArg cannot say: each kernel of a text gets
// a second form that takes a buffer and an offset in place of each pointer, and calls the first.
#pragma once

#include <string>
#include <string_view>

#include "api/calls.hpp"

namespace xhal::opencl {

inline constexpr std::string_view kOffsetForm = "__xhal_at";  // behind a kernel's name

// The second forms of all kernels of a program that was built with -cl-kernel-arg-info.
std::string offset_forms(const Calls& calls, cl_program program);

// The OpenCL C of one kernel's second form; "" when the kernel takes no pointer.
struct OffsetParam {
  std::string type;  // as OpenCL tells it: "uint*", without qualifiers
  cl_kernel_arg_address_qualifier where = CL_KERNEL_ARG_ADDRESS_PRIVATE;
};
std::string offset_form(std::string_view name, std::string_view attributes, const OffsetParam* params,
                        size_t count);

}  // namespace xhal::opencl
