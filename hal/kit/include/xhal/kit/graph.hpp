// SPDX-License-Identifier: Apache-2.0
// What is the same for every driver's graphs: counts, the dump, whether an update fits.
//
// A node has `std::vector<uint32_t> after`, `const char* label() const`, `bool is_kernel() const`, and
// `const char* difference(const Node& next) const`: how another node is of another shape, as in "is another operation"; null when it is not.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "xhal/graph.h"

namespace xhal::kit {

template <class Nodes>
[[nodiscard]] xhal_graph_info_t graph_info(const Nodes& nodes) {
  xhal_graph_info_t info = {};
  for (const auto& node : nodes) {
    ++info.node_count;
    info.edge_count += static_cast<uint32_t>(node.after.size());
    info.root_count += node.after.empty() ? 1 : 0;
  }
  return info;
}

// The whole text in the DOT language.
template <class Nodes>
[[nodiscard]] std::string graph_text(const Nodes& nodes) {
  std::string text = "digraph xhal {\n";
  for (size_t i = 0; i < nodes.size(); ++i) {
    text += "  n" + std::to_string(i) + " [label=\"" + nodes[i].label() + "\"" +
            (nodes[i].is_kernel() ? ", shape=box" : "") + "];\n";
  }
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (const uint32_t before : nodes[i].after)
      text += "  n" + std::to_string(before) + " -> n" + std::to_string(i) + ";\n";
  }
  return text + "}\n";
}

// Line by line, until the sink has enough. [XHAL-GRAPH-17]
void send_lines(const std::string& text, xhal_text_sink_fn sink, void* user);

// The first node in which two graphs differ in shape, and how.
struct ShapeDifference {
  size_t node = 0;
  std::string text;
};

template <class Nodes>
[[nodiscard]] bool same_shape(const Nodes& former, const Nodes& next, ShapeDifference& out) {
  const size_t common = std::min(former.size(), next.size());
  for (size_t i = 0; i < common; ++i) {
    const char* what = former[i].difference(next[i]);
    if (what == nullptr && former[i].after != next[i].after) what = "has other dependencies";
    if (what == nullptr) continue;
    out = {i, "node " + std::to_string(i) + " " + what + ": '" + former[i].label() + "' before, '" +
                  next[i].label() + "' now"};
    return false;
  }
  if (former.size() == next.size()) return true;
  out = {common, "the executable has " + std::to_string(former.size()) + " nodes, the graph " +
                     std::to_string(next.size())};
  return false;
}

// Ends an update: writes `out` where it is given, and refuses unless the graph fits. [XHAL-GRAPH-13]
xhal_result_t tell_update(bool fits, const ShapeDifference& difference, xhal_graph_update_info_t* out);

}  // namespace xhal::kit
