// SPDX-License-Identifier: Apache-2.0
#include "suite/operation_pairs.h"

#include <algorithm>

#include "oracles.h"

namespace xhal::conformance {
namespace {

// Rows of a region: in the memory of the meeting one behind the other, on the operation's own side apart.
constexpr uint64_t kRows = 64;
constexpr uint64_t kRowCells = 64;
constexpr uint64_t kCells = kRows * kRowCells;
constexpr uint64_t kBytes = kCells * sizeof(uint64_t);
constexpr uint64_t kOwnRowCells = kRowCells + 3;
constexpr uint64_t kOwnCells = kRows * kOwnRowCells;

// A host function reaches no memory of the device's own.
uint32_t kind_of_meeting(Context& t) {
  return t.text("first") == "host_function" || t.text("second") == "host_function" ? XHAL_MEMORY_PINNED
                                                                                   : XHAL_MEMORY_DEVICE;
}

Axis kinds(const char* name, bool writers) {
  Axis axis{name, {}};
  if (writers) axis.values.emplace_back("fill");
  axis.values.emplace_back("copy_device");
  axis.values.emplace_back("copy_pinned");
  axis.values.emplace_back("region", std::vector<uint32_t>{XHAL_FEATURE_COPY_REGION});
  axis.values.emplace_back("kernel", std::vector<uint32_t>{XHAL_FEATURE_KERNEL});
  axis.values.emplace_back("host_function");
  return axis;
}

}  // namespace

Cases operation_pairs() {
  Cases out;
  const auto add = [&](const char* hazard, bool first_writes, bool second_writes) {
    for (Case& one :
         grid({{"hazard", {hazard}}, kinds("first", first_writes), kinds("second", second_writes)}))
      out.push_back(std::move(one));
  };
  add("read_after_write", true, false);
  add("write_after_read", false, true);
  add("write_after_write", true, true);
  return out;
}

OperationPair::OperationPair(Context& t)
    : t_(t), shared_(t, kind_of_meeting(t), kBytes), expected_(t.random_u64(kCells, 1)) {
  const std::string& hazard = t.text("hazard");
  t.write(shared_, expected_);
  operations_.push_back(make(t.text("first"), hazard != "write_after_read", 2));
  operations_.push_back(make(t.text("second"), hazard != "read_after_write", 3));
}

OperationPair::Operation OperationPair::make(const std::string& kind, bool writes, uint64_t which) {
  Operation out{Kind::kFill, writes, t_.random_u64(1, 10 + which).front(), {}, {}, nullptr};
  const bool meets_on_device = kind_of_meeting(t_) == XHAL_MEMORY_DEVICE;
  const auto give_own = [&](uint32_t memory, uint64_t cells) {
    out.own.emplace_back(t_, memory, cells * sizeof(uint64_t));
    out.expected = t_.random_u64(cells, which);
    t_.write(out.own.front(), out.expected);
  };
  const auto copies = [&](bool own_on_device) {
    uint32_t direction = own_on_device ? XHAL_COPY_PINNED_TO_DEVICE : XHAL_COPY_HOST_TO_HOST;
    if (meets_on_device && own_on_device) direction = XHAL_COPY_DEVICE_TO_DEVICE;
    if (meets_on_device != own_on_device)
      direction = meets_on_device == writes ? XHAL_COPY_PINNED_TO_DEVICE : XHAL_COPY_DEVICE_TO_PINNED;
    may_wait_ = may_wait_ || may_block(t_, direction);
  };
  if (kind == "copy_device" || kind == "copy_pinned") {
    const bool on_device = kind == "copy_device";
    out.kind = on_device ? Kind::kCopyDevice : Kind::kCopyPinned;
    give_own(on_device ? XHAL_MEMORY_DEVICE : XHAL_MEMORY_PINNED, kCells);
    copies(on_device);
  } else if (kind == "region") {
    out.kind = Kind::kRegion;
    give_own(XHAL_MEMORY_DEVICE, kOwnCells);
    copies(true);
  } else if (kind == "kernel") {
    out.kind = Kind::kKernel;
    if (!writes) give_own(XHAL_MEMORY_DEVICE, kCells);
    t_.kernel(writes ? "xhal_fold_u64" : "xhal_fold2_u64");
  } else if (kind == "host_function") {
    out.kind = Kind::kHostFunction;
    out.host = &t_.kept<HostWork>();
    *out.host = {std::vector<uint64_t>(writes ? 0 : kCells), shared_.as<uint64_t>(), out.op, writes};
    out.expected = out.host->own;
  }
  return out;
}

void OperationPair::run_host_work(void* user, xhal_result_t /*status*/) {
  auto& work = *static_cast<HostWork*>(user);
  if (!work.writes) {
    std::copy_n(work.shared, kCells, work.own.begin());
    return;
  }
  for (uint64_t i = 0; i < kCells; ++i) work.shared[i] = oracle::mix(work.shared[i], work.op);
}

void OperationPair::submit_kernel(const Operation& one, xhal_stream_t stream) {
  Context& t = t_;
  if (one.writes) {
    REQUIRE_OK(fold(t, stream, shared_, one.op, kCells));
    return;
  }
  Launch launch(t.kernel("xhal_fold2_u64"));
  launch.cover(kCells, small_group(t)).updates(one.own.front(), kBytes).reads(shared_, kBytes);
  REQUIRE_OK(launch.value(one.op).value(uint64_t{kCells}).on(stream));
}

void OperationPair::submit_region(const Operation& one, xhal_stream_t stream) {
  Context& t = t_;
  constexpr uint64_t kRowBytes = kRowCells * sizeof(uint64_t);
  constexpr uint64_t kOwnPitch = kOwnRowCells * sizeof(uint64_t);
  xhal_copy_region_t region{};
  region.struct_size = sizeof(region);
  region.destination = one.writes ? shared_.get() : one.own.front().get();
  region.source = one.writes ? one.own.front().get() : shared_.get();
  region.destination_pitch = one.writes ? kRowBytes : kOwnPitch;
  region.source_pitch = one.writes ? kOwnPitch : kRowBytes;
  region.extent[0] = kRowBytes;
  region.extent[1] = kRows;
  region.extent[2] = 1;
  REQUIRE_OK(xhal_memory_copy_region(stream, &region));
}

void OperationPair::submit(const Operation& one, xhal_stream_t stream) {
  Context& t = t_;
  switch (one.kind) {
    case Kind::kFill:
      REQUIRE_OK(xhal_memory_fill(stream, shared_, one.op, sizeof(one.op), kBytes));
      break;
    case Kind::kCopyDevice:
    case Kind::kCopyPinned: {
      void* const to = one.writes ? shared_ : one.own.front();
      const void* const from = one.writes ? one.own.front() : shared_;
      REQUIRE_OK(xhal_memory_copy(stream, to, from, kBytes));
      break;
    }
    case Kind::kRegion:
      submit_region(one, stream);
      break;
    case Kind::kKernel:
      submit_kernel(one, stream);
      break;
    case Kind::kHostFunction:
      REQUIRE_OK(xhal_stream_host_function(stream, run_host_work, one.host));
      break;
  }
}

// What the operation does, to the contents that are expected.
void OperationPair::execute(Operation& one) {
  const bool folds = one.kind == Kind::kKernel || one.kind == Kind::kHostFunction;
  if (one.kind == Kind::kFill) {
    std::ranges::fill(expected_, one.op);
  } else if (folds && one.writes) {
    expected_ = oracle::fold_u64(expected_, one.op, kCells);
  } else if (one.kind == Kind::kKernel) {
    one.expected = oracle::fold2_u64(one.expected, expected_, one.op, kCells);
  } else {
    const uint64_t own_row = one.kind == Kind::kRegion ? kOwnRowCells : kRowCells;
    for (uint64_t row = 0; row < kRows; ++row) {
      for (uint64_t i = 0; i < kRowCells; ++i) {
        uint64_t& own = one.expected[row * own_row + i];
        uint64_t& shared = expected_[row * kRowCells + i];
        (one.writes ? shared : own) = one.writes ? own : shared;
      }
    }
  }
}

void OperationPair::expect(Clause clause, int executions) {
  Context& t = t_;
  for (int i = 0; i < executions; ++i) {
    for (Operation& one : operations_) execute(one);
  }
  EXPECT_DATA(clause, expected_, t.read<uint64_t>(shared_, kCells), "where they meet");
  for (const Operation& one : operations_) {
    const char* const which = &one == &operations_.front() ? "the first one's" : "the second one's";
    if (!one.own.empty())
      EXPECT_DATA(clause, one.expected, t.read<uint64_t>(one.own.front(), one.expected.size()),
                  "{} own memory", which);
    if (one.host != nullptr && !one.writes)
      EXPECT_DATA(clause, one.expected, one.host->own, "what {} host function saw", which);
  }
}

}  // namespace xhal::conformance
