// SPDX-License-Identifier: Apache-2.0
#include "thread_soak.hpp"

#include <oracles.h>

#include <iterator>

namespace xhal::soak {
namespace {

void* allocate(xhal_device_t device, uint32_t kind, uint64_t size) {
  xhal_memory_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.kind = kind;
  desc.size = size;
  void* pointer = nullptr;
  SOAK_OK(xhal_memory_allocate(device, &desc, &pointer));
  return pointer;
}

constexpr uint64_t kOne = 1;

}  // namespace

void check(const char* call, xhal_result_t result, xhal_result_t expected) {
  if (result == expected) return;
  xhal_error_t error{};
  error.struct_size = sizeof(error);
  xhal_error_get_last(&error);
  throw Trouble{std::string(call) + ": " + xhal_result_name(result) + ": " + error.text};
}

ThreadSoak::ThreadSoak(const SharedDevice& shared, uint64_t seed) : shared_(shared), state_(seed) {
  cells_memory_ =
      static_cast<uint64_t*>(allocate(shared.device, XHAL_MEMORY_DEVICE, kCells * sizeof(uint64_t)));
  pinned_ = static_cast<uint64_t*>(allocate(shared.device, XHAL_MEMORY_PINNED, 2 * sizeof(uint64_t)));
  pinned_[0] = pinned_[1] = 0;
  const xhal_stream_t first = shared.streams.front();
  SOAK_OK(xhal_memory_fill(first, cells_memory_, 0, 8, kCells * sizeof(uint64_t)));
  for (size_t i = 0; i < kCells; ++i) {
    SOAK_OK(xhal_event_create(shared.device, nullptr, &cells_[i].event));
    worked(i, first);
  }
}

ThreadSoak::~ThreadSoak() {
  for (const Cell& cell : cells_) static_cast<void>(xhal_event_destroy(cell.event));
  static_cast<void>(xhal_memory_free(shared_.device, cells_memory_));
  static_cast<void>(xhal_memory_free(shared_.device, pinned_));
}

uint64_t ThreadSoak::random(uint64_t bound) {
  uint64_t z = state_ += 0x9e3779b97f4a7c15u;  // splitmix64
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return (z ^ (z >> 31)) % bound;
}

xhal_stream_t ThreadSoak::any_stream() { return shared_.streams[random(shared_.streams.size())]; }

void ThreadSoak::order(size_t cell, xhal_stream_t stream) {
  if (cells_[cell].stream != stream) SOAK_OK(xhal_stream_wait_event(stream, cells_[cell].event, 0));
}

void ThreadSoak::worked(size_t cell, xhal_stream_t stream) {
  SOAK_OK(xhal_event_record(cells_[cell].event, stream, 0));
  cells_[cell].stream = stream;
}

void ThreadSoak::launch_fold(size_t cell, xhal_stream_t stream) {
  const uint64_t op = operations_ * 2 + 1;
  const xhal_argument_t arguments[] = {{XHAL_ARGUMENT_MEMORY, XHAL_ACCESS_READ_WRITE, 8, place(cell)},
                                       {XHAL_ARGUMENT_VALUE, 0, sizeof(op), &op},
                                       {XHAL_ARGUMENT_VALUE, 0, sizeof(kOne), &kOne}};
  xhal_launch_t launch{};
  launch.struct_size = sizeof(launch);
  for (int d = 0; d < 3; ++d) launch.group_count[d] = launch.group_size[d] = 1;
  launch.argument_count = static_cast<uint32_t>(std::size(arguments));
  launch.arguments = arguments;
  SOAK_OK(xhal_kernel_launch(stream, shared_.fold, &launch));
  cells_[cell].expected = oracle::mix(cells_[cell].expected, op);
}

void ThreadSoak::fold() {
  const size_t cell = random(kCells);
  const xhal_stream_t stream = any_stream();
  order(cell, stream);
  for (uint64_t n = 1 + random(4); n != 0; --n, ++operations_) launch_fold(cell, stream);
  worked(cell, stream);
}

void ThreadSoak::fold_two() {
  const size_t to = random(kCells);
  const size_t from = (to + 1 + random(kCells - 1)) % kCells;
  const xhal_stream_t stream = any_stream();
  order(to, stream);
  order(from, stream);
  const uint64_t op = operations_ * 2 + 1;
  const xhal_argument_t arguments[] = {{XHAL_ARGUMENT_MEMORY, XHAL_ACCESS_READ_WRITE, 8, place(to)},
                                       {XHAL_ARGUMENT_MEMORY, XHAL_ACCESS_READ, 8, place(from)},
                                       {XHAL_ARGUMENT_VALUE, 0, sizeof(op), &op},
                                       {XHAL_ARGUMENT_VALUE, 0, sizeof(kOne), &kOne}};
  xhal_launch_t launch{};
  launch.struct_size = sizeof(launch);
  for (int d = 0; d < 3; ++d) launch.group_count[d] = launch.group_size[d] = 1;
  launch.argument_count = static_cast<uint32_t>(std::size(arguments));
  launch.arguments = arguments;
  SOAK_OK(xhal_kernel_launch(stream, shared_.fold2, &launch));
  cells_[to].expected = oracle::mix(oracle::mix(cells_[to].expected, cells_[from].expected), op);
  worked(to, stream);
  worked(from, stream);
}

void ThreadSoak::read_back() {
  const size_t cell = random(kCells);
  const xhal_stream_t stream = any_stream();
  order(cell, stream);
  uint64_t pageable = 0;
  const bool to_pinned = random(2) == 0;
  SOAK_OK(xhal_memory_copy(stream, to_pinned ? static_cast<void*>(pinned_ + 1) : &pageable, place(cell), 8));
  worked(cell, stream);
  if (to_pinned) SOAK_OK(xhal_event_synchronize(cells_[cell].event, XHAL_WAIT_FOREVER));
  const uint64_t got = to_pinned ? pinned_[1] : pageable;
  if (got != cells_[cell].expected) {
    throw Trouble{"cell " + std::to_string(cell) + " holds " + std::to_string(got) + ", expected " +
                  std::to_string(cells_[cell].expected)};
  }
}

void ThreadSoak::write_anew() {
  const size_t cell = random(kCells);
  const xhal_stream_t stream = any_stream();
  order(cell, stream);
  if (random(2) == 0) {
    // A pageable source is the caller's again when the call returns.
    uint64_t noise = random(UINT64_MAX);
    SOAK_OK(xhal_memory_copy(stream, place(cell), &noise, 8));
    noise = 0;
    SOAK_OK(xhal_memory_fill(stream, place(cell), cells_[cell].expected, 8, 8));
  } else {
    cells_[cell].expected = random(UINT64_MAX);
    SOAK_OK(xhal_memory_fill(stream, place(cell), cells_[cell].expected, 8, 8));
  }
  worked(cell, stream);
}

void ThreadSoak::short_lived_memory() {
  const uint64_t size = 8 * (1 + random(8192));
  void* memory = allocate(shared_.device, random(4) == 0 ? XHAL_MEMORY_PINNED : XHAL_MEMORY_DEVICE, size);
  SOAK_OK(xhal_memory_fill(any_stream(), memory, operations_, 8, size));
  SOAK_OK(xhal_memory_free(shared_.device, memory));
}

void ThreadSoak::short_lived_event() {
  xhal_event_t event = nullptr;
  SOAK_OK(xhal_event_create(shared_.device, nullptr, &event));
  SOAK_OK(xhal_event_record(event, any_stream(), 0));
  SOAK_OK(xhal_stream_wait_event(any_stream(), event, 0));
  SOAK_OK(xhal_event_destroy(event));
}

void ThreadSoak::short_lived_stream() {
  xhal_stream_t stream = nullptr;
  SOAK_OK(xhal_stream_create(shared_.device, nullptr, &stream));
  const size_t cell = random(kCells);
  order(cell, stream);
  launch_fold(cell, stream);
  const xhal_stream_t next = any_stream();
  SOAK_OK(xhal_event_record(cells_[cell].event, stream, 0));
  SOAK_OK(xhal_stream_wait_event(next, cells_[cell].event, 0));
  SOAK_OK(xhal_stream_destroy(stream));
  worked(cell, next);
}

void ThreadSoak::host_function() {
  const auto count = [](void* user, xhal_result_t) {
    static_cast<std::atomic<uint64_t>*>(user)->fetch_add(1, std::memory_order_relaxed);
  };
  SOAK_OK(xhal_stream_host_function(any_stream(), count, &host_calls_));
  ++expected_host_calls_;
}

void ThreadSoak::ask() {
  const size_t cell = random(kCells);
  const xhal_result_t results[] = {xhal_stream_query(any_stream()), xhal_event_query(cells_[cell].event)};
  for (const xhal_result_t result : results) {
    if (result != XHAL_NOT_READY) check("query", result);
  }
  xhal_pointer_attributes_t attributes{};
  attributes.struct_size = sizeof(attributes);
  SOAK_OK(xhal_driver_get_pointer_attributes(shared_.driver, place(cell), &attributes));
  if (attributes.base != cells_memory_) throw Trouble{"pointer attributes tell another base"};
}

void ThreadSoak::pool() {
  if (shared_.pool == nullptr) return;
  const xhal_stream_t stream = any_stream();
  const uint64_t size = 8 * (1 + random(4096));
  void* memory = nullptr;
  SOAK_OK(xhal_pool_allocate(shared_.pool, stream, size, &memory));
  SOAK_OK(xhal_memory_fill(stream, memory, operations_, 8, size));
  SOAK_OK(xhal_pool_free(shared_.pool, stream, memory));
}

// Captured on a stream of its own, launched twice.
void ThreadSoak::graph() {
  if (!shared_.has_graph) return;
  xhal_stream_t stream = nullptr;
  SOAK_OK(xhal_stream_create(shared_.device, nullptr, &stream));
  const size_t cell = random(kCells);
  SOAK_OK(xhal_stream_begin_capture(stream, XHAL_CAPTURE_RELAXED));
  const uint64_t before = cells_[cell].expected;
  const uint64_t op = operations_ * 2 + 1;
  launch_fold(cell, stream);
  cells_[cell].expected = before;
  xhal_graph_t graph = nullptr;
  SOAK_OK(xhal_stream_end_capture(stream, &graph));
  xhal_graph_exec_t exec = nullptr;
  SOAK_OK(xhal_graph_instantiate(graph, 0, &exec));
  SOAK_OK(xhal_graph_destroy(graph));
  const xhal_stream_t on = any_stream();
  order(cell, on);
  for (int i = 0; i < 2; ++i) {
    SOAK_OK(xhal_graph_exec_launch(exec, on));
    cells_[cell].expected = oracle::mix(cells_[cell].expected, op);
  }
  worked(cell, on);
  SOAK_OK(xhal_graph_exec_destroy(exec));
  SOAK_OK(xhal_stream_destroy(stream));
}

// A word orders two streams as an event does.
void ThreadSoak::word() {
  if (!shared_.has_value_wait) return;
  const size_t cell = random(kCells);
  const xhal_stream_t from = cells_[cell].stream;
  const xhal_stream_t to = any_stream();
  SOAK_OK(xhal_stream_write_value(from, pinned_, ++word_, 8));
  if (to != from) SOAK_OK(xhal_stream_wait_value(to, pinned_, word_, XHAL_COMPARE_GREATER_EQUAL, 8));
  launch_fold(cell, to);
  worked(cell, to);
  // The next word is written on another stream perhaps: it must not be overtaken by this one.
  SOAK_OK(xhal_event_synchronize(cells_[cell].event, XHAL_WAIT_FOREVER));
}

void ThreadSoak::step() {
  using Step = void (ThreadSoak::*)();
  static constexpr Step kSteps[] = {&ThreadSoak::fold,
                                    &ThreadSoak::fold,
                                    &ThreadSoak::fold,
                                    &ThreadSoak::fold_two,
                                    &ThreadSoak::fold_two,
                                    &ThreadSoak::read_back,
                                    &ThreadSoak::write_anew,
                                    &ThreadSoak::ask,
                                    &ThreadSoak::short_lived_memory,
                                    &ThreadSoak::host_function,
                                    &ThreadSoak::short_lived_event,
                                    &ThreadSoak::short_lived_stream,
                                    &ThreadSoak::pool,
                                    &ThreadSoak::graph,
                                    &ThreadSoak::word};
  (this->*kSteps[random(std::size(kSteps))])();
  ++operations_;
  // Keeps what is in flight bounded, as a program does.
  if (operations_ % 512 < 2) SOAK_OK(xhal_stream_synchronize(any_stream(), XHAL_WAIT_FOREVER));
}

void ThreadSoak::verify() {
  SOAK_OK(xhal_device_synchronize(shared_.device, XHAL_WAIT_FOREVER));
  std::array<uint64_t, kCells> got{};
  SOAK_OK(xhal_memory_copy(shared_.streams.front(), got.data(), cells_memory_, sizeof(got)));
  for (size_t i = 0; i < kCells; ++i) {
    if (got[i] != cells_[i].expected) {
      throw Trouble{"in the end cell " + std::to_string(i) + " holds " + std::to_string(got[i]) +
                    ", expected " + std::to_string(cells_[i].expected)};
    }
  }
  if (host_calls_.load() != expected_host_calls_) {
    throw Trouble{std::to_string(host_calls_.load()) + " of " + std::to_string(expected_host_calls_) +
                  " host functions ran"};
  }
}

}  // namespace xhal::soak
