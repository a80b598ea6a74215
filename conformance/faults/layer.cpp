// SPDX-License-Identifier: Apache-2.0
// The layer's entry: the option, the table of the chosen fault.
#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "fault.hpp"
#include "generated.hpp"
#include "near_names.hpp"
#include "xhal/kit/driver.hpp"

namespace xhal::faults {

std::atomic<uint32_t> g_slot{0};

namespace {

constexpr const char* kName = "faults";
constexpr std::string_view kNone = "none";

// Chosen by "none": the layer stands there and every call goes straight on.
const Lie kNoLie = {"none", [](xhal_functions_t&) {}};

const std::span<const Lie>* const kParts[] = {
    &kCopiesLies,    &kCoreLies,   &kFailuresLies,    &kGraphLies,    &kInstancesLies,
    &kLaunchLies,    &kMemoryLies, &kObservationLies, &kPromisesLies, &kSharingLies,
    &kUnclaimedLies, &kValuesLies, &kWorkLies};

const Lie* find_lie(std::string_view name) {
  if (name == kNone) return &kNoLie;
  for (const auto* part : kParts) {
    const auto found =
        std::find_if(part->begin(), part->end(), [&](const Lie& one) { return one.name == name; });
    if (found != part->end()) return &*found;
  }
  return nullptr;
}

std::string unknown_fault(std::string_view name) {
  std::vector<std::string_view> names = {kNone};
  for (const auto* part : kParts) {
    for (const Lie& one : *part) names.emplace_back(one.name);
  }
  std::vector<std::string> generated;
  for (const GeneratedFault& one : generated_faults()) generated.push_back(one.name());
  if (name.find(':') != std::string_view::npos) names.assign(generated.begin(), generated.end());
  std::string text = "no fault has this name";
  const std::vector<std::string_view> near = near_names(name, names);
  for (size_t i = 0; i < near.size(); ++i) text += (i == 0 ? "; near it are " : ", ") + std::string(near[i]);
  return text + (name.find(':') == std::string_view::npos
                     ? "; xhal-conform faults --list shows all"
                     : "; xhal-conform faults --generated --list shows all");
}

bool names_one(const Attachment& attachment) {
  return attachment.lie != nullptr || attachment.generated != nullptr;
}

xhal_result_t read_options(const xhal_layer_attach_t& params, Attachment& attachment) {
  const kit::OptionRule rules[] = {
      {"name", "the fault, as xhal-conform faults --list shows it, or 'none'",
       [&](std::string_view value) {
         attachment.lie = find_lie(value);
         attachment.generated.reset();
         if (const auto found = find_generated(value)) {
           attachment.generated = std::make_shared<GeneratedState>();
           attachment.generated->fault = *found;
         }
         return names_one(attachment) ? "" : unknown_fault(value);
       }},
      {"calls", "a file of one number for each entry, into which every call is counted: faults/census.hpp",
       [&](std::string_view value) -> std::string {
         attachment.counts = begin_census(std::string(value).c_str());
         return attachment.counts ? "" : "cannot be read and written, or has another size";
       }},
  };
  if (const xhal_result_t result =
          kit::apply_layer_options(kName, {params.options, params.option_count}, rules);
      result < 0)
    return result;
  if (names_one(attachment)) return XHAL_SUCCESS;
  // A layer that was asked for and does nothing would look like a fault that nobody notices.
  return kit::fail(XHAL_ERROR_INVALID_ARGUMENT,
                   "layer 'faults': no fault is named; choose one with XHAL_FAULTS=name=FAULT, or "
                   "XHAL_FAULTS=name=none for none");
}

// libxhal lists the devices of a new instance, so every attachment knows its driver before a fault needs it.
xhal_result_t get_devices(xhal_driver_t driver, uint32_t capacity, xhal_device_t* out_devices,
                          uint32_t* out_count) {
  here(driver).driver.store(driver);
  return next::driver_get_devices(driver, capacity, out_devices, out_count);
}

xhal_result_t attach(const xhal_layer_attach_t* params, void** out_state) try {
  auto attachment = std::make_unique<Attachment>();
  attachment->next = params->next;
  if (const xhal_result_t result = read_options(*params, *attachment); result < 0) return result;
  g_slot.store(params->slot);
  xhal_functions_t own{};
  own.driver_get_devices = get_devices;
  if (attachment->lie != nullptr) attachment->lie->install(own);
  if (attachment->generated != nullptr) install_generated(own, attachment->generated->fault);
  if (attachment->counts) install_counters(own, attachment->counted, *params->next);
  kit::intercept(*params, own);
  *out_state = attachment.release();
  return XHAL_SUCCESS;
} catch (const std::bad_alloc&) {  // no exception may leave a layer
  return XHAL_ERROR_OUT_OF_HOST_MEMORY;
}

void detach(void* state) { delete static_cast<Attachment*>(state); }

constexpr kit::LayerDescription kLayer = {kName, "1", attach, detach};

}  // namespace
}  // namespace xhal::faults

extern "C" xhal_result_t xhal_layer_negotiate(const xhal_negotiation_t* host,
                                              xhal_layer_interface_t* interface_out) {
  return xhal::kit::negotiate(host, interface_out, xhal::faults::kLayer);
}
