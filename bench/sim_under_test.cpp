// SPDX-License-Identifier: Apache-2.0
#include "sim_under_test.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "spin_pause.hpp"

namespace xhal::bench {
namespace {

constexpr const char* kPack = "xhal";

std::vector<char> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "xhal-bench-sim: cannot read '%s'; build the target xhal_bench_kernels\n",
                 path.c_str());
    std::exit(1);
  }
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// The best one of that format.
std::string target_of_format(xhal_device_t device, const char* format) {
  std::array<xhal_image_format_t, 16> formats = {};
  for (xhal_image_format_t& one : formats) one.struct_size = sizeof(one);
  uint32_t count = 0;
  check("formats",
        xhal_device_get_image_formats(device, formats.size(), sizeof(formats[0]), formats.data(), &count));
  for (uint32_t i = 0; i < count; ++i) {
    if (std::strcmp(formats[i].format, format) == 0) return formats[i].target;
  }
  std::fprintf(stderr, "xhal-bench-sim: the device takes no images of format '%s'\n", format);
  std::exit(1);
}

}  // namespace

void fail(const char* what, xhal_result_t result) {
  xhal_error_t error{};
  error.struct_size = sizeof(error);
  xhal_error_get_last(&error);
  std::fprintf(stderr, "xhal-bench-sim: %s: %s: %s\n", what, xhal_result_name(result), error.text);
  std::exit(1);
}

// ---- Simulator -----------------------------------------------------------------------------------------------------------------

Simulator::Simulator() {
  xhal_instance_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.abi_minor = XHAL_ABI_MINOR;
  desc.drivers = "sim";
  desc.layers = "";
  check("instance", xhal_instance_create(&desc, &instance_));
  uint32_t count = 0;
  check("drivers", xhal_instance_get_drivers(instance_, 1, &driver_, &count));
  // More devices than one are no failure.
  if (const xhal_result_t result = xhal_instance_get_devices(instance_, 1, &device_, &count);
      result != XHAL_INCOMPLETE)
    check("devices", result);

  xhal_module_desc_t module{};
  module.struct_size = sizeof(module);
  module.format = "builtin";
  module.image = kPack;
  module.image_size = std::strlen(kPack);
  check("kernel pack", xhal_module_load(device_, &module, &pack_));
  load_own();
}

void Simulator::load_own() {
  const std::string target = target_of_format(device_, "native");
  const std::vector<char> image =
      read_file(XHAL_BENCH_KERNEL_DIR "/xhal_bench_pack.native." + target + ".so");
  xhal_module_desc_t module{};
  module.struct_size = sizeof(module);
  module.format = "native";
  module.target = target.c_str();
  module.image = image.data();
  module.image_size = image.size();
  check("own kernels", xhal_module_load(device_, &module, &own_));
}

xhal_kernel_t Simulator::kernel(xhal_module_t module, const char* name) {
  xhal_kernel_t kernel = nullptr;
  check(name, xhal_module_get_kernel(module, name, &kernel));
  return kernel;
}

xhal_stream_t Simulator::make_stream() const {
  xhal_stream_t stream = nullptr;
  check("stream", xhal_stream_create(device_, nullptr, &stream));
  return stream;
}

xhal_event_t Simulator::make_event(uint32_t flags) const {
  xhal_event_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.flags = flags;
  xhal_event_t event = nullptr;
  check("event", xhal_event_create(device_, &desc, &event));
  return event;
}

void* Simulator::allocate(uint32_t kind, uint64_t size) const {
  xhal_memory_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.kind = kind;
  desc.size = size;
  void* pointer = nullptr;
  check("allocate", xhal_memory_allocate(device_, &desc, &pointer));
  return pointer;
}

// ---- PreparedLaunch ------------------------------------------------------------------------------------------------------------

PreparedLaunch::PreparedLaunch(xhal_kernel_t kernel, uint32_t groups, uint32_t group_items)
    : kernel_(kernel) {
  launch_.struct_size = sizeof(launch_);
  launch_.group_count[0] = groups;
  launch_.group_size[0] = group_items;
  for (int d = 1; d < 3; ++d) launch_.group_count[d] = launch_.group_size[d] = 1;
  launch_.arguments = arguments_.data();
}

PreparedLaunch& PreparedLaunch::memory(void* pointer, uint32_t access) {
  arguments_.at(launch_.argument_count++) = {XHAL_ARGUMENT_MEMORY, access, 0, pointer};
  return *this;
}

PreparedLaunch& PreparedLaunch::value_of(uint64_t value, uint64_t size) {
  const uint32_t place = launch_.argument_count++;
  values_.at(place) = value;  // its low bytes come first here, as on every machine that the simulator runs on
  arguments_.at(place) = {XHAL_ARGUMENT_VALUE, 0, size, &values_.at(place)};
  return *this;
}

NothingLaunch::NothingLaunch(const Simulator& simulator)
    : with_3(simulator.own_kernel("bench_nothing_3")), with_8(simulator.own_kernel("bench_nothing_8")) {
  constexpr uint64_t kPage = 4096;
  const auto page = [&] { return simulator.allocate(XHAL_MEMORY_DEVICE, kPage); };
  with_3.memory(page(), XHAL_ACCESS_WRITE).memory(page(), XHAL_ACCESS_READ).u64(0);
  with_8.memory(page(), XHAL_ACCESS_WRITE);
  for (int i = 0; i < 3; ++i) with_8.memory(page(), XHAL_ACCESS_READ);
  with_8.u64(0).u64(1).u32(2).u32(3);
}

// ---- HeldStream ----------------------------------------------------------------------------------------------------------------

HeldStream::HeldStream(xhal_stream_t stream) {
  check("hold", xhal_stream_host_function(stream, &HeldStream::hold, this));
  while (!entered_.load()) spin_pause();
}

void HeldStream::hold(void* self, xhal_result_t) {
  auto& held = *static_cast<HeldStream*>(self);
  held.entered_.store(true);
  held.open_.wait(false);
  held.left_.store(true);
}

void HeldStream::let_go() {
  if (open_.exchange(true)) return;
  open_.notify_one();
  while (!left_.load()) spin_pause();
}

// ---- SimUnderTest --------------------------------------------------------------------------------------------------------------

SimUnderTest& SimUnderTest::get() {
  static SimUnderTest sim;
  return sim;
}

SimUnderTest::SimUnderTest()
    : nothing(*this),
      stream(make_stream()),
      second_stream(make_stream()),
      event(make_event()),
      timed_event(make_event(XHAL_EVENT_TIMING)) {
  for (xhal_stream_t on : {stream, second_stream}) {
    nothing.with_3.on(on);
    nothing.with_8.on(on);
    wait_for(on);
  }
}

}  // namespace xhal::bench
