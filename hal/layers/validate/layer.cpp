// SPDX-License-Identifier: Apache-2.0
// The layer's entry: negotiation, options, attach and detach, fork and exit.
#include <pthread.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <new>

#include "../common/files.hpp"
#include "checks.hpp"
#include "entries.hpp"
#include "xhal/kit/driver.hpp"

namespace xhal::validate {
namespace {

constexpr const char* kName = "validate";

// No instance has this many layers.
constexpr uint32_t kNoSlot = UINT32_MAX;
uint32_t slot_of_process = kNoSlot;

template <class T>
std::string take_number(std::string_view value, T& out, uint64_t most) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc{} || end != value.data() + value.size()) return "not a number";
  if (number > most) return "more than " + std::to_string(most);
  out = static_cast<T>(number);
  return "";
}

// Names of groups and kinds joined by '+'.
std::string choose(std::string_view list, bool wanted, std::array<bool, kKindCount>& out) {
  while (true) {
    const size_t plus = list.find('+');
    const std::string_view name = list.substr(0, plus);
    bool found = false;
    for (size_t i = 0; i < kKindCount; ++i) {
      if (name != kKinds[i].code && name != kKinds[i].group) continue;
      out[i] = wanted;
      found = true;
    }
    if (!found)
      return "'" + std::string(name) +
             "' is no kind of finding, and none of the groups lifetime, memory, device, arguments, order, "
             "leak, refused, driver";
    if (plus == std::string_view::npos) return "";
    list.remove_prefix(plus + 1);
  }
}

xhal_result_t read_options(const xhal_layer_attach_t& params, Settings& settings) {
  std::string ignored;
  const kit::OptionRule rules[] = {
      {"findings", "'log' tells errors, 'error' refuses such calls too, 'abort' ends the process there",
       [&](std::string_view value) -> std::string {
         if (value != "log" && value != "error" && value != "abort")
           return "neither 'log' nor 'error' nor 'abort'";
         settings.action = value == "log" ? Action::kLog : value == "error" ? Action::kError : Action::kAbort;
         return "";
       }},
      {"check", "only these groups and kinds, joined by '+'",
       [&](std::string_view value) {
         settings.wanted.fill(false);
         return choose(value, true, settings.wanted);
       }},
      {"ignore", "all but these groups and kinds, joined by '+'",
       [&](std::string_view value) {
         ignored = value;
         std::array<bool, kKindCount> unused{};
         return choose(value, false, unused);
       }},
      {"file", "a file to which each finding is added as a line of JSON, %p is replaced by the process id",
       [&](std::string_view value) -> std::string {
         settings.file = layers::absolute_path(value);
         return value.empty() ? "a path is missing" : "";
       }},
      {"backtrace", "callers that are noted of each place, 0 for none",
       [&](std::string_view value) { return take_number(value, settings.backtrace, kMostFrames); }},
      {"limit", "findings of one kind that are told, the others are counted",
       [&](std::string_view value) { return take_number(value, settings.limit, UINT64_MAX); }},
      {"exit_code", "with which the process ends after a finding that is an error, 0 leaves its own",
       [&](std::string_view value) { return take_number(value, settings.exit_code, 255); }},
  };
  const xhal_result_t result = kit::apply_layer_options(kName, {params.options, params.option_count}, rules);
  // Whatever the order of the options, what is ignored is ignored.
  if (result >= 0 && !ignored.empty()) choose(ignored, false, settings.wanted);
  return result;
}

xhal_result_t attach(const xhal_layer_attach_t* params, void** out_state) try {
  Settings settings;
  if (const xhal_result_t result = read_options(*params, settings); result < 0) return result;
  {
    const std::lock_guard guard(layer_lock());
    if (slot_of_process == kNoSlot) slot_of_process = params->slot;
    if (slot_of_process != params->slot) {
      return kit::fail(XHAL_ERROR_INTERNAL,
                       "layer 'validate' was given slot %u and then slot %u in one process; please report it",
                       slot_of_process, params->slot);
    }
  }
  *out_state = new Attachment(*params, settings);
  intercept_all(*params->functions, params->functions_capacity, params->slot);
  return XHAL_SUCCESS;
} catch (const std::bad_alloc&) {
  return XHAL_ERROR_OUT_OF_HOST_MEMORY;
}

void detach(void* state) {
  auto* attachment = static_cast<Attachment*>(state);
  try {
    report_leaks(*attachment);
    attachment->reporter.sum_up();
  } catch (const std::bad_alloc&) {
    kit::services().log(nullptr, XHAL_LOG_WARNING, kName, "leaks are not told: out of host memory");
  }
  delete attachment;
}

// A child of a fork must not find the lock taken by a thread that it does not have.
[[maybe_unused]] const int kForkHandlersAdded =
    pthread_atfork([] { layer_lock().lock(); }, [] { layer_lock().unlock(); }, [] { layer_lock().unlock(); });

// The last moment at which a process that ends by exit() or by returning from main can be given another code. What it wrote is kept.
[[gnu::destructor]] void at_exit() {
  const uint32_t code = exit_code_of_findings();
  if (code == 0) return;
  std::fflush(nullptr);
  ::_exit(static_cast<int>(code));
}

constexpr kit::LayerDescription kLayer = {kName, "1", attach, detach};

}  // namespace
}  // namespace xhal::validate

extern "C" xhal_result_t xhal_layer_negotiate(const xhal_negotiation_t* host,
                                              xhal_layer_interface_t* interface_out) {
  return xhal::kit::negotiate(host, interface_out, xhal::validate::kLayer);
}
