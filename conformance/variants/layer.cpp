// SPDX-License-Identifier: Apache-2.0
// The layer's entry: the option, the tables of the chosen oddities, the numbers.
#include <algorithm>
#include <charconv>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "oddity.hpp"
#include "xhal/ext/oddness.h"
#include "xhal/kit/driver.hpp"

namespace xhal::variants {

std::atomic<uint32_t> g_slot{0};
std::array<std::atomic<uint64_t>, kCount> g_counts{};
std::array<std::atomic<uint64_t>, kFeatures> g_without_counts{};

namespace {

constexpr const char* kName = "variants";
constexpr std::string_view kNone = "none";
constexpr std::string_view kWithoutPrefix = "without_";

// ---- The tables

struct Oddity {
  std::string_view name;
  // Of the number behind the name, as in `coarse_timer:1000`: what it is without one, and what it may be. All 0: it takes none.
  uint64_t usual, lowest, highest;
  std::shared_ptr<void> (*keep)();  // null: it keeps nothing
  void (*install)(xhal_functions_t& to);
};
constexpr Oddity kOddities[] = {
#define ODDITY(name, usual, lowest, highest, keep) {#name, usual, lowest, highest, keep, install_##name},
#include "oddities.def"
#undef ODDITY
};

struct Feature {
  std::string_view name;  // with the prefix
  uint32_t number;
};
constexpr Feature kWithoutFeatures[] = {
#define XHAL_FEATURE(upper, lower, bit, ...) {"without_" #lower, bit},
#include "xhal/features.def"
#undef XHAL_FEATURE
};

// ---- The numbers

// The table of what is below, where it answers.
std::atomic<const xhal_oddness_t*> g_below{nullptr};

uint32_t read_oddness(uint32_t capacity, const char** out_names, uint64_t* out_counts) {
  uint32_t at = 0;
  const auto tell = [&](std::string_view name, const std::atomic<uint64_t>& count) {
    if (at < capacity) {
      out_names[at] = name.data();
      out_counts[at] = count.load(std::memory_order_relaxed);
    }
    ++at;
  };
  for (size_t i = 0; i < std::size(kOddities); ++i) tell(kOddities[i].name, g_counts[i]);
  for (const Feature& feature : kWithoutFeatures) tell(feature.name, g_without_counts[feature.number]);
  const xhal_oddness_t* const below = g_below.load();
  if (below == nullptr) return at;
  const uint32_t own = at;
  const uint32_t room = capacity > own ? capacity - own : 0;
  return own + below->read(room, out_names + std::min(own, capacity), out_counts + std::min(own, capacity));
}

constexpr xhal_oddness_t kOddness = {sizeof(kOddness), 0, read_oddness};

xhal_result_t get_extension(xhal_driver_t driver, const char* name, uint32_t version,
                            const void** out_table) {
  const xhal_functions_t& below = *here(driver).top;
  if (name == nullptr || out_table == nullptr || version != XHAL_ODDNESS_VERSION ||
      std::strcmp(name, XHAL_ODDNESS_NAME) != 0)
    return below.driver_get_extension(driver, name, version, out_table);
  const void* table = nullptr;
  if (below.driver_get_extension(driver, name, version, &table) == XHAL_SUCCESS)
    g_below.store(static_cast<const xhal_oddness_t*>(table));
  *out_table = &kOddness;
  return XHAL_SUCCESS;
}

// libxhal lists the devices of a new instance, so every attachment knows its driver before an oddity needs it.
xhal_result_t get_devices(xhal_driver_t driver, uint32_t capacity, xhal_device_t* out_devices,
                          uint32_t* out_count) {
  here(driver).driver.store(driver);
  return here(driver).below->driver_get_devices(driver, capacity, out_devices, out_count);
}

// ---- The option

struct Chosen {
  std::vector<size_t> oddities;  // in the order of their names
  std::array<uint64_t, kCount> parameters{};
  FeatureBits without = 0;
  bool any = false;
};

std::string unknown(std::string_view name) {
  std::string text = "'" + std::string(name) + "' is no oddity; there are none, without_FEATURE";
  for (const Oddity& one : kOddities) text += ", " + std::string(one.name);
  return text;
}

std::string read_parameter(const Oddity& oddity, std::string_view text, uint64_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error == std::errc{} && end == text.data() + text.size() && out >= oddity.lowest &&
      out <= oddity.highest)
    return "";
  if (oddity.highest == 0) return std::string(oddity.name) + " takes no number";
  return std::string(oddity.name) + " takes a number from " + std::to_string(oddity.lowest) + " to " +
         std::to_string(oddity.highest);
}

std::string choose_without(std::string_view word, Chosen& out) {
  const auto* const found = std::ranges::find(kWithoutFeatures, word, &Feature::name);
  if (found == std::end(kWithoutFeatures))
    return "'" + std::string(word) + "' names no feature of the contract";
  if (found->number == XHAL_FEATURE_CORE) return "every device claims core";
  if (out.without == 0) out.oddities.push_back(static_cast<size_t>(Id::kWithout));
  out.without = with_dependents(out.without | bit_of(found->number));
  return "";
}

std::string choose(std::string_view word, Chosen& out) {
  if (word == kNone) return "";
  if (word.starts_with(kWithoutPrefix)) return choose_without(word, out);
  const std::string_view name = word.substr(0, word.find(':'));
  const auto* const found = std::ranges::find(kOddities, name, &Oddity::name);
  if (found == std::end(kOddities)) return unknown(name);
  const auto index = static_cast<size_t>(found - kOddities);
  if (std::ranges::find(out.oddities, index) != out.oddities.end())
    return "'" + std::string(name) + "' is named twice";
  out.parameters[index] = found->usual;
  if (name.size() != word.size()) {
    if (std::string problem = read_parameter(*found, word.substr(name.size() + 1), out.parameters[index]);
        !problem.empty())
      return problem;
  }
  out.oddities.push_back(index);
  return "";
}

std::string read_names(std::string_view text, Chosen& out) {
  out = {};
  out.any = true;
  for (bool more = true; more;) {
    const size_t length = std::min(text.find('+'), text.size());
    const std::string_view word = text.substr(0, length);
    more = length < text.size();
    text.remove_prefix(length + (more ? 1 : 0));
    if (std::string problem = choose(word, out); !problem.empty()) return problem;
  }
  return "";
}

void build(const Chosen& chosen, Attachment& at) {
  at.parameters = chosen.parameters;
  at.without = chosen.without;
  const xhal_functions_t* top = at.below;
  for (const size_t index : chosen.oddities) {
    at.next[index] = top;
    at.tables[index] = *top;
    if (index == static_cast<size_t>(Id::kWithout)) {
      install_without(at.tables[index], at.without);
    } else {
      if (kOddities[index].keep != nullptr) at.own[index] = kOddities[index].keep();
      kOddities[index].install(at.tables[index]);
    }
    top = &at.tables[index];
  }
  at.top = top;
}

// ---- The entry

xhal_result_t attach(const xhal_layer_attach_t* params, void** out_state) try {
  Chosen chosen;
  const kit::OptionRule rules[] = {
      {"name", "oddities joined by '+', as in coarse_timer:1000+free_waits, or 'none'",
       [&](std::string_view value) { return read_names(value, chosen); }},
  };
  if (const xhal_result_t result =
          kit::apply_layer_options(kName, {params->options, params->option_count}, rules);
      result < 0)
    return result;
  // A layer that was asked for and does nothing would look like a driver that nothing is odd about.
  if (!chosen.any) {
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT,
                     "layer 'variants': no oddity is named; choose with XHAL_VARIANTS=name=NAME+NAME, or "
                     "XHAL_VARIANTS=name=none for none");
  }
  auto at = std::make_unique<Attachment>();
  // An older host's tables are shorter than ours.
  std::memcpy(&at->base, params->next, std::min<size_t>(sizeof(at->base), params->functions_capacity));
  g_slot.store(params->slot);
  build(chosen, *at);
  xhal_functions_t own = *at->top;
  own.driver_get_devices = get_devices;
  own.driver_get_extension = get_extension;
  kit::intercept(*params, own);
  *out_state = at.release();
  return XHAL_SUCCESS;
} catch (const std::bad_alloc&) {  // no exception may leave a layer
  return XHAL_ERROR_OUT_OF_HOST_MEMORY;
}

void detach(void* state) { delete static_cast<Attachment*>(state); }

constexpr kit::LayerDescription kLayer = {kName, "1", attach, detach};

}  // namespace
}  // namespace xhal::variants

extern "C" xhal_result_t xhal_layer_negotiate(const xhal_negotiation_t* host,
                                              xhal_layer_interface_t* interface_out) {
  return xhal::kit::negotiate(host, interface_out, xhal::variants::kLayer);
}
