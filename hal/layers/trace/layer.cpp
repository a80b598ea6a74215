// SPDX-License-Identifier: Apache-2.0
// The layer's entry: negotiation, attach and detach, fork and exit.
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "attachment.hpp"
#include "entries.hpp"
#include "xhal/kit/driver.hpp"

namespace xhal::trace {
namespace {

constexpr const char* kName = "trace";
constexpr uint64_t kSmallestLimit = 4096;

// No instance has this many layers.
constexpr uint32_t kNoSlot = UINT32_MAX;
uint32_t slot_of_process = kNoSlot;

// The folder may be another one when the file is opened.
std::string absolute(std::string_view path) {
  if (path.starts_with('/')) return std::string(path);
  const std::unique_ptr<char, decltype(&std::free)> folder(::getcwd(nullptr, 0), &std::free);
  return (folder != nullptr ? std::string(folder.get()) + "/" : std::string()) + std::string(path);
}

xhal_result_t read_options(const xhal_layer_attach_t& params, FileSettings& settings,
                           DeviceMode& device_mode) {
  settings.path = absolute("xhal-trace-%p.json");
  const kit::OptionRule rules[] = {
      {"file", "the file to write, %p is replaced by the process id",
       [&](std::string_view value) -> std::string {
         if (value.empty()) return "a path is missing";
         settings.path = absolute(value);
         return "";
       }},
      {"limit", "most bytes of the file, such as 64m",
       [&](std::string_view value) -> std::string {
         if (!kit::parse_bytes(value, settings.limit)) return "not a number of bytes";
         return settings.limit < kSmallestLimit ? "less than 4096 bytes hold nothing" : "";
       }},
      {"flush", "when calls are written: 'due' (at waits, errors and every 50 ms) or 'call' (after each)",
       [&](std::string_view value) -> std::string {
         if (value != "due" && value != "call") return "neither 'due' nor 'call'";
         settings.each_call = value == "call";
         return "";
       }},
      {"device", "'times' of operations on the device, also 'arrows' to them from calls, or 'off'",
       [&](std::string_view value) -> std::string {
         if (value != "times" && value != "arrows" && value != "off")
           return "neither 'times' nor 'arrows' nor 'off'";
         device_mode = value == "off"      ? DeviceMode::kOff
                       : value == "arrows" ? DeviceMode::kArrows
                                           : DeviceMode::kTimes;
         return "";
       }},
  };
  return kit::apply_layer_options(kName, {params.options, params.option_count}, rules);
}

xhal_result_t attach(const xhal_layer_attach_t* params, void** out_state) try {
  FileSettings settings;
  DeviceMode device_mode = DeviceMode::kTimes;
  if (const xhal_result_t result = read_options(*params, settings, device_mode); result < 0) return result;
  std::string problem;
  bool writable = false;
  Attachment* attachment = nullptr;
  {
    const std::lock_guard guard(layer_lock());
    if (slot_of_process == kNoSlot) slot_of_process = params->slot;
    if (slot_of_process != params->slot) {
      return kit::fail(XHAL_ERROR_INTERNAL,
                       "layer 'trace' was given slot %u and then slot %u in one process; please report it",
                       slot_of_process, params->slot);
    }
    File& file = file_of(settings);
    writable = file.open() || file.recording();
    problem = file.take_problem();
    attachment = new Attachment(*params, file, device_mode);
  }
  if (!problem.empty()) kit::services().log(params->host_context, XHAL_LOG_WARNING, kName, problem.c_str());
  *out_state = attachment;
  // Without a file the calls go straight on.
  if (writable) intercept_all(*params->functions, params->functions_capacity, params->slot);
  return XHAL_SUCCESS;
} catch (const std::bad_alloc&) {
  return XHAL_ERROR_OUT_OF_HOST_MEMORY;
}

void detach(void* state) { delete static_cast<Attachment*>(state); }

// A child of a fork writes a file of its own; see File::leave_to_parent.
[[maybe_unused]] const int kForkHandlersAdded = pthread_atfork(
    [] {
      subscriptions_lock().lock();
      layer_lock().lock();
    },
    [] {
      layer_lock().unlock();
      subscriptions_lock().unlock();
    },
    [] {
      leave_all_files_to_parent();
      forget_thread();
      layer_lock().unlock();
      subscriptions_lock().unlock();
    });

// What a program that ends without destroying its instance leaves behind is whole, too.
[[gnu::destructor]] void at_exit() {
  const std::lock_guard guard(layer_lock());
  write_through_all_files();
}

constexpr kit::LayerDescription kLayer = {kName, "1", attach, detach};

}  // namespace
}  // namespace xhal::trace

extern "C" xhal_result_t xhal_layer_negotiate(const xhal_negotiation_t* host,
                                              xhal_layer_interface_t* interface_out) {
  return xhal::kit::negotiate(host, interface_out, xhal::trace::kLayer);
}
