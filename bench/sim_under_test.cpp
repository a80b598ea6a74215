// SPDX-License-Identifier: Apache-2.0
#include "sim_under_test.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace xhal::bench {
namespace {

constexpr uint64_t kWorkCells = 1 << 16;
constexpr uint32_t kGroupItems = 256;

std::vector<char> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "xhal-bench-sim: cannot read '%s'; build the target xhal_kernels\n", path.c_str());
    std::exit(1);
  }
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

void check(const char* what, xhal_result_t result) {
  if (result == XHAL_SUCCESS) return;
  xhal_error_t error{};
  error.struct_size = sizeof(error);
  xhal_error_get_last(&error);
  std::fprintf(stderr, "xhal-bench-sim: %s: %s: %s\n", what, xhal_result_name(result), error.text);
  std::exit(1);
}

SimMemory::SimMemory(xhal_device_t device, uint32_t kind, uint64_t size) : device_(device) {
  xhal_memory_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.kind = kind;
  desc.size = size;
  check("allocate", xhal_memory_allocate(device, &desc, &pointer_));
}

SimMemory::~SimMemory() { check("free", xhal_memory_free(device_, pointer_)); }

SimUnderTest& SimUnderTest::get() {
  static SimUnderTest sim;
  return sim;
}

SimUnderTest::SimUnderTest() {
  xhal_instance_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.abi_minor = XHAL_ABI_MINOR;
  desc.drivers = "sim";
  desc.layers = "";
  check("instance", xhal_instance_create(&desc, &instance_));
  uint32_t count = 0;
  // More devices than one are no failure.
  if (const xhal_result_t result = xhal_instance_get_devices(instance_, 1, &device, &count);
      result != XHAL_INCOMPLETE)
    check("devices", result);
  check("stream", xhal_stream_create(device, nullptr, &stream));
  check("stream", xhal_stream_create(device, nullptr, &second_stream));
  xhal_event_desc_t timed{};
  timed.struct_size = sizeof(timed);
  timed.flags = XHAL_EVENT_TIMING;
  check("event", xhal_event_create(device, nullptr, &event));
  check("event", xhal_event_create(device, &timed, &timed_event));

  xhal_image_format_t format{};
  format.struct_size = sizeof(format);
  if (const xhal_result_t result = xhal_device_get_image_formats(device, 1, sizeof(format), &format, &count);
      result != XHAL_INCOMPLETE)
    check("formats", result);
  const std::vector<char> image =
      read_file(std::string(XHAL_KERNEL_DIR "/xhal_pack.native.") + format.target + ".so");
  xhal_module_desc_t module{};
  module.struct_size = sizeof(module);
  module.format = format.format;
  module.target = format.target;
  module.image = image.data();
  module.image_size = image.size();
  check("module", xhal_module_load(device, &module, &module_));
  check("kernel", xhal_module_get_kernel(module_, "xhal_fold_u64", &fold_));
  for (void*& cells : cells_) {
    xhal_memory_desc_t memory{};
    memory.struct_size = sizeof(memory);
    memory.kind = XHAL_MEMORY_DEVICE;
    memory.size = kWorkCells * sizeof(uint64_t);
    check("allocate", xhal_memory_allocate(device, &memory, &cells));
    check("fill", xhal_memory_fill(stream, cells, 1, 8, memory.size));
  }
  for (xhal_stream_t on : {stream, second_stream}) {
    launch_nothing(on);
    wait_for(on);
  }
}

void SimUnderTest::launch(xhal_stream_t on, xhal_kernel_t kernel, void* memory, uint64_t cells,
                          uint32_t groups, uint32_t items) const {
  const uint64_t operation = 3;
  const xhal_argument_t arguments[] = {
      {XHAL_ARGUMENT_MEMORY, XHAL_ACCESS_READ_WRITE, 0, memory},
      {XHAL_ARGUMENT_VALUE, 0, sizeof(operation), &operation},
      {XHAL_ARGUMENT_VALUE, 0, sizeof(cells), &cells},
  };
  xhal_launch_t launch{};
  launch.struct_size = sizeof(launch);
  launch.group_count[0] = groups;
  launch.group_size[0] = items;
  for (int d = 1; d < 3; ++d) launch.group_count[d] = launch.group_size[d] = 1;
  launch.argument_count = 3;
  launch.arguments = arguments;
  check("launch", xhal_kernel_launch(on, kernel, &launch));
}

void SimUnderTest::launch_nothing(xhal_stream_t on) const { launch(on, fold_, cells_[0], 0, 1, 1); }

void SimUnderTest::launch_work(xhal_stream_t on, int place) const {
  launch(on, fold_, cells_[place], kWorkCells, kWorkCells / kGroupItems, kGroupItems);
}

}  // namespace xhal::bench
