// SPDX-License-Identifier: Apache-2.0
#include "suite/launch_support.h"

#include <algorithm>

namespace xhal::conformance {

Refusal::Refusal(Context& t)
    : t_(t), stream_(t), cell_(device_memory(t, 64)), kernel_(t.kernel("xhal_fold_u64")) {
  t.write(cell_, std::vector<uint64_t>{1, 2, 3, 4, 5, 6, 7, 8});
}

void Refusal::expect(Clause clause, xhal_result_t code, const std::string& what,
                     const std::function<void(Launch&)>& change) {
  Context& t = t_;
  Launch launch(kernel_);
  launch.updates(cell_, 64).value(uint64_t{9}).value(uint64_t{8});
  change(launch);
  note_call("xhal_kernel_launch(stream, kernel, &launch)  // " + what);
  expect_result(t, clause, launch.on(stream_), code, "xhal_kernel_launch(stream, kernel, &launch)", XHAL_HERE,
                what);
}

void Refusal::expect_untouched(Clause clause) {
  Context& t = t_;
  REQUIRE_OK(xhal_stream_synchronize(stream_, t.patience()));
  expect_data(t, clause, std::vector<uint64_t>{1, 2, 3, 4, 5, 6, 7, 8}, t.read<uint64_t>(cell_, 8),
              "the cells", XHAL_HERE, "a refused launch ran");
}

xhal_occupancy_t occupancy_of(Context& t, const std::string& kernel, uint32_t items, uint64_t local_bytes) {
  xhal_occupancy_t occupancy{};
  occupancy.struct_size = sizeof(occupancy);
  REQUIRE_OK(xhal_kernel_get_occupancy(t.kernel(kernel), items, local_bytes, &occupancy));
  return occupancy;
}

namespace {

Meeting::Shape completed(Context& t, Meeting::Shape shape, uint32_t flags) {
  if (shape.items == 0) shape.items = small_group(t);
  if ((flags & XHAL_LAUNCH_CLUSTER) == 0 && (flags & XHAL_LAUNCH_COOPERATIVE) != 0) shape.team = shape.groups;
  return shape;
}

}  // namespace

Meeting::Meeting(Context& t, Shape shape, uint32_t flags, uint32_t fails)
    : t_(t),
      shape_(completed(t, shape, flags)),
      before_(t.random_u64(size_t{2} * size_of(shape_.groups) * shape_.items)),
      cells_(device_memory(t, before_.size() * sizeof(uint64_t))),
      arrivals_(device_memory(t, teams() * sizeof(uint32_t))),
      quit_(pinned_memory(t, sizeof(uint32_t))),
      launch_(t.kernel("xhal_meet_u64")) {
  t.write(cells_, before_);
  store(quit_.as<uint32_t>(), 0);
  launch_.groups(shape_.groups[0], shape_.groups[1], shape_.groups[2])
      .items(shape_.items)
      .updates(cells_)
      .updates(arrivals_)
      .reads(quit_);
  for (const uint32_t size : shape_.team) launch_.value(size);
  launch_.value(shape_.rounds).value(fails).local(meeting_local_bytes(shape_.items));
  launch_.raw().flags = flags;
  if ((flags & XHAL_LAUNCH_CLUSTER) != 0) std::ranges::copy(shape_.team, launch_.raw().cluster_size);
}

uint32_t Meeting::teams() const { return size_of(shape_.groups) / size_of(shape_.team); }

void Meeting::clear_arrivals(xhal_stream_t stream) {
  Context& t = t_;
  REQUIRE_OK(xhal_memory_fill(stream, arrivals_, 0, sizeof(uint32_t), teams() * sizeof(uint32_t)));
}

void Meeting::submit(xhal_stream_t stream) {
  Context& t = t_;
  clear_arrivals(stream);
  REQUIRE_OK(launch(stream));
}

xhal_result_t Meeting::launch(xhal_stream_t stream) { return TRACED(launch_.on(stream)); }

xhal_result_t Meeting::end_of(xhal_stream_t stream) {
  // Each barrier is a turn of every group: on a busy machine nothing else here takes so long.
  const xhal_result_t result = TRACED(xhal_stream_synchronize(stream, t_.patience()));
  if (result == XHAL_TIMEOUT) {
    give_up();
    TRACED(xhal_stream_synchronize(stream, t_.patience() / 2));
  }
  return result;
}

bool Meeting::expect_met(Clause clause, xhal_stream_t stream, const std::string& what, uint32_t launches) {
  Context& t = t_;
  if (!expect_result(t, clause, end_of(stream), XHAL_SUCCESS, "xhal_stream_synchronize(stream, patience)",
                     XHAL_HERE, what + ": groups that wait for one another"))
    return false;
  std::vector<uint64_t> expected = before_;
  for (uint32_t i = 0; i < launches; ++i)
    expected = oracle::meet_u64(expected, shape_.groups, shape_.items, shape_.team, shape_.rounds);
  expect_data(t, clause, expected, t.read<uint64_t>(cells_, expected.size()), "the cells", XHAL_HERE, what);
  expect_data(t, clause, std::vector<uint32_t>(teams(), size_of(shape_.team) * shape_.rounds),
              t.read<uint32_t>(arrivals_, teams()), "the arrivals", XHAL_HERE, what);
  return true;
}

}  // namespace xhal::conformance
