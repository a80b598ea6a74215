// SPDX-License-Identifier: Apache-2.0
#include "xhal/kit/graph.hpp"

#include <cstdio>

#include "xhal/kit/driver.hpp"
#include "xhal/kit/structs.hpp"

namespace xhal::kit {

void send_lines(const std::string& text, xhal_text_sink_fn sink, void* user) {
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin) + 1;
    if (sink(user, text.data() + begin, end - begin) != 0) break;
    begin = end;
  }
}

xhal_result_t tell_update(bool fits, const ShapeDifference& difference, xhal_graph_update_info_t* out) {
  if (out != nullptr) {
    xhal_graph_update_info_t info = {};
    info.node = static_cast<uint32_t>(difference.node);
    std::snprintf(info.text, sizeof(info.text), "%s", difference.text.c_str());
    write_struct(info, out);
  }
  if (fits) return XHAL_SUCCESS;
  return fail(XHAL_ERROR_GRAPH_UPDATE_FAILED, "%s; instantiate the graph instead", difference.text.c_str());
}

}  // namespace xhal::kit
