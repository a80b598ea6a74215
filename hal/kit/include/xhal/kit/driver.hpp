// SPDX-License-Identifier: Apache-2.0
// The driver's half of negotiation, errors and options.
#pragma once

#include <cstdarg>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "xhal/driver.h"

namespace xhal::kit {

struct DriverDescription {
  const char* name;
  const char* version;
  xhal_result_t (*open)(const xhal_driver_open_t*, xhal_driver_t*);
  xhal_result_t (*close)(xhal_driver_t);
  // struct_size = sizeof(xhal_functions_t) of the driver's headers; null slots refuse.
  const xhal_functions_t* functions;
};

// The body of xhal_driver_negotiate. Refuses another 0.minor by name, keeps to the host's sizes, remembers the services. The extension
// "xhal.host_function" is answered by the kit; every other name goes to the driver's own driver_get_extension.
[[nodiscard]] xhal_result_t negotiate(const xhal_negotiation_t* host, xhal_driver_interface_t* out,
                                      const DriverDescription& driver);

// The same for a layer.
struct LayerDescription {
  const char* name;
  const char* version;
  xhal_result_t (*attach)(const xhal_layer_attach_t*, void**);
  void (*detach)(void*);
};
[[nodiscard]] xhal_result_t negotiate(const xhal_negotiation_t* host, xhal_layer_interface_t* out,
                                      const LayerDescription& layer);
// For a layer's attach: the calls of `own` that are not null stand before those below, as far as the host's table goes; an older host's is
// shorter.
void intercept(const xhal_layer_attach_t& params, const xhal_functions_t& own);

// libxhal's services; valid after negotiation.
[[nodiscard]] const xhal_host_services_t& services();
// As told by libxhal at negotiation; "" when not known.
[[nodiscard]] const char* library_path();
[[nodiscard]] const char* manifest_path();

// Reports a text for the error that the current call returns, and gives back `code`: `return fail(XHAL_ERROR_..., "...", ...)`.
[[gnu::format(printf, 2, 3)]] xhal_result_t fail(xhal_result_t code, const char* format, ...);
[[gnu::format(printf, 3, 4)]] xhal_result_t fail_native(xhal_result_t code, int64_t native_code,
                                                        const char* format, ...);

// Whether the calling thread is inside a host function of this driver: what does more than ask returns CALL_FORBIDDEN then, whatever its
// other arguments. [XHAL-HOSTFN-5]
[[nodiscard]] bool in_host_function();
// Runs fn(user, status) with in_host_function() true.
void run_host_function(xhal_host_fn fn, void* user, xhal_result_t status);

// One option a driver knows: key, what it means, and how it is taken over. `apply` returns a reason when the value is not legal, "" when
// it is.
struct OptionRule {
  const char* key;
  const char* help;
  std::function<std::string(std::string_view value)> apply;
};
// Applies options in order; an unknown key is refused naming the known ones. [XHAL-INSTANCE-9]
[[nodiscard]] xhal_result_t apply_options(const char* driver, std::span<const xhal_key_value_t> options,
                                          std::span<const OptionRule> rules);
// The same for a layer, which is called one in what is refused.
[[nodiscard]] xhal_result_t apply_layer_options(const char* layer, std::span<const xhal_key_value_t> options,
                                                std::span<const OptionRule> rules);
// "1g", "64m", "4096": bytes; false when it is no such number.
[[nodiscard]] bool parse_bytes(std::string_view text, uint64_t& out_bytes);

// Runs `work` in a helper process and returns the bytes it appended to its argument: for vendor libraries that start threads or open
// contexts when they merely count devices (XHAL_INSTANCE-2, XHAL-ABI-24). The helper is forked, so `work` may open libraries; it is killed
// after `timeout_ns`. TIMEOUT, DRIVER_FAILED (it crashed; text says how) or work's own code. The helper inherits what the process has
// loaded: once such a library has been used in the process itself, ask it there, and tell activated().
[[nodiscard]] xhal_result_t run_in_helper(
    const std::function<xhal_result_t(std::vector<unsigned char>&)>& work, uint64_t timeout_ns,
    std::vector<unsigned char>& out_bytes);

}  // namespace xhal::kit
