// SPDX-License-Identifier: Apache-2.0
#include "bench/runner/row.hpp"

namespace xhal::bench {

Formula time_of(size_t side) {
  return [side](std::span<const double> ns) { return ns[side]; };
}

Formula quotient(size_t above, size_t below) {
  return [above, below](std::span<const double> ns) { return ns[above] / ns[below]; };
}

Row& Row::beside(Side reference) {
  comparisons.push_back({reference.name, quotient(0, sides.size()), Better::kLess});
  sides.push_back(std::move(reference));
  return *this;
}

std::string RowInfo::regime() const {
  constexpr std::string_view kKey = "regime=";
  const std::string_view all = parameters;
  for (size_t at = 0; at < all.size();) {
    const std::string_view one = all.substr(at, all.find(',', at) - at);
    if (one.starts_with(kKey)) return std::string(one.substr(kKey.size()));
    at += one.size() + 1;
  }
  return "warm";
}

const std::vector<RowInfo>& all_rows() {
  static const Rows rows = [] {
    Rows out;
    add_call_rows(out);
    add_launch_rows(out);
    add_event_rows(out);
    add_stream_rows(out);
    add_memory_rows(out);
    add_sharing_rows(out);
    add_module_rows(out);
    add_copy_rows(out);
    add_copy_overlap_rows(out);
    add_fill_rows(out);
    add_kernel_rows(out);
    add_scheduling_rows(out);
    add_graph_rows(out);
    add_quality_rows(out);
    return out;
  }();
  return rows;
}

}  // namespace xhal::bench
