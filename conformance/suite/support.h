// SPDX-License-Identifier: Apache-2.0
// What tests of several areas share.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "frame/check.h"
#include "frame/gate.h"
#include "frame/kernel_pack.h"
#include "frame/objects.h"

namespace xhal::conformance {

// A pinned word that a submitted operation fills: shows whether the operation has happened, without a call.
//
// stamp() makes the result alone tell: the host writes the word just before it opens the gate, so that an operation which ran too early
// leaves the host's value behind, also on devices where looking while the stream is held would show nothing.
class Marker {
 public:
  explicit Marker(Context& t, size_t device = 0);

  // Submits the operation.
  void fill_on(Context& t, xhal_stream_t stream);
  void stamp(const Gate& gate);
  // The host takes the word back for another execution of the operation.
  void renew() { store(memory_.as<uint32_t>(), kFresh); }
  [[nodiscard]] bool untouched() const { return value() == kFresh; }
  [[nodiscard]] bool filled() const { return value() == kFilled; }
  // For the text of a failure.
  [[nodiscard]] std::string shown() const;

 private:
  static constexpr uint32_t kFresh = 0x11111111;
  static constexpr uint32_t kStamped = 0x22222222;
  static constexpr uint32_t kFilled = 0x33333333;

  [[nodiscard]] uint32_t value() const { return load(memory_.as<uint32_t>()); }

  Buffer memory_;
};

// Keeps a stream at work while small operations of others come and go: one item that counts, or a large fill where there are no kernels.
class Delay {
 public:
  explicit Delay(Context& t);
  void on(xhal_stream_t stream);

 private:
  Context& t_;
  Buffer memory_;
};

// What a host function has seen.
struct HostCall {
  std::atomic<int> count{0};
  std::atomic<xhal_result_t> status{XHAL_NOT_READY};
  std::atomic<void*> user{nullptr};
};
// An xhal_host_fn whose user pointer is a HostCall.
void count_call(void* user, xhal_result_t status);

// A gate before everything where the test's parameter "hold" asks for one, none for "none".
std::unique_ptr<Gate> gate_if_asked(Context& t, xhal_stream_t stream);
// "none" beside the two kinds of gate.
Axis hold_axis();

// The kind of gate that the parameter "hold" names, for a test that needs other streams to go on beside it. Leaves the test as not observable
// where a blocked host function is declared to stop them.
Gate::Kind independent_gate_kind(Context& t);

// A group size that every device takes, and that divides nothing by accident.
uint32_t small_group(Context& t, size_t device = 0);

// Runs work(0) ... work(count - 1) on a thread each, all let go at once, and waits for them. ASSERT_ and REQUIRE_ must not leave `work`.
void run_threads(size_t count, const std::function<void(size_t)>& work);

// Folds operation `op` into n cells.
xhal_result_t fold(Context& t, xhal_stream_t stream, void* cells, uint64_t op, uint64_t n, size_t device = 0);

// Whether copies of this direction (XHAL_COPY_ bit) may block, as declared.
inline bool may_block(Context& t, uint32_t direction, size_t device = 0) {
  return (t.properties(device).copy_blocks & direction) != 0;
}

// A desc for memory_allocate.
inline xhal_memory_desc_t memory_desc(uint32_t kind, uint64_t size, uint64_t alignment = 0) {
  xhal_memory_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.kind = kind;
  desc.size = size;
  desc.alignment = alignment;
  return desc;
}

xhal_memory_info_t memory_info(Context& t, size_t device = 0);
inline uint64_t free_bytes(Context& t) { return memory_info(t).free_bytes; }
// One of so many equal parts, or as much of it as one allocation may have.
inline uint64_t part_of_free_memory(Context& t, uint64_t parts) {
  return std::min(free_bytes(t) / parts, t.properties().max_allocation_bytes);
}

xhal_pointer_attributes_t attributes_of(Context& t, const void* pointer);

// The value that marks an out-parameter as not written.
template <class T>
T* sentinel() {
  return reinterpret_cast<T*>(uintptr_t{0x5E47135E47135E48});
}

// Submits a kernel that raises a failure, on a stream of the device under test. The caller's test is isolated.
xhal_result_t submit_trap(Context& t, xhal_stream_t stream, uint64_t correlation = 0);
// Whether a code is one that a failure of submitted work may have.
bool is_failure(xhal_result_t result);

}  // namespace xhal::conformance
