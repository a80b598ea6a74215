// SPDX-License-Identifier: Apache-2.0
// The scenarios in the words of Unified Runtime, over the same OpenCL device in the same process: a runtime of the kind that xhal is. Its library is
// opened at run time, out of the folder of peers; built only where its headers are.
#pragma once

#include <memory>

#include "bench/runner/bench.hpp"

namespace xhal::bench {

class UnifiedRuntimeLane {
 public:
  static constexpr const char* kName = "unified_runtime";
  explicit UnifiedRuntimeLane(Bench& bench);
  ~UnifiedRuntimeLane();
  static bool applies(const Bench& bench);
  // Its pointers are unified memory; without, kernels are given buffers.
  static bool has_pointers(const Bench& bench);

  // A launch takes all its arguments, changed or not: there is no other.
  void prepare_launch(Bench& bench, int arguments);
  void launch();
  void launch_changed();
  void synchronize();
  void synchronize_second();
  void record();
  bool query_event();
  void synchronize_event();
  void wait_event();
  void wait_for_event_of(UnifiedRuntimeLane& other);
  void prepare_timing(Bench& bench);
  void copy(void* to, const void* from, uint64_t size);
  void fill(void* to, uint64_t pattern, uint32_t width, uint64_t size);
  void* allocate(uint32_t kind, uint64_t size);
  void release(void* pointer);

 private:
  struct Objects;
  std::unique_ptr<Objects> objects_;
};

}  // namespace xhal::bench
