// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "graph/graph.hpp"
#include "xhal/kit/capture.hpp"

namespace xhal::sim {

class Capture final : public kit::Capture<GraphNodes> {
 public:
  using kit::Capture<GraphNodes>::Capture;

  xhal_result_t end(const void* origin, GraphNodes& out);
};

struct CaptureMark {
  std::shared_ptr<Capture> capture;
  kit::CaptureFront front;
};

}  // namespace xhal::sim
