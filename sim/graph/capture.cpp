// SPDX-License-Identifier: Apache-2.0
#include "graph/capture.hpp"

namespace xhal::sim {

xhal_result_t Capture::end(const void* origin, GraphNodes& out) {
  const xhal_result_t result = kit::Capture<GraphNodes>::end(origin, out);
  for (uint32_t i = 0; result == XHAL_SUCCESS && i < out.size(); ++i) {
    if (out[i].kind == GraphNode::Kind::kWait || out[i].kind == GraphNode::Kind::kRecord)
      out.events.push_back(i);
  }
  return result;
}

}  // namespace xhal::sim
