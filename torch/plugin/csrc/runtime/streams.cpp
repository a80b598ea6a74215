// SPDX-License-Identifier: Apache-2.0
#include "runtime/streams.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>

#include "runtime/check.hpp"
#include "runtime/driver.hpp"

namespace torch_xhal {
namespace {

using xhal::caching::Stream;

// Numbers of streams are handed out one after the other; a number's slot is written once, before anybody knows the number.
constexpr size_t kMostStreams = 4096;

struct StreamsOfDevice {
  std::mutex mutex;
  std::array<std::atomic<Stream*>, kMostStreams> slots{};
  size_t used = 1;  // 0 is the default stream
  struct Pool {
    std::array<c10::StreamId, kStreamsOfAPriority> numbers{};
    size_t created = 0;
    size_t next = 0;
  };
  std::map<int, Pool> pools;  // by priority
};

StreamsOfDevice& streams_of(c10::DeviceIndex device) {
  static auto* const all = new std::array<StreamsOfDevice, kMostDevices>();
  return (*all)[static_cast<size_t>(device)];
}

thread_local std::array<c10::StreamId, kMostDevices> this_thread_streams{};

Stream known_as(xhal_stream_t handle) {
  xhal_stream_info_t info = {};
  info.struct_size = sizeof(info);
  XHAL_CHECK(xhal_stream_get_info(handle, &info));
  return {handle, info.id};
}

// With the device's lock held.
c10::StreamId enter(StreamsOfDevice& streams, Stream stream) {
  TORCH_CHECK(streams.used < kMostStreams, "more than ", kMostStreams, " streams of one device");
  const size_t number = streams.used++;
  streams.slots[number].store(new Stream(stream), std::memory_order_release);
  return static_cast<c10::StreamId>(number);
}

const Stream& default_of(c10::DeviceIndex device) {
  StreamsOfDevice& streams = streams_of(device);
  if (const Stream* known = streams.slots[0].load(std::memory_order_acquire); C10_LIKELY(known != nullptr))
    return *known;
  const std::lock_guard lock(streams.mutex);
  if (const Stream* known = streams.slots[0].load(std::memory_order_acquire); known != nullptr) return *known;
  xhal_stream_t handle = nullptr;
  XHAL_CHECK(xhal_device_get_default_stream(device_at(device).handle, &handle));
  auto* stream = new Stream(known_as(handle));
  streams.slots[0].store(stream, std::memory_order_release);
  return *stream;
}

c10::Stream numbered(c10::DeviceIndex device, c10::StreamId number) {
  return c10::Stream(c10::Stream::UNSAFE, c10::Device(kDevice, device), number);
}

}  // namespace

Stream stream_of(c10::Stream stream) {
  const c10::DeviceIndex device = stream.device_index();
  if (stream.id() == 0) return default_of(checked_index(device));
  const bool is_number = device >= 0 && device < device_count() && stream.id() > 0 &&
                         static_cast<size_t>(stream.id()) < kMostStreams;
  const Stream* known =
      is_number ? streams_of(device).slots[static_cast<size_t>(stream.id())].load(std::memory_order_acquire)
                : nullptr;
  TORCH_CHECK_VALUE(known != nullptr, "there is no ", device_title(), " stream with the id ", stream.id(),
                    " on device ", static_cast<int>(device));
  return *known;
}

xhal_stream_t handle_of(c10::Stream stream) { return stream_of(stream).handle; }

c10::StreamId number_of(c10::DeviceIndex device, uint64_t id) {
  StreamsOfDevice& streams = streams_of(checked_index(device));
  const std::lock_guard lock(streams.mutex);
  for (size_t number = 0; number < streams.used; ++number) {
    const Stream* const known = streams.slots[number].load(std::memory_order_relaxed);
    if (known != nullptr && known->id == id) return static_cast<c10::StreamId>(number);
  }
  return -1;
}

c10::Stream default_stream(c10::DeviceIndex device) { return numbered(checked_index(device), 0); }

c10::Stream current_stream(c10::DeviceIndex device) {
  if (device == -1) device = current_device();
  TORCH_CHECK(device >= 0 && device < kMostDevices, "invalid device ordinal: ", static_cast<int>(device));
  return numbered(device, this_thread_streams[static_cast<size_t>(device)]);
}

void set_current_stream(c10::Stream stream) {
  stream_of(stream);
  this_thread_streams[static_cast<size_t>(checked_index(stream.device_index()))] = stream.id();
}

PriorityRange priority_range(c10::DeviceIndex device) {
  const auto& properties = device_at(checked_index(device)).properties;
  return {properties.priority_least, properties.priority_greatest};
}

c10::Stream stream_from_pool(c10::DeviceIndex device, int priority) {
  device = checked_index(device);
  const PriorityRange range = priority_range(device);
  priority = std::clamp(priority, range.greatest, range.least);
  StreamsOfDevice& streams = streams_of(device);
  const std::lock_guard lock(streams.mutex);
  auto& pool = streams.pools[priority];
  const size_t turn = pool.next++ % kStreamsOfAPriority;
  if (turn < pool.created) return numbered(device, pool.numbers[turn]);
  xhal_stream_desc_t desc = {};
  desc.struct_size = sizeof(desc);
  desc.priority = priority;
  xhal_stream_t handle = nullptr;
  XHAL_CHECK(xhal_stream_create(device_at(device).handle, &desc, &handle));
  pool.numbers[turn] = enter(streams, known_as(handle));
  pool.created = turn + 1;
  return numbered(device, pool.numbers[turn]);
}

c10::Stream stream_from_native(c10::DeviceIndex device, xhal_stream_t handle) {
  device = checked_index(device);
  const Stream stream = known_as(handle);
  xhal_device_t of = nullptr;
  XHAL_CHECK(xhal_stream_get_device(handle, &of));
  TORCH_CHECK_VALUE(of == device_at(device).handle, "the stream is of another device than ",
                    static_cast<int>(device));
  if (stream.id == default_of(device).id) return numbered(device, 0);
  StreamsOfDevice& streams = streams_of(device);
  const std::lock_guard lock(streams.mutex);
  for (size_t number = 1; number < streams.used; ++number)
    if (streams.slots[number].load(std::memory_order_relaxed)->id == stream.id)
      return numbered(device, static_cast<c10::StreamId>(number));
  return numbered(device, enter(streams, stream));
}

int priority_of(c10::Stream stream) {
  xhal_stream_info_t info = {};
  info.struct_size = sizeof(info);
  XHAL_CHECK(xhal_stream_get_info(handle_of(stream), &info));
  return info.priority;
}

}  // namespace torch_xhal
