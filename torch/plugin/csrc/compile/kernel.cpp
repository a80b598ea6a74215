// SPDX-License-Identifier: Apache-2.0
#include "compile/kernel.hpp"

#include <algorithm>
#include <cstring>

#include "runtime/check.hpp"
#include "runtime/driver.hpp"
#include "runtime/streams.hpp"

namespace torch_xhal {
namespace {

uint32_t access_of(char parameter) {
  switch (parameter) {
    case 'r':
      return XHAL_ACCESS_READ;
    case 'w':
      return XHAL_ACCESS_WRITE;
    case 'b':
      return XHAL_ACCESS_READ_WRITE;
    default:
      return XHAL_ACCESS_NONE;
  }
}

// Eight bytes of which the first ones are the value.
template <class T>
uint64_t bytes_of(T value) {
  uint64_t out = 0;
  std::memcpy(&out, &value, sizeof(value));
  return out;
}

template <class T>
T number(const Kernel::Argument& argument) {
  if (const auto* whole = std::get_if<int64_t>(&argument)) return static_cast<T>(*whole);
  return static_cast<T>(std::get<double>(argument));
}

// What a generated kernel may touch is the rest of the storage: views say where they begin, not how far the kernel goes.
xhal_argument_t memory_of(const at::Tensor& tensor, char parameter) {
  const size_t offset = static_cast<size_t>(tensor.storage_offset()) * tensor.element_size();
  return {XHAL_ARGUMENT_MEMORY, access_of(parameter), tensor.storage().nbytes() - offset,
          tensor.const_data_ptr()};
}

}  // namespace

std::vector<std::string> targets_of(c10::DeviceIndex device, const std::string& format) {
  const Device& of = device_at(checked_index(device));
  uint32_t count = 0;
  XHAL_CHECK(xhal_device_get_image_formats(of.handle, 0, sizeof(xhal_image_format_t), nullptr, &count));
  std::vector<xhal_image_format_t> formats(count);
  for (auto& entry : formats) entry.struct_size = sizeof(entry);
  XHAL_CHECK(
      xhal_device_get_image_formats(of.handle, count, sizeof(xhal_image_format_t), formats.data(), &count));
  std::vector<std::string> out;
  for (const auto& entry : formats)
    if (format == entry.format) out.emplace_back(entry.target);
  return out;
}

Kernel::Kernel(c10::DeviceIndex device, const std::string& format, const std::string& target,
               std::string_view image, std::string name, std::string parameters)
    : device_(checked_index(device)), name_(std::move(name)), parameters_(std::move(parameters)) {
  const size_t unknown = parameters_.find_first_not_of("rwbqifd");
  TORCH_CHECK_VALUE(unknown == std::string::npos, name_, ": '", parameters_[unknown],
                    "' is no kind of parameter");
  xhal_module_desc_t desc = {};
  desc.struct_size = sizeof(desc);
  desc.format = format.c_str();
  desc.target = target.empty() ? nullptr : target.c_str();
  desc.image = image.data();
  desc.image_size = image.size();
  XHAL_CHECK(xhal_module_load(device_at(device_).handle, &desc, &module_));
  const xhal_result_t result = xhal_module_get_kernel(module_, name_.c_str(), &kernel_);
  if (result == XHAL_SUCCESS) return;
  const std::string why = text_of(result, "xhal_module_get_kernel");
  xhal_module_destroy(module_);
  TORCH_CHECK_VALUE(false, name_, ": ", why);
}

Kernel::~Kernel() { xhal_module_destroy(module_); }

void Kernel::launch(const std::array<uint32_t, 3>& groups, const std::array<uint32_t, 3>& items,
                    const std::vector<Argument>& arguments) const {
  TORCH_CHECK_VALUE(arguments.size() == parameters_.size(), name_, " takes ", parameters_.size(),
                    " arguments, not ", arguments.size());
  std::vector<xhal_argument_t> given;
  given.reserve(arguments.size());
  std::vector<uint64_t> values(arguments.size());
  for (size_t i = 0; i < arguments.size(); ++i) {
    const char parameter = parameters_[i];
    const auto* tensor = std::get_if<at::Tensor>(&arguments[i]);
    TORCH_CHECK_TYPE((access_of(parameter) != XHAL_ACCESS_NONE) == (tensor != nullptr), name_, ": argument ",
                     i, " is ",
                     tensor == nullptr ? "a number, and the kernel takes memory there"
                                       : "a tensor, and the kernel takes a number there");
    if (tensor != nullptr) {
      const c10::Device expected(kDevice, device_);
      TORCH_CHECK_VALUE(tensor->device() == expected, "Expected all tensors of the compiled kernel ", name_,
                        " to be on ", expected, ", but argument ", i, " is on ", tensor->device());
      given.push_back(memory_of(*tensor, parameter));
      continue;
    }
    values[i] = parameter == 'q'   ? bytes_of(number<int64_t>(arguments[i]))
                : parameter == 'i' ? bytes_of(number<int32_t>(arguments[i]))
                : parameter == 'f' ? bytes_of(number<float>(arguments[i]))
                                   : bytes_of(number<double>(arguments[i]));
    const bool is_wide = parameter == 'q' || parameter == 'd';
    given.push_back({XHAL_ARGUMENT_VALUE, 0, is_wide ? 8U : 4U, &values[i]});
  }
  xhal_launch_t launch = {};
  launch.struct_size = sizeof(launch);
  std::copy(groups.begin(), groups.end(), launch.group_count);
  std::copy(items.begin(), items.end(), launch.group_size);
  launch.argument_count = static_cast<uint32_t>(given.size());
  launch.arguments = given.data();
  XHAL_CHECK(xhal_kernel_launch(handle_of(current_stream(device_)), kernel_, &launch));
}

}  // namespace torch_xhal
