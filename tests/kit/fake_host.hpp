// SPDX-License-Identifier: Apache-2.0
// libxhal's half of negotiation, as small as it can be: services that write down what they were told.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "xhal/driver.h"
#include "xhal/kit/driver.hpp"

namespace xhal::kit_test {

struct Reported {
  xhal_result_t code = XHAL_SUCCESS;
  int64_t native_code = 0;
  std::string source;
  std::string text;
  int count = 0;
};

// Per thread, like libxhal's.
inline thread_local Reported last_report;

inline const xhal_table_t& dead_table() {
  static const xhal_table_t kTable = [] {
    xhal_table_t table = {};
    table.state = XHAL_TABLE_DEAD;
    return table;
  }();
  return kTable;
}

inline const xhal_host_services_t& host_services() {
  static const xhal_host_services_t kServices = {
      .struct_size = sizeof(xhal_host_services_t),
      .abi_revision = XHAL_ABI_REVISION,
      .dead_table = &dead_table(),
      .report_error =
          [](const xhal_error_report_t* report) {
            last_report = {report->code, report->native_code, report->source, report->text,
                           last_report.count + 1};
          },
      .log = [](void*, uint32_t, const char*, const char*) {},
      .activated = [](void*) {},
      .next_id = []() -> uint64_t { return 4711; },
  };
  return kServices;
}

inline xhal_negotiation_t negotiation_of(const xhal_host_services_t& services) {
  return {.struct_size = sizeof(xhal_negotiation_t),
          .abi_major = XHAL_ABI_MAJOR,
          .abi_minor = XHAL_ABI_MINOR,
          .abi_revision = XHAL_ABI_REVISION,
          .services = &services,
          .library_path = "/lib/libfake.so",
          .manifest_path = "/share/fake.json"};
}

// Makes the kit of this process know host_services(), as a driver named "fake".
inline xhal_result_t negotiate_as_fake() {
  static const xhal_functions_t kFunctions = [] {
    xhal_functions_t functions = {};
    functions.struct_size = sizeof(functions);
    return functions;
  }();
  const kit::DriverDescription driver = {
      "fake", "1", [](const xhal_driver_open_t*, xhal_driver_t*) { return xhal_result_t{XHAL_SUCCESS}; },
      [](xhal_driver_t) { return xhal_result_t{XHAL_SUCCESS}; }, &kFunctions};
  const xhal_negotiation_t host = negotiation_of(host_services());
  xhal_functions_t functions = {};
  xhal_driver_interface_t interface = {};
  interface.struct_size = sizeof(interface);
  interface.functions_capacity = sizeof(functions);
  interface.functions = &functions;
  return kit::negotiate(&host, &interface, driver);
}

// Bytes that nobody may write, before and behind a struct of any size.
template <class T>
class Guarded {
 public:
  // `size` bytes are the partner's to write.
  explicit Guarded(size_t size = sizeof(T))
      : size_(size), bytes_(kGuard + size + sizeof(T) + kGuard, kPattern) {
    std::memset(bytes_.data() + kGuard, 0, size);
  }
  T* get() { return reinterpret_cast<T*>(bytes_.data() + kGuard); }
  T* operator->() { return get(); }
  [[nodiscard]] bool untouched() const {
    for (size_t i = 0; i < bytes_.size(); ++i) {
      if (i >= kGuard && i < kGuard + size_) continue;
      if (bytes_[i] != kPattern) return false;
    }
    return true;
  }

 private:
  static constexpr size_t kGuard = 256;
  static constexpr unsigned char kPattern = 0xA5;
  size_t size_;
  std::vector<unsigned char> bytes_;
};

}  // namespace xhal::kit_test
