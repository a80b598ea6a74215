// SPDX-License-Identifier: Apache-2.0
#include "suite/entries.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "suite/support.h"

namespace xhal::conformance {

namespace {

constexpr uint64_t kUntouched = 0xA5A5A5A5A5A5A5A5;
constexpr size_t kScratchBytes = 8192;

template <class T>
constexpr uint32_t struct_size_of() {
  if constexpr (requires(T pointer) { pointer->struct_size; }) {
    return sizeof(std::remove_pointer_t<T>);
  } else {
    return 0;
  }
}

template <class T>
T from_word(uint64_t word) {
  if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<T>(static_cast<uintptr_t>(word));
  } else {
    return static_cast<T>(word);
  }
}

template <class... P>
constexpr size_t parameter_count(xhal_result_t (*)(P...)) {
  return sizeof...(P);
}

template <auto Function>
struct Caller;
template <class... P, xhal_result_t (*Function)(P...)>
struct Caller<Function> {
  static xhal_result_t call(const uint64_t* words) {
    return [words]<size_t... I>(std::index_sequence<I...>) { return Function(from_word<P>(words[I])...); }
    (std::index_sequence_for<P...>());
  }
};

#define DESCRIBE_H(type, name) \
  EntryParameter { ParameterKind::kHandle, #name, XHAL_TYPE_##type, 0 }
#define DESCRIBE_V(ctype, name) \
  EntryParameter { ParameterKind::kValue, #name, 0, 0 }
#define DESCRIBE_A(ctype, name) \
  EntryParameter { ParameterKind::kAddress, #name, 0, 0 }
#define DESCRIBE_IN(ctype, name) \
  EntryParameter { ParameterKind::kIn, #name, 0, struct_size_of<ctype>() }
#define DESCRIBE_INO(ctype, name) \
  EntryParameter { ParameterKind::kInOptional, #name, 0, struct_size_of<ctype>() }
#define DESCRIBE_OUT(ctype, name) \
  EntryParameter { ParameterKind::kOut, #name, 0, struct_size_of<ctype>() }
#define DESCRIBE_OUTO(ctype, name) \
  EntryParameter { ParameterKind::kOutOptional, #name, 0, struct_size_of<ctype>() }
#define DESCRIBE_OUTH(type, name) \
  EntryParameter { ParameterKind::kOutHandle, #name, XHAL_TYPE_##type, 0 }
#define DESCRIBE_OUTHA(type, name, capacity, count) \
  EntryParameter { ParameterKind::kOutHandleArray, #name, XHAL_TYPE_##type, 0 }
#define DESCRIBE_(kind, ...) DESCRIBE_##kind(__VA_ARGS__)
#define DESCRIBE(tuple) DESCRIBE_ tuple

std::vector<EntryInfo> list_entries() {
  std::vector<EntryInfo> all;
#define XHAL_ENTRY(feature, since, name, ...)           \
  all.push_back({#name,                                 \
                 XHAL_FEATURE_##feature,                \
                 false,                                 \
                 {XHAL_PP_LIST(DESCRIBE, __VA_ARGS__)}, \
                 &Caller<&xhal_##name>::call});
#define XHAL_HOST_ENTRY(name, ...) \
  all.push_back(                   \
      {#name, XHAL_FEATURE_CORE, true, {XHAL_PP_LIST(DESCRIBE, __VA_ARGS__)}, &Caller<&xhal_##name>::call});
#include "xhal/entry_points.def"
  std::erase_if(all, [](const EntryInfo& entry) { return entry.handle_positions().empty(); });
  return all;
}

}  // namespace

std::vector<size_t> EntryInfo::handle_positions() const {
  std::vector<size_t> out;
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (parameters[i].kind == ParameterKind::kHandle) out.push_back(i);
  }
  return out;
}

bool EntryInfo::destroys() const {
  const std::string_view text = name;
  return text.ends_with("_destroy") || text == "activity_unsubscribe";
}

const std::vector<EntryInfo>& entries() {
  static const auto* all = new std::vector<EntryInfo>(list_entries());
  return *all;
}

const EntryInfo& entry(std::string_view name) {
  for (const EntryInfo& one : entries()) {
    if (name == one.name) return one;
  }
  throw std::logic_error("no entry " + std::string(name));
}

Cases entry_cases(bool (*wanted)(const EntryInfo&)) {
  Cases cases;
  for (const EntryInfo& one : entries()) {
    if (!wanted(one)) continue;
    Case next;
    next.parameters.push_back({"entry", one.name});
    cases.push_back(std::move(next));
  }
  return cases;
}

Palette::Palette(Context& t, Session& session, bool work)
    : stream_(t, session),
      event_(t, session, session.claims(XHAL_FEATURE_EVENT_TIMING) ? XHAL_EVENT_TIMING : 0),
      memory_(t, session, XHAL_MEMORY_DEVICE, 4096),
      feature_handles_(t, session, stream_, handles_) {
  const auto put = [this](uint32_t type, auto handle) {
    handles_[type] = reinterpret_cast<uintptr_t>(handle);
  };
  put(XHAL_TYPE_instance, session.instance());
  put(XHAL_TYPE_driver, session.driver());
  put(XHAL_TYPE_device, session.device());
  put(XHAL_TYPE_stream, static_cast<xhal_stream_t>(stream_));
  put(XHAL_TYPE_event, static_cast<xhal_event_t>(event_));
  if (session.claims(XHAL_FEATURE_KERNEL)) {
    if (KernelPack* pack = session.kernels(0)) {
      put(XHAL_TYPE_module, pack->module());
      put(XHAL_TYPE_kernel, pack->kernel("xhal_trap_u32"));
    }
  }
  if (work) {
    REQUIRE_OK(xhal_event_record(event_, stream_, 0));
    REQUIRE_OK(xhal_stream_synchronize(stream_, t.patience()));
  }
  memory_desc_ = memory_desc(XHAL_MEMORY_DEVICE, 64);
  module_desc_.struct_size = sizeof(module_desc_);
  launch_.struct_size = sizeof(launch_);
}

uint64_t Palette::handle(uint32_t type) const {
  const auto found = handles_.find(type);
  return found == handles_.end() ? 0 : found->second;
}

uint64_t Palette::handle_of_another_type(uint32_t type) const {
  return handle(type == XHAL_TYPE_event ? XHAL_TYPE_stream : XHAL_TYPE_event);
}

bool Palette::has_all(const EntryInfo& entry) const {
  const auto positions = entry.handle_positions();
  return std::all_of(positions.begin(), positions.end(),
                     [&](size_t i) { return handle(entry.parameters[i].handle_type) != 0; });
}

uint64_t Palette::fresh(const EntryParameter& parameter, bool out) {
  scratch_.emplace_back(kScratchBytes / sizeof(uint64_t), out ? kUntouched : 0);
  if (parameter.pointee_size != 0)
    std::memcpy(scratch_.back().data(), &parameter.pointee_size, sizeof(uint32_t));
  if (out) outs_.emplace_back(std::string(parameter.name), scratch_.size() - 1);
  return reinterpret_cast<uintptr_t>(scratch_.back().data());
}

Words Palette::arguments(const EntryInfo& entry) {
  scratch_.clear();
  outs_.clear();
  Words words;
  for (const EntryParameter& parameter : entry.parameters) {
    switch (parameter.kind) {
      case ParameterKind::kHandle:
        words.push_back(handle(parameter.handle_type));
        break;
      case ParameterKind::kValue:
        words.push_back(0);
        break;
      case ParameterKind::kAddress:
        words.push_back(reinterpret_cast<uintptr_t>(memory_.get()));
        break;
      case ParameterKind::kIn:
        if (parameter.name == "function" || parameter.name == "sink") {
          words.push_back(reinterpret_cast<uintptr_t>(&count_call));
        } else if (entry.name == std::string_view("memory_allocate")) {
          words.push_back(reinterpret_cast<uintptr_t>(&memory_desc_));
        } else if (entry.name == std::string_view("module_load")) {
          words.push_back(reinterpret_cast<uintptr_t>(&module_desc_));
        } else if (entry.name == std::string_view("kernel_launch")) {
          words.push_back(reinterpret_cast<uintptr_t>(&launch_));
        } else {
          words.push_back(fresh(parameter, false));
        }
        break;
      case ParameterKind::kInOptional:
        words.push_back(0);
        break;
      case ParameterKind::kOut:
      case ParameterKind::kOutOptional:
      case ParameterKind::kOutHandle:
      case ParameterKind::kOutHandleArray:
        words.push_back(fresh(parameter, true));
        break;
    }
  }
  return words;
}

std::string Palette::written() const {
  for (const auto& [name, index] : outs_) {
    const auto& words = scratch_[index];
    // The first word may hold a struct_size, which the caller wrote.
    if (std::any_of(words.begin() + 1, words.end(), [](uint64_t word) { return word != kUntouched; }))
      return name;
  }
  return {};
}

}  // namespace xhal::conformance
