// SPDX-License-Identifier: Apache-2.0
// A layer that counts calls: as a whole it shows all that a layer needs.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>

#include "xhal/driver.h"
#include "xhal/kit/driver.hpp"

namespace {

namespace kit = xhal::kit;

enum Entry : size_t {
#define XHAL_ENTRY(feature, since, name, ...) kEntry_##name,
#include "xhal/entry_points.def"
  kEntryCount
};
constexpr const char* kNames[] = {
#define XHAL_ENTRY(feature, since, name, ...) "xhal_" #name,
#include "xhal/entry_points.def"
};

// One for each driver of each instance that asks for the layer.
struct Counting {
  const xhal_functions_t* next;  // what the calls go on to: complete, no slot is null
  void* host_context;
  bool only_errors = false;
  std::atomic<uint64_t> counts[kEntryCount] = {};
};

// Where handles keep this layer's Counting: the same slot at every attach in the process.
std::atomic<uint32_t> g_slot{0};

// A function for every call of the contract, those that are added later included. Any thread may be in it.
#define XHAL_ENTRY(feature, since, name, ...)                                                    \
  xhal_result_t count_##name(XHAL_PARAMS(__VA_ARGS__)) {                                         \
    auto* self = static_cast<Counting*>(XHAL_LAYER_STATE(XHAL_FIRST_NAME(__VA_ARGS__), g_slot)); \
    const xhal_result_t result = self->next->name(XHAL_ARGUMENTS(__VA_ARGS__));                  \
    if (result < 0 || !self->only_errors)                                                        \
      self->counts[kEntry_##name].fetch_add(1, std::memory_order_relaxed);                       \
    return result;                                                                               \
  }
#include "xhal/entry_points.def"

// Options come from the instance and from XHAL_COUNTING=errors=yes; an unknown key is refused by the kit.
xhal_result_t read_options(const xhal_layer_attach_t& params, Counting& counting) {
  const kit::OptionRule rules[] = {
      {"errors", "'yes' counts calls that return an error, 'no' all of them",
       [&](std::string_view value) -> std::string {
         if (value != "yes" && value != "no") return "neither 'yes' nor 'no'";
         counting.only_errors = value == "yes";
         return "";
       }},
  };
  return kit::apply_options("counting", {params.options, params.option_count}, rules);
}

xhal_result_t attach(const xhal_layer_attach_t* params, void** out_state) try {
  auto counting = std::make_unique<Counting>();
  counting->next = params->next;
  counting->host_context = params->host_context;
  if (const xhal_result_t result = read_options(*params, *counting); result < 0) return result;
  g_slot = params->slot;
  // `functions` starts as a copy of `next`: what is left alone goes straight on. An older host's table is shorter.
#define XHAL_ENTRY(feature, since, name, ...)                                                           \
  if (offsetof(xhal_functions_t, name) + sizeof(params->functions->name) <= params->functions_capacity) \
    params->functions->name = count_##name;
#include "xhal/entry_points.def"
  *out_state = counting.release();
  return XHAL_SUCCESS;
} catch (const std::bad_alloc&) {  // no exception may leave a layer
  return XHAL_ERROR_OUT_OF_HOST_MEMORY;
}

// After the driver was closed: nobody calls any more.
void detach(void* state) {
  const std::unique_ptr<Counting> counting(static_cast<Counting*>(state));
  for (size_t i = 0; i < kEntryCount; ++i) {
    const uint64_t count = counting->counts[i];
    if (count == 0) continue;
    const std::string line = std::to_string(count) + " calls of " + kNames[i];
    kit::services().log(counting->host_context, XHAL_LOG_INFO, "counting", line.c_str());
  }
}

}  // namespace

// The one symbol that a layer exports.
extern "C" xhal_result_t xhal_layer_negotiate(const xhal_negotiation_t* host,
                                              xhal_layer_interface_t* interface_out) {
  return kit::negotiate(host, interface_out, {"counting", "1", attach, detach});
}
