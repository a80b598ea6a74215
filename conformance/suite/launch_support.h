// SPDX-License-Identifier: Apache-2.0
// What the tests of launches share: launches that must be refused, and launches whose groups wait for one another.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "group_oracles.h"
#include "suite/support.h"

namespace xhal::conformance {

// A fold of eight cells that is changed in one way, and must then be refused without running.
class Refusal {
 public:
  explicit Refusal(Context& t);

  void expect(Clause clause, xhal_result_t code, const std::string& what,
              const std::function<void(Launch&)>& change);
  void expect_untouched(Clause clause);
  [[nodiscard]] const Buffer& cell() const { return cell_; }

 private:
  Context& t_;
  Stream stream_;
  Buffer cell_;
  xhal_kernel_t kernel_;
};

// For groups of a kernel of the pack. Leaves the test where the call does not succeed.
xhal_occupancy_t occupancy_of(Context& t, const std::string& kernel, uint32_t items, uint64_t local_bytes);

// xhal_meet_u64: groups that wait for one another, team by team. A team that does not come together is told to leave, so that a driver which runs
// groups one after the other fails an assertion, instead of a deadline.
class Meeting {
 public:
  struct Shape {
    oracle::Counts groups{1, 1, 1};
    oracle::Counts team{1, 1, 1};
    uint32_t items = 0;  // of a group; 0: small_group()
    uint32_t rounds = 8;
  };
  static constexpr uint32_t kNobody = 0xFFFFFFFF;

  // Teams are what the flags make of the groups: all of them, or the clusters. `fails`: the number of a group that raises a failure.
  Meeting(Context& t, Shape shape, uint32_t flags, uint32_t fails = kNobody);

  // Clears the words that count arrivals, and launches.
  void submit(xhal_stream_t stream);
  void clear_arrivals(xhal_stream_t stream);
  xhal_result_t launch(xhal_stream_t stream);
  Launch& desc() { return launch_; }
  // Waits for the stream, which must be done, and compares. False when it is not done.
  bool expect_met(Clause clause, xhal_stream_t stream, const std::string& what, uint32_t launches = 1);
  // The code of the stream's end: TIMEOUT when the groups had to be told to leave.
  xhal_result_t end_of(xhal_stream_t stream);
  // Tells all groups that wait, now or later, to leave.
  void give_up() { store(quit_.as<uint32_t>(), 1); }

 private:
  [[nodiscard]] uint32_t teams() const;

  Context& t_;
  Shape shape_;
  std::vector<uint64_t> before_;
  Buffer cells_;
  Buffer arrivals_;
  Buffer quit_;
  Launch launch_;
};

// Local memory of a group of xhal_meet_u64 with so many items.
inline uint64_t meeting_local_bytes(uint32_t items) { return uint64_t{items} * sizeof(uint64_t); }
inline uint32_t size_of(const oracle::Counts& extent) { return extent[0] * extent[1] * extent[2]; }

}  // namespace xhal::conformance
