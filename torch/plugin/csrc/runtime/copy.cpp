// SPDX-License-Identifier: Apache-2.0
#include "runtime/copy.hpp"

#include "runtime/check.hpp"
#include "runtime/driver.hpp"
#include "runtime/streams.hpp"

namespace torch_xhal {
namespace {

bool is_pageable(const void* pointer) {
  xhal_pointer_attributes_t attributes = {};
  attributes.struct_size = sizeof(attributes);
  XHAL_CHECK(xhal_driver_get_pointer_attributes(driver().handle, pointer, &attributes));
  return attributes.kind == XHAL_MEMORY_UNMANAGED;
}

}  // namespace

void copy_bytes(c10::Stream stream, void* destination, const void* source, size_t bytes) {
  if (bytes == 0) return;
  const xhal_stream_t handle = handle_of(stream);
  XHAL_CHECK(xhal_memory_copy(handle, destination, source, bytes));
  if (is_pageable(destination)) XHAL_CHECK(xhal_stream_synchronize(handle, XHAL_WAIT_FOREVER));
}

}  // namespace torch_xhal
