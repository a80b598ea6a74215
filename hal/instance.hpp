// SPDX-License-Identifier: Apache-2.0
// An instance: the drivers that it opened, each with its layers, tables and devices.
#pragma once

#include <memory>
#include <vector>

#include "library.hpp"
#include "log.hpp"
#include "tables.hpp"

namespace xhal::host {

struct AttachedLayer {
  const Library* library = nullptr;
  void* state = nullptr;
  xhal_functions_t next{};  // what it calls on; valid until detach
};

// Of a driver that tells it (xhal/ext/host_function.h). Usable for the life of the process.
using HostFunctionCheck = uint32_t (*)();

// One driver of one instance. The order of its life: attach, open, enumerate; close, detach.
struct OpenDriver {
  const Library* library = nullptr;
  xhal_driver_t handle = nullptr;
  TableBlock* block = nullptr;
  std::vector<std::unique_ptr<AttachedLayer>> layers;   // the innermost first
  xhal_functions_t outermost{};                         // what the tables' slots are made from
  std::vector<xhal_device_t> devices;                   // stamped
  HostFunctionCheck is_inside_host_function = nullptr;  // null: only its close can tell
  OpenDriver* next_left_open = nullptr;
};

class Instance {
 public:
  std::vector<std::unique_ptr<OpenDriver>> drivers;
  std::vector<xhal_driver_t> driver_handles;
  std::vector<xhal_device_t> devices;  // of all drivers, driver by driver
  LogSink log;

  // Makes the two lists above from the drivers.
  void gather();
  // The first step of the end, with all tables as they are: closes the drivers that could not be asked whether the caller is one of their
  // host functions, beginning with those that are active, since only they can refuse. False: the first one did, and nothing has changed.
  [[nodiscard]] bool close_those_that_may_refuse();
  // The rest, from the last opened to the first.
  void close();
};

// What an instance handle points to. Type-stable, like the handles of drivers.
struct InstanceSlot {
  InstanceSlot() { table.table.type = XHAL_TYPE_instance; }
  xhal_handle_header_t header{};
  HostTable table{};  // all slots refuse: no entry of the table takes an instance. Its state is what counts.
  InstanceSlot* next_free = nullptr;
  bool is_ending = false;  // guarded by the registry
  Instance* instance() const { return static_cast<Instance*>(header.object); }
};

}  // namespace xhal::host
