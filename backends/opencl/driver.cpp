// SPDX-License-Identifier: Apache-2.0
// The driver's one exported symbol, and opening and closing.
#include <charconv>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "entries/entry.hpp"

namespace xhal::opencl {
namespace {

xhal_result_t open(const xhal_driver_open_t* params, xhal_driver_t* out_driver) {
  if (params == nullptr || out_driver == nullptr)
    return refuse_null(params == nullptr ? "params" : "out_driver");
  return guarded([&] {
    const std::span given(params->options, params->options != nullptr ? params->option_count : 0);
    Options options;
    const kit::OptionRule rules[] = {
        {"cache", "folder for programs that were built, or off",
         [&](std::string_view value) {
           options.cache = value == "off" ? std::string_view() : value;
           return std::string(value == "off" || value.starts_with('/') ? ""
                                                                       : "it must be off or begin with /");
         }},
        {"waits", "event, or finish: a stream's waits of a second and more are clFinish's",
         [&](std::string_view value) {
           options.waits = value == "finish" ? Waits::kByFinish : Waits::kByEvent;
           return std::string(value == "event" || value == "finish" ? "" : "it must be event or finish");
         }},
        {"loader", "library to open in place of libOpenCL.so.1",
         [&](std::string_view value) {
           options.search.loader = value;
           return std::string(value.empty() ? "it must name a library" : "");
         }},
        {"timeout", "seconds that OpenCL's platforms may take to be listed", [&](std::string_view value) {
           const char* const end = value.data() + value.size();
           const auto [stop, code] = std::from_chars(value.data(), end, options.search.timeout_s);
           const bool is_right = code == std::errc{} && stop == end && options.search.timeout_s >= 1 &&
                                 options.search.timeout_s <= 600;
           return std::string(is_right ? "" : "it must be a number from 1 to 600");
         }}};
    if (const xhal_result_t result = kit::apply_options("opencl", given, rules); result < 0) return result;
    std::unique_ptr<Instance> instance;
    if (const xhal_result_t result = Instance::open(params->host_context, std::move(options), instance);
        result < 0)
      return result;
    instance->handle = kit::make_handle<xhal_driver_t>(instance.get());
    if (instance->handle == nullptr) throw std::bad_alloc();
    *out_driver = instance.release()->handle;
    return xhal_result_t{XHAL_SUCCESS};
  });
}

xhal_result_t close(xhal_driver_t driver) {
  if (kit::in_host_function())
    return kit::fail(XHAL_ERROR_CALL_FORBIDDEN, "a host function cannot destroy its own instance");
  return guarded([&] {
    const std::unique_ptr<Instance> instance(&instance_of(driver));
    kit::free_handle(instance->handle);
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
    return functions;
  }();
  return kTable;
}

}  // namespace
}  // namespace xhal::opencl

XHAL_EXPORT xhal_result_t xhal_driver_negotiate(const xhal_negotiation_t* host,
                                                xhal_driver_interface_t* interface_out) {
  using namespace xhal;
  return kit::negotiate(host, interface_out,
                        {"opencl", XHAL_OPENCL_VERSION, opencl::open, opencl::close, &opencl::table()});
}
