// SPDX-License-Identifier: Apache-2.0
// An instance on the driver `clay` under the layers that a test wants.
#pragma once

#include "clay_driver/control.hpp"
#include "instance.hpp"

namespace xhal::layers_test {

class Instance : public LayeredInstance {
 public:
  Instance(const char* layers, const std::vector<LayerOption>& options)
      : LayeredInstance({XHAL_TEST_CLAY_MANIFEST, layers, options}),
        control(extension<clay::Control>("clay_control")) {}

  static xhal_memory_desc_t memory_desc(uint64_t size, uint32_t kind = XHAL_MEMORY_DEVICE) {
    xhal_memory_desc_t desc = {};
    desc.struct_size = sizeof(desc);
    desc.kind = kind;
    desc.size = size;
    return desc;
  }
  char* memory(uint64_t size, int device = 0, uint32_t kind = XHAL_MEMORY_DEVICE) const {
    const xhal_memory_desc_t desc = memory_desc(size, kind);
    void* out = nullptr;
    EXPECT_EQ(xhal_memory_allocate(devices[device], &desc, &out), XHAL_SUCCESS);
    return static_cast<char*>(out);
  }
  xhal_module_t module(int device = 0) const {
    xhal_module_desc_t desc = {};
    desc.struct_size = sizeof(desc);
    desc.format = "clay";
    desc.image = "clay";
    xhal_module_t out = nullptr;
    EXPECT_EQ(xhal_module_load(devices[device], &desc, &out), XHAL_SUCCESS);
    return out;
  }
  static xhal_kernel_t kernel(xhal_module_t module, const char* name = "clay") {
    xhal_kernel_t out = nullptr;
    EXPECT_EQ(xhal_module_get_kernel(module, name, &out), XHAL_SUCCESS);
    return out;
  }
  xhal_pool_t pool(int device = 0) const {
    xhal_pool_t out = nullptr;
    EXPECT_EQ(xhal_pool_create(devices[device], nullptr, &out), XHAL_SUCCESS);
    return out;
  }

  const clay::Control* const control;
};

}  // namespace xhal::layers_test
