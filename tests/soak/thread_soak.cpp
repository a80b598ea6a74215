// SPDX-License-Identifier: Apache-2.0
#include "thread_soak.hpp"

#include <oracles.h>

#include <cstdlib>
#include <iterator>
#include <thread>

namespace xhal::soak {

void* allocate(xhal_device_t device, uint32_t kind, uint64_t size) {
  xhal_memory_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.kind = kind;
  desc.size = size;
  void* pointer = nullptr;
  SOAK_OK(xhal_memory_allocate(device, &desc, &pointer));
  return pointer;
}

void check(const char* call, xhal_result_t result, xhal_result_t expected) {
  if (result == expected) return;
  xhal_error_t error{};
  error.struct_size = sizeof(error);
  xhal_error_get_last(&error);
  throw Trouble{std::string(call) + ": " + xhal_result_name(result) + ": " + error.text};
}

void synchronize(const SharedDevice& shared) {
  for (;;) {
    const xhal_result_t result = xhal_device_synchronize(shared.device, XHAL_WAIT_FOREVER);
    if (shared.trap == nullptr || result != XHAL_ERROR_LAUNCH_FAILED)
      return check("xhal_device_synchronize", result);
    std::this_thread::yield();
  }
}

ThreadSoak::ThreadSoak(const SharedDevice& shared, uint64_t seed) : shared_(shared), state_(seed) {
  cells_memory_ =
      static_cast<uint64_t*>(allocate(shared.device, XHAL_MEMORY_DEVICE, kCells * sizeof(uint64_t)));
  pinned_ = static_cast<uint64_t*>(allocate(shared.device, XHAL_MEMORY_PINNED, 2 * sizeof(uint64_t)));
  pinned_[0] = pinned_[1] = 0;
  host_page_ = std::aligned_alloc(kHostPage, kHostPage);
  if (host_page_ == nullptr) throw Trouble{"no memory"};
  const xhal_stream_t first = shared.streams.front();
  SOAK_OK(xhal_memory_fill(first, cells_memory_, 0, 8, kCells * sizeof(uint64_t)));
  for (size_t i = 0; i < kCells; ++i) {
    SOAK_OK(xhal_event_create(shared.device, nullptr, &cells_[i].event));
    worked(i, first);
  }
}

ThreadSoak::~ThreadSoak() {
  std::free(host_page_);
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

void ThreadSoak::launch(xhal_kernel_t kernel, size_t cell, uint64_t op, xhal_stream_t stream) {
  const uint64_t rounds = 1;
  const xhal_argument_t arguments[] = {{XHAL_ARGUMENT_MEMORY, XHAL_ACCESS_READ_WRITE, 8, place(cell)},
                                       {XHAL_ARGUMENT_VALUE, 0, sizeof(op), &op},
                                       {XHAL_ARGUMENT_VALUE, 0, sizeof(rounds), &rounds}};
  xhal_launch_t launch{};
  launch.struct_size = sizeof(launch);
  for (int d = 0; d < 3; ++d) launch.group_count[d] = launch.group_size[d] = 1;
  launch.argument_count = static_cast<uint32_t>(std::size(arguments));
  launch.arguments = arguments;
  SOAK_OK(xhal_kernel_launch(stream, kernel, &launch));
}

void ThreadSoak::launch_fold(size_t cell, xhal_stream_t stream) {
  launch(shared_.fold, cell, next_op(), stream);
  cells_[cell].expected = oracle::mix(cells_[cell].expected, next_op());
}

void ThreadSoak::fold() {
  const size_t cell = random(kCells);
  const xhal_stream_t stream = any_stream();
  order(cell, stream);
  for (uint64_t n = 1 + random(8); n != 0; --n, ++operations_) launch_fold(cell, stream);
  worked(cell, stream);
}

void ThreadSoak::fold_two() {
  const size_t to = random(kCells);
  const size_t from = (to + 1 + random(kCells - 1)) % kCells;
  const xhal_stream_t stream = any_stream();
  order(to, stream);
  order(from, stream);
  const uint64_t op = next_op();
  const uint64_t rounds = 1;
  const xhal_argument_t arguments[] = {{XHAL_ARGUMENT_MEMORY, XHAL_ACCESS_READ_WRITE, 8, place(to)},
                                       {XHAL_ARGUMENT_MEMORY, XHAL_ACCESS_READ, 8, place(from)},
                                       {XHAL_ARGUMENT_VALUE, 0, sizeof(op), &op},
                                       {XHAL_ARGUMENT_VALUE, 0, sizeof(rounds), &rounds}};
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

// Two cells that lie apart, as two rows of a matrix.
void ThreadSoak::copy_region() {
  if (!shared_.has_regions) return;
  const size_t to = random(kCells / 2 - 1);
  const size_t from = to + 1 + random(kCells / 2 - to - 1);
  const xhal_stream_t stream = any_stream();
  xhal_copy_region_t region{};
  region.struct_size = sizeof(region);
  region.destination = place(to);
  region.source = place(from);
  region.destination_pitch = region.source_pitch = kCells / 2 * sizeof(uint64_t);
  region.extent[0] = sizeof(uint64_t);
  region.extent[1] = 2;
  region.extent[2] = 1;
  for (const size_t cell : {to, from, to + kCells / 2, from + kCells / 2}) order(cell, stream);
  SOAK_OK(xhal_memory_copy_region(stream, &region));
  for (const size_t row : {size_t{0}, kCells / 2}) {
    cells_[to + row].expected = cells_[from + row].expected;
    worked(to + row, stream);
    worked(from + row, stream);
  }
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

void ThreadSoak::use(void* memory, uint64_t size, xhal_stream_t stream) {
  const size_t cell = random(kCells);
  const uint64_t pattern = random(UINT64_MAX);
  SOAK_OK(xhal_memory_fill(stream, memory, pattern, 8, size));
  order(cell, stream);
  SOAK_OK(xhal_memory_copy(stream, place(cell), static_cast<std::byte*>(memory) + size - 8, 8));
  cells_[cell].expected = pattern;
  worked(cell, stream);
}

void ThreadSoak::pool() {
  if (shared_.pool == nullptr) return;
  const xhal_stream_t stream = any_stream();
  const uint64_t size = 8 * (1 + random(random(16) == 0 ? 8192 : 128));
  void* memory = nullptr;
  SOAK_OK(xhal_pool_allocate(shared_.pool, stream, size, &memory));
  use(memory, size, stream);
  SOAK_OK(xhal_pool_free(shared_.pool, stream, memory));
}

// The second stream may be given what the first has freed, behind it.
void ThreadSoak::pool_across_streams() {
  if (shared_.pool == nullptr) return;
  const uint64_t size = 8 * (1 + random(512));
  const xhal_stream_t streams[] = {any_stream(), any_stream()};
  xhal_event_t event = nullptr;
  SOAK_OK(xhal_event_create(shared_.device, nullptr, &event));
  for (const xhal_stream_t stream : streams) {
    if (stream != streams[0]) SOAK_OK(xhal_stream_wait_event(stream, event, 0));
    void* memory = nullptr;
    SOAK_OK(xhal_pool_allocate(shared_.pool, stream, size, &memory));
    use(memory, size, stream);
    SOAK_OK(xhal_pool_free(shared_.pool, stream, memory));
    SOAK_OK(xhal_event_record(event, stream, 0));
  }
  SOAK_OK(xhal_event_destroy(event));
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

// Rare steps are those that wait, which is where the time goes, and those that make what is costly to make.
void ThreadSoak::step() {
  struct Kind {
    void (ThreadSoak::*run)();
    uint32_t weight;
  };
  static constexpr Kind kKinds[] = {{&ThreadSoak::fold, 160},
                                    {&ThreadSoak::fold_two, 120},
                                    {&ThreadSoak::write_anew, 48},
                                    {&ThreadSoak::ask, 48},
                                    {&ThreadSoak::pool, 32},
                                    {&ThreadSoak::short_lived_event, 32},
                                    {&ThreadSoak::host_function, 16},
                                    {&ThreadSoak::copy_region, 16},
                                    {&ThreadSoak::pool_across_streams, 8},
                                    {&ThreadSoak::short_lived_memory, 8},
                                    {&ThreadSoak::short_lived_stream, 6},
                                    {&ThreadSoak::short_lived_graph, 6},
                                    {&ThreadSoak::read_back, 4},
                                    {&ThreadSoak::short_lived_pool, 2},
                                    {&ThreadSoak::short_lived_registration, 2},
                                    {&ThreadSoak::word, 1},
                                    {&ThreadSoak::short_lived_mapping, 1}};
  static constexpr uint32_t kAll = [] {
    uint32_t all = 0;
    for (const Kind& kind : kKinds) all += kind.weight;
    return all;
  }();
  auto choice = static_cast<uint32_t>(random(kAll));
  const Kind* kind = kKinds;
  for (; choice >= kind->weight; ++kind) choice -= kind->weight;
  (this->*kind->run)();
  ++operations_;
  // Keeps what is in flight bounded, as a program does.
  if (++steps_ % kStepsBetweenWaits != 0) return;
  const size_t turn = steps_ / kStepsBetweenWaits;
  SOAK_OK(xhal_stream_synchronize(shared_.streams[turn % shared_.streams.size()], XHAL_WAIT_FOREVER));
  short_lived_failure();
  if (turn % 16 == 0) short_lived_module();
  if (turn % 64 == 0) short_lived_subscription();
}

void ThreadSoak::verify() {
  synchronize(shared_);
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
