// SPDX-License-Identifier: Apache-2.0
#include "kernels/offset_form.hpp"

#include <vector>

namespace xhal::opencl {
namespace {

std::string argument_text(const Calls& calls, cl_kernel kernel, cl_uint index, cl_kernel_arg_info what) {
  size_t size = 0;
  if (calls.clGetKernelArgInfo(kernel, index, what, 0, nullptr, &size) != CL_SUCCESS || size == 0) return {};
  std::string out(size, '\0');
  calls.clGetKernelArgInfo(kernel, index, what, size, out.data(), nullptr);
  return out.substr(0, out.find('\0'));
}

std::string kernel_text(const Calls& calls, cl_kernel kernel, cl_kernel_info what) {
  size_t size = 0;
  if (calls.clGetKernelInfo(kernel, what, 0, nullptr, &size) != CL_SUCCESS || size == 0) return {};
  std::string out(size, '\0');
  calls.clGetKernelInfo(kernel, what, size, out.data(), nullptr);
  return out.substr(0, out.find('\0'));
}

// "reqd_work_group_size(8,1,1)" of the attributes that OpenCL tells, as an attribute; "" for none.
std::string required_group(std::string_view attributes) {
  const size_t begin = attributes.find("reqd_work_group_size(");
  if (begin == std::string_view::npos) return {};
  const size_t end = attributes.find(')', begin);
  if (end == std::string_view::npos) return {};
  return "__attribute__((" + std::string(attributes.substr(begin, end - begin + 1)) + ")) ";
}

}  // namespace

std::string offset_form(std::string_view name, std::string_view attributes, const OffsetParam* params,
                        size_t count) {
  std::string takes;
  std::string passes;
  bool has_pointer = false;
  for (size_t i = 0; i < count; ++i) {
    const OffsetParam& param = params[i];
    const std::string n = std::to_string(i);
    const char* const between = i == 0 ? "" : ", ";
    takes += between;
    passes += between;
    const bool is_constant = param.where == CL_KERNEL_ARG_ADDRESS_CONSTANT;
    if (param.where == CL_KERNEL_ARG_ADDRESS_GLOBAL || is_constant) {
      const std::string space = is_constant ? "__constant " : "__global ";
      takes += space + "uchar* b" + n + ", ulong o" + n;
      passes += "(" + space + param.type + ")(b" + n + " + o" + n + ")";
      has_pointer = true;
    } else {
      takes += (param.where == CL_KERNEL_ARG_ADDRESS_LOCAL ? "__local " : "") + param.type + " v" + n;
      passes += "v" + n;
    }
  }
  if (!has_pointer) return {};
  return "__kernel " + required_group(attributes) + "void " + std::string(name) + std::string(kOffsetForm) +
         "(" + takes + ") { " + std::string(name) + "(" + passes + "); }\n";
}

std::string offset_forms(const Calls& calls, cl_program program) {
  cl_uint count = 0;
  calls.clCreateKernelsInProgram(program, 0, nullptr, &count);
  std::vector<cl_kernel> kernels(count);
  if (count != 0) calls.clCreateKernelsInProgram(program, count, kernels.data(), nullptr);
  std::string out = "\n";
  for (const cl_kernel kernel : kernels) {
    cl_uint arguments = 0;
    calls.clGetKernelInfo(kernel, CL_KERNEL_NUM_ARGS, sizeof(arguments), &arguments, nullptr);
    std::vector<OffsetParam> params(arguments);
    for (cl_uint i = 0; i < arguments; ++i) {
      params[i].type = argument_text(calls, kernel, i, CL_KERNEL_ARG_TYPE_NAME);
      calls.clGetKernelArgInfo(kernel, i, CL_KERNEL_ARG_ADDRESS_QUALIFIER, sizeof(params[i].where),
                               &params[i].where, nullptr);
    }
    out += offset_form(kernel_text(calls, kernel, CL_KERNEL_FUNCTION_NAME),
                       kernel_text(calls, kernel, CL_KERNEL_ATTRIBUTES), params.data(), params.size());
    calls.clReleaseKernel(kernel);
  }
  return out;
}

}  // namespace xhal::opencl
