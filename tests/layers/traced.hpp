// SPDX-License-Identifier: Apache-2.0
// An instance on the driver `traced` under the layer `trace`.
#pragma once

#include "instance.hpp"
#include "traced_driver/control.hpp"

namespace xhal::trace_test {

using layers_test::Folder;
using layers_test::in_child;
using layers_test::last_error_text;

struct Options {
  std::vector<std::pair<std::string, std::string>> trace = {};  // of the layer
  std::vector<std::pair<std::string, std::string>> driver = {};
  const char* layers = "trace";
  bool ignore_environment = true;
};

class Instance : public layers_test::LayeredInstance {
 public:
  explicit Instance(const Options& options)
      : LayeredInstance(setting_of(options)), control(extension<traced::Control>("traced_control")) {
    if (control != nullptr) control->hold(false);
  }
  // Each is one line about a trace that is not whole.
  std::vector<std::string> warnings() { return logged("1 trace: "); }
  xhal_kernel_t kernel(const char* name) const {
    xhal_module_desc_t desc = {};
    desc.struct_size = sizeof(desc);
    xhal_module_t module = nullptr;
    EXPECT_EQ(xhal_module_load(devices[0], &desc, &module), XHAL_SUCCESS);
    xhal_kernel_t kernel = nullptr;
    EXPECT_EQ(xhal_module_get_kernel(module, name, &kernel), XHAL_SUCCESS);
    return kernel;
  }

  const traced::Control* const control;

 private:
  static layers_test::Setting setting_of(const Options& options) {
    layers_test::Setting setting = {
        XHAL_TEST_TRACED_MANIFEST, options.layers, {}, options.ignore_environment};
    for (const auto& [key, value] : options.trace) setting.options.push_back({"trace", key, value});
    for (const auto& [key, value] : options.driver) setting.options.push_back({"traced", key, value});
    return setting;
  }
};

inline xhal_result_t fill(xhal_stream_t stream, uint64_t size = 64) {
  return xhal_memory_fill(stream, nullptr, 0, 4, size);
}

}  // namespace xhal::trace_test
