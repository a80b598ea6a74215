// SPDX-License-Identifier: Apache-2.0
// Tells the kit of this test program that it was negotiated with, so that the engine's parts have services.
#pragma once

#include <atomic>
#include <cstdint>

#include "xhal/kit/driver.hpp"

namespace xhal::sim_test {

inline void negotiate() {
  static const xhal_table_t kDead = [] {
    xhal_table_t table = {};
    table.state = XHAL_TABLE_DEAD;
    return table;
  }();
  static std::atomic<uint64_t> ids{1};
  static const xhal_host_services_t kServices = {sizeof(xhal_host_services_t),
                                                 XHAL_ABI_REVISION,
                                                 &kDead,
                                                 [](const xhal_error_report_t*) {},
                                                 [](void*, uint32_t, const char*, const char*) {},
                                                 [](void*) {},
                                                 [] { return ids.fetch_add(1); }};
  static xhal_functions_t functions = {};
  static const xhal_functions_t kTable = [] {
    xhal_functions_t table = {};
    table.struct_size = sizeof(table);
    return table;
  }();
  const xhal_negotiation_t host = {
      sizeof(host), XHAL_ABI_MAJOR, XHAL_ABI_MINOR, XHAL_ABI_REVISION, &kServices, "", ""};
  xhal_driver_interface_t interface = {};
  interface.struct_size = sizeof(interface);
  interface.functions_capacity = sizeof(functions);
  interface.functions = &functions;
  const kit::DriverDescription driver = {
      "sim", "0", [](const xhal_driver_open_t*, xhal_driver_t*) { return XHAL_ERROR_UNSUPPORTED + 0; },
      [](xhal_driver_t) { return XHAL_ERROR_UNSUPPORTED + 0; }, &kTable};
  static_cast<void>(kit::negotiate(&host, &interface, driver));
}

}  // namespace xhal::sim_test
