// SPDX-License-Identifier: Apache-2.0
// The scenarios in OpenCL's words, on PoCL or whatever other CPU platform there is: a peer of devices that are the same processors. The loader is opened
// at run time, so that nothing is linked.
#pragma once

#include <memory>

#include "bench/runner/bench.hpp"

namespace xhal::bench {

class OpenClLane {
 public:
  static constexpr const char* kName = "opencl";
  explicit OpenClLane(Bench& bench);
  ~OpenClLane();
  // Peers are wanted, and a platform with a processor as its device is there.
  static bool applies(const Bench& bench);

  void prepare_launch(Bench& bench, int arguments);
  void launch();
  void synchronize();
  void synchronize_second();
  void record();
  bool query_event();
  bool query_stream() { return query_event(); }
  void synchronize_event();
  void wait_event();

 private:
  struct Objects;
  std::unique_ptr<Objects> objects_;
};

}  // namespace xhal::bench
