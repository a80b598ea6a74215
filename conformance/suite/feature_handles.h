// SPDX-License-Identifier: Apache-2.0
// One live handle of each type that only an optional feature gives out, where the device claims it: for the sweeps over all calls.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "suite/support.h"

namespace xhal::conformance {

class FeatureHandles {
 public:
  // Puts them into `handles`, by XHAL_TYPE_x. The stream is idle and stays so.
  FeatureHandles(Context& t, Session& session, xhal_stream_t stream, std::map<uint32_t, uint64_t>& handles);
  FeatureHandles(const FeatureHandles&) = delete;
  FeatureHandles& operator=(const FeatureHandles&) = delete;

 private:
  // In the reverse order, also of what a constructor that leaves early has made.
  struct Destroys {
    ~Destroys() {
      for (auto destroy = actions.rbegin(); destroy != actions.rend(); ++destroy) (*destroy)();
    }
    std::vector<std::function<void()>> actions;
  };

  void make_graph(Context& t, xhal_stream_t stream, std::map<uint32_t, uint64_t>& handles);

  Destroys destroys_;
};

}  // namespace xhal::conformance
