// SPDX-License-Identifier: Apache-2.0
// A driver whose hardware is not there: negotiates with the installed kit and says so when it is opened.
#include <xhal/kit/driver.hpp>

#include <string>

namespace {

xhal_result_t open_driver(const xhal_driver_open_t* /*params*/, xhal_driver_t* /*out_driver*/) {
  // A string and an exception, so that the C++ runtime inside the library is really used.
  try {
    throw std::string("no absent hardware in this machine");
  } catch (const std::string& text) {
    return xhal::kit::fail(XHAL_ERROR_DRIVER_FAILED, "%s", text.c_str());
  }
}

xhal_result_t close_driver(xhal_driver_t /*driver*/) { return XHAL_SUCCESS; }

}  // namespace

xhal_result_t xhal_driver_negotiate(const xhal_negotiation_t* host, xhal_driver_interface_t* interface_out) {
  static const xhal_functions_t functions = [] {
    xhal_functions_t table{};
    table.struct_size = sizeof(table);
    return table;
  }();
  return xhal::kit::negotiate(host, interface_out,
                              {.name = "absent",
                               .version = "3.1",
                               .open = open_driver,
                               .close = close_driver,
                               .functions = &functions});
}
