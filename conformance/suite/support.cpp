// SPDX-License-Identifier: Apache-2.0
#include "suite/support.h"

#include <algorithm>
#include <latch>
#include <thread>

namespace xhal::conformance {

Marker::Marker(Context& t, size_t device) : memory_(t, XHAL_MEMORY_PINNED, sizeof(uint32_t), device) {
  store(memory_.as<uint32_t>(), kFresh);
}

void Marker::fill_on(Context& t, xhal_stream_t stream) {
  REQUIRE_OK(xhal_memory_fill(stream, memory_, kFilled, sizeof(uint32_t), sizeof(uint32_t)));
}

void Marker::stamp(const Gate& gate) {
  if (gate.held()) store(memory_.as<uint32_t>(), kStamped);
}

std::string Marker::shown() const {
  switch (value()) {
    case kFresh:
      return "the operation has not happened";
    case kStamped:
      return "the operation had happened before the gate was opened";
    case kFilled:
      return "the operation has happened";
    default:
      return fmt::format("the word holds {:#x}, which nobody wrote", value());
  }
}

Delay::Delay(Context& t)
    : t_(t), memory_(t, XHAL_MEMORY_DEVICE, t.has_kernels() ? sizeof(uint64_t) : uint64_t{16} << 20) {}

void Delay::on(xhal_stream_t stream) {
  Context& t = t_;
  if (t.has_kernels()) {
    constexpr uint64_t kTurns = 400'000;
    Launch launch(t.kernel("xhal_spin_u64"));
    launch.updates(memory_, sizeof(uint64_t)).value(kTurns);
    REQUIRE_OK(launch.on(stream));
  } else {
    REQUIRE_OK(xhal_memory_fill(stream, memory_, 0, 1, memory_.size()));
  }
}

void count_call(void* user, xhal_result_t status) {
  auto* call = static_cast<HostCall*>(user);
  call->status.store(status);
  call->user.store(user);
  call->count.fetch_add(1);
}

std::unique_ptr<Gate> gate_if_asked(Context& t, xhal_stream_t stream) {
  if (t.text("hold") == "none") return nullptr;
  return std::make_unique<Gate>(t, stream, gate_kind(t.text("hold")));
}

Axis hold_axis() {
  Axis axis = gate_axis();
  axis.values.insert(axis.values.begin(), Value("none"));
  return axis;
}

Gate::Kind independent_gate_kind(Context& t) {
  const Gate::Kind kind = gate_kind(t.text("hold"));
  if (kind == Gate::Kind::kHostFunction && t.properties().host_function_blocks != XHAL_BLOCKS_NONE) {
    Context::not_observable("a blocked host function may stop other streams, as declared");
  }
  return kind;
}

uint32_t small_group(Context& t, size_t device) {
  const auto& properties = t.properties(device);
  return std::clamp(std::min(properties.max_group_items, properties.max_group_size[0]), 1u, 64u);
}

void run_threads(size_t count, const std::function<void(size_t)>& work) {
  std::latch start(static_cast<std::ptrdiff_t>(count));
  std::vector<std::thread> threads;
  for (size_t i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      work(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

xhal_result_t fold(Context& t, xhal_stream_t stream, void* cells, uint64_t op, uint64_t n, size_t device) {
  Launch launch(t.kernel("xhal_fold_u64", device));
  launch.cover(n, small_group(t, device)).updates(cells, n * sizeof(uint64_t)).value(op).value(n);
  return TRACED(launch.on(stream));
}

xhal_memory_info_t memory_info(Context& t, size_t device) {
  xhal_memory_info_t info{};
  info.struct_size = sizeof(info);
  REQUIRE_OK(xhal_device_get_memory_info(t.device(device), &info));
  return info;
}

xhal_pointer_attributes_t attributes_of(Context& t, const void* pointer) {
  xhal_pointer_attributes_t attributes{};
  attributes.struct_size = sizeof(attributes);
  REQUIRE_OK(xhal_driver_get_pointer_attributes(t.driver(), pointer, &attributes));
  return attributes;
}

xhal_result_t submit_trap(Context& t, xhal_stream_t stream, uint64_t correlation) {
  xhal_kernel_t kernel = t.kernel("xhal_trap_u32");
  // Pinned, so that it is set without a call, and never freed: the device is poisoned afterwards and the process ends with the test.
  const xhal_memory_desc_t desc = memory_desc(XHAL_MEMORY_PINNED, sizeof(uint32_t));
  void* flag = nullptr;
  REQUIRE_MEMORY(xhal_memory_allocate(t.device(), &desc, &flag), flag);
  store(static_cast<uint32_t*>(flag), 1);
  Launch launch(kernel);
  launch.reads(flag, sizeof(uint32_t)).correlation(correlation);
  return TRACED(launch.on(stream));
}

bool is_failure(xhal_result_t result) {
  switch (result) {
    case XHAL_ERROR_LAUNCH_FAILED:
    case XHAL_ERROR_ILLEGAL_ADDRESS:
    case XHAL_ERROR_LAUNCH_TIMEOUT:
    case XHAL_ERROR_MEMORY_CORRUPT:
    case XHAL_ERROR_DEVICE_LOST:
    case XHAL_ERROR_UNKNOWN:
      return true;
    default:
      return false;
  }
}

}  // namespace xhal::conformance
