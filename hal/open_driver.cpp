// SPDX-License-Identifier: Apache-2.0
#include "open_driver.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <new>

#include "guarded.hpp"
#include "registry.hpp"
#include "thread_error.hpp"
#include "xhal/ext/host_function.h"

namespace xhal::host {
namespace {

// More than any machine has: a count above it is a lie, and believing it would cost the memory.
constexpr uint32_t kMostDevices = 4096;

xhal_handle_header_t* header_of(void* handle) { return static_cast<xhal_handle_header_t*>(handle); }

Problem defect(const std::string& who, const std::string& what) {
  return {XHAL_ERROR_DRIVER_FAILED, who + " " + what + "; it is defective, ask whoever made it"};
}

// Attaches one layer in front of what the driver's calls go to so far.
Problem attach_layer(AskedLayer& asked, const Library& driver_library, OpenDriver& driver) {
  const uint32_t slot = asked.library->slot;
  const std::string who = describe(discovery::Kind::kLayer, asked.library->name);
  auto layer = std::make_unique<AttachedLayer>();
  layer->library = asked.library;
  layer->next = driver.outermost;
  const auto functions = std::make_unique<Guarded<xhal_functions_t>>();
  functions->value = layer->next;
  xhal_layer_attach_t params{};
  params.struct_size = sizeof(params);
  params.slot = slot;
  params.functions_capacity = sizeof(xhal_functions_t);
  params.option_count = asked.options.size();
  params.next = &layer->next;
  params.functions = &functions->value;
  params.driver_name = driver_library.name.c_str();
  params.options = asked.options.data();
  params.host_context = &driver.block->context;
  driver.layers.reserve(driver.layers.size() + 1);

  const xhal_result_t result = asked.library->attach(&params, &layer->state);
  if (result != XHAL_SUCCESS) return problem_of_call(who, "attach", result);
  const bool intact = functions->intact();
  if (intact) {
    driver.outermost = functions->value;
    complete(driver.outermost);
    for (uint32_t type = 1; type < kTypeCount; ++type) {
      driver.block->tables[type].table.layer_state[slot] = layer->state;
    }
  }
  driver.layers.push_back(std::move(layer));
  return intact ? Problem{} : defect(who, "wrote behind the table that it was given");
}

void detach_layers(OpenDriver& driver) {
  // The outermost first: what it calls on is still there.
  while (!driver.layers.empty()) {
    const AttachedLayer& layer = *driver.layers.back();
    layer.library->detach(layer.state);
    driver.layers.pop_back();
  }
}

// A driver hands out objects with headers; what is none must not be stamped.
template <class Handle>
Problem take_handle(const std::string& who, Handle handle, uint32_t type, TableBlock& block) {
  if (handle == nullptr) return defect(who, std::string("gives a null handle as its ") + type_name(type));
  if (header_of(handle)->type != type) {
    return defect(who, std::string("gives a handle of type ") + type_name(header_of(handle)->type) +
                           " as its " + type_name(type));
  }
  stamp(header_of(handle), &block.tables[type].table);
  return {};
}

Problem list_devices(const std::string& who, OpenDriver& driver) {
  const auto get_devices = driver.outermost.driver_get_devices;
  uint32_t count = 0;
  xhal_result_t result = get_devices(driver.handle, 0, nullptr, &count);
  if (result < 0) return problem_of_call(who, "xhal_driver_get_devices", result);
  // Asked again when the number grows meanwhile.
  for (uint32_t capacity = 0; capacity < count;) {
    if (count > kMostDevices) return defect(who, "lists " + std::to_string(count) + " devices");
    capacity = count;
    driver.devices.assign(capacity, nullptr);
    result = get_devices(driver.handle, capacity, driver.devices.data(), &count);
    if (result < 0) return problem_of_call(who, "xhal_driver_get_devices", result);
  }
  driver.devices.resize(std::min<size_t>(driver.devices.size(), count));
  for (const xhal_device_t device : driver.devices) {
    if (Problem found = take_handle(who, device, XHAL_TYPE_device, *driver.block); found.any()) return found;
  }
  return {};
}

// Of the driver itself, below its layers: it is libxhal that asks. Null when it has none.
HostFunctionCheck host_function_check(const Library& library, xhal_driver_t driver) {
  const void* table = nullptr;
  const xhal_result_t result = library.functions.driver_get_extension(driver, XHAL_HOST_FUNCTION_NAME,
                                                                      XHAL_HOST_FUNCTION_VERSION, &table);
  if (result < 0) take_report(result);
  if (result != XHAL_SUCCESS || table == nullptr) return nullptr;
  const auto* told = static_cast<const xhal_host_function_t*>(table);
  constexpr size_t kSmallest = offsetof(xhal_host_function_t, is_inside) + sizeof(told->is_inside);
  return told->struct_size >= kSmallest ? told->is_inside : nullptr;
}

// Drivers that could not be closed. They stay reachable, and nobody asks for them.
constinit std::atomic<OpenDriver*> g_left_open{nullptr};

void leave_open(OpenDriver* driver) {
  driver->next_left_open = g_left_open.load(std::memory_order_relaxed);
  while (!g_left_open.compare_exchange_weak(driver->next_left_open, driver, std::memory_order_release)) {
  }
}

void give_back_block(OpenDriver& driver) {
  if (driver.block == nullptr) return;
  driver.block->context.open.store(false, std::memory_order_release);
  Registry::get().give_back(driver.block);
  driver.block = nullptr;
}

}  // namespace

Problem open_driver(const Library& library, OptionList& options, std::span<AskedLayer> layers,
                    const LogSink& log, OpenDriver& out, bool& layer_at_fault) {
  const std::string who = describe(discovery::Kind::kDriver, library.name);
  layer_at_fault = false;
  out.block = Registry::get().take_block();
  if (out.block == nullptr) throw std::bad_alloc();
  out.library = &library;
  out.outermost = library.functions;
  HostContext& context = out.block->context;
  context.activated.store(false, std::memory_order_relaxed);
  context.log = log;
  context.open.store(true, std::memory_order_release);
  for (uint32_t type = 1; type < kTypeCount; ++type) {
    xhal_table_t& table = out.block->tables[type].table;
    table.host_context = &context;
    table.driver = &library.functions;
    std::fill(std::begin(table.layer_state), std::end(table.layer_state), nullptr);
  }

  Problem found;
  for (size_t i = layers.size(); i-- > 0 && !found.any();) {
    found = attach_layer(layers[i], library, out);
    layer_at_fault = found.any();
  }
  if (!found.any()) {
    const xhal_driver_open_t params = {sizeof(params), options.size(), options.data(), &context};
    const xhal_result_t result = library.open(&params, &out.handle);
    if (result != XHAL_SUCCESS) {
      out.handle = nullptr;
      found = problem_of_call(who, "open", result);
    } else {
      // Live already for the list of devices, which goes through the layers.
      set_live(*out.block, out.outermost);
      found = take_handle(who, out.handle, XHAL_TYPE_driver, *out.block);
      if (!found.any()) found = list_devices(who, out);
      if (!found.any()) out.is_inside_host_function = host_function_check(library, out.handle);
    }
  }
  if (found.any()) set_refusing(*out.block, Refusal::kDead);
  return found;
}

xhal_result_t close_handle(OpenDriver& driver, const LogSink& log) {
  if (driver.handle == nullptr) return XHAL_SUCCESS;
  const xhal_result_t result = driver.library->close(driver.handle);
  if (result == XHAL_ERROR_CALL_FORBIDDEN) {
    take_report(result);
    return result;
  }
  if (result < 0) {
    const std::string who = describe(discovery::Kind::kDriver, driver.library->name);
    log.write(XHAL_LOG_ERROR, "xhal", problem_of_call(who, "close", result).text.c_str());
  }
  driver.handle = nullptr;
  return XHAL_SUCCESS;
}

void close_driver(std::unique_ptr<OpenDriver> driver, const LogSink& log) {
  if (close_handle(*driver, log) == XHAL_ERROR_CALL_FORBIDDEN) {
    const std::string who = describe(discovery::Kind::kDriver, driver->library->name);
    log.write(
        XHAL_LOG_ERROR, "xhal",
        (who + " refuses to be closed inside a host function when other drivers of the instance are closed " +
         "already, and stays open; destroy instances outside of host functions")
            .c_str());
    driver->block->context.open.store(false, std::memory_order_release);
    leave_open(driver.release());
    return;
  }
  detach_layers(*driver);
  give_back_block(*driver);
}

}  // namespace xhal::host
