// SPDX-License-Identifier: Apache-2.0
// The simulator's one exported symbol, and opening and closing.
#include <memory>

#include "device/live_instances.hpp"
#include "entries/entry.hpp"
#include "version.hpp"

namespace xhal::sim {
namespace {

xhal_result_t open(const xhal_driver_open_t* params, xhal_driver_t* out_driver) {
  if (params == nullptr || out_driver == nullptr)
    return refuse_null(params == nullptr ? "params" : "out_driver");
  return guarded([&] {
    Options options;
    const std::span given(params->options, params->options != nullptr ? params->option_count : 0);
    if (const xhal_result_t result = read_options(given, options); result < 0) return result;
    auto instance = std::make_unique<Instance>(options, params->host_context);
    instance->handle = kit::make_handle<xhal_driver_t>(instance.get());
    if (instance->handle == nullptr) throw std::bad_alloc();
    LiveInstances::of_process().add(*instance);
    *out_driver = instance.release()->handle;
    return xhal_result_t{XHAL_SUCCESS};
  });
}

xhal_result_t close(xhal_driver_t driver) {
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  return guarded([&] {
    Instance& instance = instance_of(driver);
    LiveInstances::of_process().remove(instance);
    delete &instance;
    return XHAL_SUCCESS;
  });
}

const xhal_functions_t& table() {
  static const xhal_functions_t kTable = [] {
    xhal_functions_t functions = {};
    functions.struct_size = sizeof(functions);
    functions.abi_revision = XHAL_ABI_REVISION;
    add_driver_entries(functions);
    add_device_entries(functions);
    add_stream_entries(functions);
    add_event_entries(functions);
    add_memory_entries(functions);
    add_kernel_entries(functions);
    add_graph_entries(functions);
    add_value_entries(functions);
    add_region_entries(functions);
    add_managed_entries(functions);
    add_peer_entries(functions);
    add_native_entries(functions);
    add_activity_entries(functions);
    add_telemetry_entries(functions);
    add_vmm_entries(functions);
    add_pool_entries(functions);
    add_ipc_entries(functions);
    add_external_memory_entries(functions);
    return functions;
  }();
  return kTable;
}

}  // namespace
}  // namespace xhal::sim

XHAL_EXPORT xhal_result_t xhal_driver_negotiate(const xhal_negotiation_t* host,
                                                xhal_driver_interface_t* interface_out) {
  using namespace xhal;
  // Sets up what a fork must find whole before there is anything to fork with. A fork locks in the opposite order, as the simulator does:
  // the instances' lock is held while memory is allocated, and with it addresses and descriptors are.
  sim::Window::of_process();
  sim::Descriptor::prepare_for_fork();
  sim::LiveInstances::of_process();
  return kit::negotiate(host, interface_out,
                        {sim::kDriverName, sim::kDriverVersion, sim::open, sim::close, &sim::table()});
}
