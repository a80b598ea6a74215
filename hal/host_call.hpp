// SPDX-License-Identifier: Apache-2.0
// The edge of a call that libxhal answers itself: no exception leaves it, and an error becomes the thread's last one.
#pragma once

#include <exception>
#include <new>

#include "thread_error.hpp"

namespace xhal::host {

template <class Body>
xhal_result_t host_call(Entry entry, Body body) {
  xhal_result_t result = XHAL_ERROR_INTERNAL;
  try {
    result = body();
  } catch (const std::bad_alloc&) {
    result = XHAL_ERROR_OUT_OF_HOST_MEMORY;
  } catch (const std::exception& error) {
    result = fail(XHAL_ERROR_INTERNAL, "%s: %s", info_of(entry).name, error.what());
  }
  if (result < 0) return record_failure(entry, result);
  return forget_report(result);
}

}  // namespace xhal::host
