// SPDX-License-Identifier: Apache-2.0
// Every entry of entry_points.def as data, so that a rule about all calls is tested on all calls: parameters by kind, and a way to call it.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "frame/objects.h"
#include "suite/feature_handles.h"
#include "xhal/driver.h"

namespace xhal::conformance {

enum class ParameterKind {
  kHandle,
  kValue,
  kAddress,
  kIn,
  kInOptional,
  kOut,
  kOutOptional,
  kOutHandle,
  kOutHandleArray
};

struct EntryParameter {
  ParameterKind kind;
  std::string_view name;
  uint32_t handle_type;  // kHandle: XHAL_TYPE_x
  uint32_t
      pointee_size;  // kIn, kOut...: sizeof what it points to; 0 when that is not a struct with struct_size
};

using Words = std::vector<uint64_t>;  // one a parameter: values, or addresses

struct EntryInfo {
  const char* name;  // without xhal_
  uint32_t feature;  // of calls of the host itself: XHAL_FEATURE_CORE
  bool of_host;      // implemented by libxhal, not in the table
  std::vector<EntryParameter> parameters;
  xhal_result_t (*call)(const uint64_t* words);

  [[nodiscard]] std::vector<size_t> handle_positions() const;
  [[nodiscard]] bool destroys() const;  // its first handle is dead after a success
};

// Those with at least one handle; the order of the list.
const std::vector<EntryInfo>& entries();
const EntryInfo& entry(std::string_view name);
// One case for each that `wanted` takes, with the parameter "entry".
Cases entry_cases(bool (*wanted)(const EntryInfo&));

// Live handles of every type that the device can give, and plausible other arguments.
class Palette {
 public:
  explicit Palette(Context& t) : Palette(t, t.session(), true) {}
  // `work`: events are recorded and done, so that every call on them has an answer.
  Palette(Context& t, Session& session, bool work);

  // 0 where the device has no way to give one.
  [[nodiscard]] uint64_t handle(uint32_t type) const;
  // A live handle of another type than this.
  [[nodiscard]] uint64_t handle_of_another_type(uint32_t type) const;
  [[nodiscard]] bool has_all(const EntryInfo& entry) const;
  // Arguments with which the call may be made; pointers lead to zeroed scratch memory of this object.
  Words arguments(const EntryInfo& entry);
  // Whether a refused call wrote to an out-parameter of the last arguments().
  [[nodiscard]] std::string written() const;

 private:
  Stream stream_;
  Event event_;
  Buffer memory_;
  std::map<uint32_t, uint64_t> handles_;
  FeatureHandles feature_handles_;
  xhal_memory_desc_t memory_desc_{};
  xhal_module_desc_t module_desc_{};
  xhal_launch_t launch_{};
  std::vector<std::vector<uint64_t>> scratch_;
  std::vector<std::pair<std::string, size_t>> outs_;  // name, index into scratch_

  uint64_t fresh(const EntryParameter& parameter, bool out);
};

}  // namespace xhal::conformance
