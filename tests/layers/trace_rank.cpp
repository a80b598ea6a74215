// SPDX-License-Identifier: Apache-2.0
// One of several processes that are told to write one trace: trace_rank FILE DRIVER_MANIFEST. Makes one call.
#include <cstdio>

#include "xhal/xhal.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const xhal_option_t option = {"trace", "file", argv[1]};
  const char* const manifest = argv[2];
  xhal_instance_desc_t desc = {};
  desc.struct_size = sizeof(desc);
  desc.abi_minor = XHAL_ABI_MINOR;
  desc.driver_path_count = 1;
  desc.driver_paths = &manifest;
  desc.drivers = "";
  desc.layers = "trace";
  desc.options = &option;
  desc.option_count = 1;
  xhal_instance_t instance = nullptr;
  xhal_device_t device = nullptr;
  xhal_stream_t stream = nullptr;
  uint32_t count = 0;
  if (xhal_instance_create(&desc, &instance) < 0) return 3;
  if (xhal_instance_get_devices(instance, 1, &device, &count) < 0) return 4;
  if (xhal_device_get_default_stream(device, &stream) < 0) return 5;
  if (xhal_memory_fill(stream, nullptr, 0, 4, 4) < 0) return 6;
  return xhal_instance_destroy(instance) < 0 ? 7 : 0;
}
