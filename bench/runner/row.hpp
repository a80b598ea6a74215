// SPDX-License-Identifier: Apache-2.0
// A row of the benchmark: one scenario, as xhal does it and as its references do it, measured in turns.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/statistics/statistics.hpp"

namespace xhal::bench {

class Bench;

// The driver, the device or the machine does not have what a row needs; what() says what, in a line.
class NotHere : public std::runtime_error {
  using std::runtime_error::runtime_error;
};
// A call that may not fail has failed, or a result is wrong.
class RowFailed : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Stands for a block that does not count, as when the other side of a hand-over did not run.
inline constexpr double kUncounted = std::numeric_limits<double>::quiet_NaN();

// One side of a row. `block` does so many units of the work and gives the nanoseconds of one; what it sets up before and takes down after is in no
// figure. Within what is timed it neither allocates nor prints.
struct Side {
  std::string name;
  std::function<double(uint64_t units)> block;
  uint64_t least_units = 1;
  uint64_t most_units = 1000;
  bool is_process = false;  // of its own: it pushes our threads together on whatever processor it leaves them
};

// What a row makes of one round: the nanoseconds of its sides, in their order.
using Formula = std::function<double(std::span<const double> ns)>;
[[nodiscard]] Formula time_of(size_t side);
[[nodiscard]] Formula quotient(size_t above, size_t below);

// What is told of a row beside its value: how it stands to one reference.
struct Comparison {
  std::string reference;
  Formula ratio;
  Better better = Better::kLess;
};

struct Row {
  std::vector<Side> sides;  // the first is the subject
  Formula value;            // empty: the nanoseconds of the subject
  std::vector<Comparison> comparisons;
  std::function<void()> before_round;  // in no figure
  std::function<void()>
      verify;  // in no figure; throws RowFailed. Called before the first round and behind the last
  std::vector<std::shared_ptr<void>> keeps;  // what the sides use

  // Another way to do what the first side does; the row's own ratio when it is the first one.
  Row& beside(Side reference);
};

struct RowInfo {
  std::string id;          // "launch.submit", as in docs/benchmarks.md
  std::string parameters;  // "args=8", or ""
  std::string unit;        // of the value: "ns", "GB/s", "", ...
  std::string measures;    // a line for people
  std::string formula;     // the same as a formula, in words of the sides
  std::function<Row(Bench&)> make;

  [[nodiscard]] std::string name() const { return parameters.empty() ? id : id + "/" + parameters; }
  // What `regime=` in its parameters says; everybody is awake where it says nothing.
  [[nodiscard]] std::string regime() const;
};

// All rows, sorted by nothing but the order of their families; names are unique.
const std::vector<RowInfo>& all_rows();

// A family of rows adds itself here: one function a file of rows/.
using Rows = std::vector<RowInfo>;
void add_call_rows(Rows& rows);
void add_launch_rows(Rows& rows);
void add_event_rows(Rows& rows);
void add_stream_rows(Rows& rows);
void add_memory_rows(Rows& rows);
void add_sharing_rows(Rows& rows);
void add_module_rows(Rows& rows);
void add_copy_rows(Rows& rows);
void add_copy_overlap_rows(Rows& rows);
void add_fill_rows(Rows& rows);
void add_kernel_rows(Rows& rows);
void add_scheduling_rows(Rows& rows);
void add_graph_rows(Rows& rows);
void add_quality_rows(Rows& rows);

}  // namespace xhal::bench
