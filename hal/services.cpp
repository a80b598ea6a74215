// SPDX-License-Identifier: Apache-2.0
// What drivers and layers may ask of libxhal.
#include <atomic>

#include "library.hpp"
#include "tables.hpp"
#include "thread_error.hpp"

namespace xhal::host {
namespace {

void log_line(void* host_context, uint32_t level, const char* source, const char* text) {
  const auto* context = static_cast<const HostContext*>(host_context);
  if (context != nullptr && context->open.load(std::memory_order_acquire)) {
    context->log.write(level, source, text);
  } else {
    LogSink().write(level, source, text);
  }
}

void activated(void* host_context) {
  auto* context = static_cast<HostContext*>(host_context);
  if (context == nullptr || context->activated.load(std::memory_order_relaxed)) return;
  context->activated.store(true, std::memory_order_release);
}

uint64_t next_id() {
  static constinit std::atomic<uint64_t> s_last{0};
  return s_last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

const xhal_host_services_t* host_services() {
  static const xhal_host_services_t services = {
      sizeof(xhal_host_services_t),
      XHAL_ABI_REVISION,
      dead_table(),
      &report_error,
      &log_line,
      &activated,
      &next_id,
  };
  return &services;
}

}  // namespace xhal::host
