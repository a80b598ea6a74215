// SPDX-License-Identifier: Apache-2.0
#include "runtime/events.hpp"

#include "runtime/check.hpp"
#include "runtime/driver.hpp"
#include "runtime/streams.hpp"

namespace torch_xhal {
namespace {

struct Event {
  xhal_event_t handle = nullptr;
  c10::DeviceIndex device = -1;
};

const Event& at(void* event) { return *static_cast<const Event*>(event); }

Event* make_event(c10::DeviceIndex device, c10::EventFlag flag) {
  xhal_event_desc_t desc = {};
  desc.struct_size = sizeof(desc);
  if (flag == c10::EventFlag::BACKEND_DEFAULT) desc.flags = XHAL_EVENT_TIMING;
  Event out{nullptr, device};
  XHAL_CHECK(xhal_event_create(device_at(device).handle, &desc, &out.handle));
  return new Event(out);
}

}  // namespace

void record_event(void** event, c10::Stream stream, c10::DeviceIndex device, c10::EventFlag flag) {
  TORCH_CHECK(device == -1 || device == stream.device_index(), "Event device index ",
              static_cast<int>(device), " does not match recording stream's device index ",
              static_cast<int>(stream.device_index()), ".");
  if (*event == nullptr) *event = make_event(stream.device_index(), flag);
  XHAL_CHECK(xhal_event_record(at(*event).handle, handle_of(stream), 0));
}

void block_on_event(void* event, c10::Stream stream) {
  if (event == nullptr) return;
  XHAL_CHECK(xhal_stream_wait_event(handle_of(stream), at(event).handle, 0));
}

bool is_event_done(void* event) {
  if (event == nullptr) return true;
  const xhal_result_t result = xhal_event_query(at(event).handle);
  if (result == XHAL_NOT_READY) return false;
  XHAL_CHECK(result);
  return true;
}

void synchronize_event(void* event) {
  if (event != nullptr) XHAL_CHECK(xhal_event_synchronize(at(event).handle, XHAL_WAIT_FOREVER));
}

void destroy_event(void* event) noexcept {
  if (event == nullptr) return;
  xhal_event_destroy(at(event).handle);
  delete static_cast<Event*>(event);
}

double elapsed_milliseconds(void* start, void* end) {
  TORCH_CHECK_VALUE(start != nullptr && end != nullptr,
                    "Both events must be recorded before calculating elapsed time.");
  TORCH_CHECK_VALUE(at(start).device == at(end).device, "Event device indices ",
                    static_cast<int>(at(start).device), " and ", static_cast<int>(at(end).device),
                    " are not the same.");
  int64_t nanoseconds = 0;
  const xhal_result_t result = xhal_event_get_elapsed(at(start).handle, at(end).handle, &nanoseconds);
  TORCH_CHECK(result != XHAL_NOT_READY, "Both events must be completed before calculating elapsed time.");
  XHAL_CHECK(result);
  return static_cast<double>(nanoseconds) * 1e-6;
}

}  // namespace torch_xhal
