// SPDX-License-Identifier: Apache-2.0
// PyTorch's events are pointers that begin as null; the first record makes the event, on the device of the stream.
#pragma once

#include <c10/core/Event.h>
#include <c10/core/Stream.h>

#include "xhal/xhal.h"

namespace torch_xhal {

void record_event(void** event, c10::Stream stream, c10::DeviceIndex device, c10::EventFlag flag);
void block_on_event(void* event, c10::Stream stream);
bool is_event_done(void* event);
void synchronize_event(void* event);
void destroy_event(void* event) noexcept;
double elapsed_milliseconds(void* start, void* end);

}  // namespace torch_xhal
