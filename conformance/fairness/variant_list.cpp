// SPDX-License-Identifier: Apache-2.0
#include "fairness/variant_list.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "xhal/base.h"

namespace xhal::conformance {

namespace {

// By the name that a row has, so that a row with an unknown one does not compile.
#define XHAL_FEATURE(upper, lower, ...) constexpr uint32_t kFeature_##lower = XHAL_FEATURE_##upper;
#include "xhal/features.def"
#undef XHAL_FEATURE

struct NamedFeature {
  const char* name;
  uint32_t number;
  uint32_t needs;
  const char* text;
};
constexpr NamedFeature kFeatures[] = {
#define XHAL_FEATURE(upper, lower, bit, since, needs, maturity, text) \
  {#lower, bit, XHAL_FEATURE_##needs, text},
#include "xhal/features.def"
#undef XHAL_FEATURE
};

// The feature and those that need it, or what needs them.
std::vector<uint32_t> with_dependents(uint32_t feature) {
  std::vector<uint32_t> out = {feature};
  for (size_t i = 0; i < out.size(); ++i) {
    for (const NamedFeature& one : kFeatures) {
      if (one.needs == out[i] && one.number != out[i]) out.push_back(one.number);
    }
  }
  return out;
}

Variant without(const NamedFeature& feature) {
  const std::string name = fmt::format("without_{}", feature.name);
  return {name,
          name,
          "",
          feature.number,
          with_dependents(feature.number),
          {name},
          fmt::format("the device does not claim {}: {}", feature.name, feature.text),
          {"XHAL-ABI-12", "XHAL-DEVICE-4"},
          "every feature but core is optional; its calls are refused"};
}

std::vector<Variant> make_variants() {
#define XHAL_CLAUSES(...) {__VA_ARGS__}
  std::vector<Variant> out = {
#define VARIANT(name, layer, simulator, needs, counts, what, clauses, why) \
  {#name, layer, simulator, kFeature_##needs, {}, {counts}, what, XHAL_CLAUSES clauses, why},
#include "fairness/variants.def"
#undef VARIANT
  };
  for (Variant& variant : out) {
    if (variant.name == "one_worker") variant.takes = {XHAL_FEATURE_CROSS_STREAM_PROGRESS};
  }
  for (const NamedFeature& feature : kFeatures) {
    if (feature.number != XHAL_FEATURE_CORE) out.push_back(without(feature));
  }
  return out;
}

// Options of the simulator in one line, by key; several words of `odd` stand side by side.
using SimulatorOptions = std::map<std::string, std::string>;
SimulatorOptions parsed(std::string_view text) {
  SimulatorOptions out;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(item.size() + 1, text.size()));
    const size_t sign = item.find('=');
    std::string& value = out[std::string(item.substr(0, sign))];
    value += (value.empty() ? "" : "+") + std::string(item.substr(sign + 1));
  }
  return out;
}

struct Contradiction {
  std::string_view one;
  std::vector<std::string_view> others;
  std::string_view why;
};
const std::vector<Contradiction>& contradictions() {
  static const std::vector<Contradiction> kAll = {
      {"synchronous",
       {"bounded_queue", "pageable_copies_block", "copies_block", "free_waits", "not_ready",
        "serial_callbacks"},
       "behind a synchronous device's calls nothing is under way, so nothing waits and nothing is in doubt"},
      {"copies_block", {"pageable_copies_block"}, "the one contains the other"},
      {"fatal_faults",
       {"late_errors", "device_wide_faults", "lasting_faults"},
       "nobody is left whom a failure could be told again"},
      {"lasting_faults", {"device_wide_faults"}, "the one contains the other"},
      {"fused_floats", {"split_floats"}, "the one is the contrary of the other"},
  };
  return kAll;
}

bool takes(const Variant& variant, uint32_t feature) {
  return std::ranges::find(variant.takes, feature) != variant.takes.end();
}

template <class Get>
std::string joined(const std::vector<const Variant*>& variants, const char* between, Get get) {
  std::string out;
  for (const Variant* variant : variants) {
    const std::string& part = get(*variant);
    if (!part.empty()) out += (out.empty() ? "" : between) + part;
  }
  return out;
}

}  // namespace

const std::vector<Variant>& all_variants() {
  static const std::vector<Variant> kAll = make_variants();
  return kAll;
}

std::string Mix::name() const {
  return joined(variants, "+", [](const Variant& one) -> const std::string& { return one.name; });
}

std::string Mix::layer() const {
  return joined(variants, "+", [](const Variant& one) -> const std::string& { return one.layer; });
}

std::string Mix::simulator() const {
  std::string out;
  for (const auto& [key, value] :
       parsed(joined(variants, ",", [](const Variant& one) -> const std::string& { return one.simulator; })))
    out += fmt::format("{}{}={}", out.empty() ? "" : ",", key, value);
  return out;
}

std::vector<std::string> Mix::counts() const {
  std::vector<std::string> out;
  for (const Variant* variant : variants)
    out.insert(out.end(), variant->counts.begin(), variant->counts.end());
  return out;
}

std::string why_apart(const Variant& one, const Variant& other) {
  for (const auto& [a, b] : {std::pair{&one, &other}, std::pair{&other, &one}}) {
    for (const Contradiction& contradiction : contradictions()) {
      if (contradiction.one == a->name &&
          std::ranges::find(contradiction.others, b->name) != contradiction.others.end())
        return std::string(contradiction.why);
    }
    if (takes(*a, b->needs)) return fmt::format("{} takes away what {} needs", a->name, b->name);
  }
  const SimulatorOptions of_one = parsed(one.simulator);
  for (const auto& [key, value] : parsed(other.simulator)) {
    if (key != "odd" && of_one.contains(key)) return fmt::format("both set the simulator's option {}", key);
  }
  return "";
}

std::vector<Pair> pairs_of(const std::vector<const Variant*>& variants) {
  std::vector<Pair> out;
  for (size_t i = 0; i < variants.size(); ++i) {
    for (size_t k = i + 1; k < variants.size(); ++k)
      out.push_back({{{variants[i], variants[k]}}, why_apart(*variants[i], *variants[k])});
  }
  return out;
}

std::vector<Mix> covering_mixes(const std::vector<const Variant*>& variants, size_t together) {
  using Two = std::pair<const Variant*, const Variant*>;  // in the order of the table
  std::set<Two> compatible, open;
  std::vector<Two> order;
  for (const Pair& pair : pairs_of(variants)) {
    if (!pair.why_not.empty()) continue;
    order.emplace_back(pair.mix.variants[0], pair.mix.variants[1]);
    compatible.insert(order.back());
  }
  open = compatible;
  const auto two = [&](const Variant* one, const Variant* other) {
    return compatible.contains({one, other}) ? Two{one, other} : Two{other, one};
  };
  std::vector<Mix> out;
  for (const Two& first : order) {
    if (!open.contains(first)) continue;
    std::vector<const Variant*> mix = {first.first, first.second};
    // Each time whoever brings most that no mix has held yet.
    while (mix.size() < together) {
      const Variant* best = nullptr;
      ptrdiff_t most = 0;
      for (const Variant* one : variants) {
        const bool fits = std::ranges::all_of(
            mix, [&](const Variant* other) { return one != other && compatible.contains(two(one, other)); });
        if (!fits) continue;
        const ptrdiff_t brings =
            std::ranges::count_if(mix, [&](const Variant* other) { return open.contains(two(one, other)); });
        if (brings > most) {
          best = one;
          most = brings;
        }
      }
      if (best == nullptr) break;
      mix.push_back(best);
    }
    for (size_t i = 0; i < mix.size(); ++i) {
      for (size_t k = i + 1; k < mix.size(); ++k) open.erase(two(mix[i], mix[k]));
    }
    std::ranges::sort(mix, {}, [&](const Variant* one) { return std::ranges::find(variants, one); });
    out.push_back({mix});
  }
  return out;
}

}  // namespace xhal::conformance
