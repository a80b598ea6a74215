// SPDX-License-Identifier: Apache-2.0
#include "engine/odd.hpp"

#include <algorithm>
#include <ctime>
#include <iterator>
#include <optional>
#include <system_error>
#include <thread>

#include "engine/op.hpp"
#include "engine/signals.hpp"

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace xhal::sim {

std::array<std::atomic<uint64_t>, kOddities> g_oddness_counts{};

std::string read_oddities(std::string_view text, uint32_t& out_chosen) {
  const auto* const end = kOddityNames.begin() + kChosenOddities;
  uint32_t chosen = 0;
  for (bool more = true; more;) {
    const size_t length = std::min(text.find('+'), text.size());
    const std::string_view name = text.substr(0, length);
    more = length < text.size();
    text.remove_prefix(length + (more ? 1 : 0));
    const auto* const found = std::find(kOddityNames.begin(), end, name);
    if (found == end) {
      std::string problem = "names '" + std::string(name) + "', which is none of";
      for (const auto* it = kOddityNames.begin(); it != end; ++it) problem += " " + std::string(*it);
      return problem;
    }
    chosen |= uint32_t{1} << std::distance(kOddityNames.begin(), found);
  }
  out_chosen = chosen;
  return "";
}

namespace {

// Nothing for operations that take no time of the device's: waits, records.
std::optional<uint64_t> bytes_of_work(const Op& op) {
  if (const auto* copy = op.as<CopyOp>()) return copy->size;
  if (const auto* fill = op.as<FillOp>()) return fill->size;
  if (const auto* region = op.as<RegionOp>()) {
    const auto& extent = region->copy->region.extent;
    return extent[0] * extent[1] * extent[2];
  }
  if (op.kind == OpKind::kLaunch || op.kind == OpKind::kHostFunction || op.kind == OpKind::kValueWrite)
    return 0;
  return std::nullopt;
}

}  // namespace

void dawdle(uint32_t slow, const Op& op, const std::atomic<bool>& abandoned) {
  constexpr uint64_t kSliceNs = 1'000'000;
  const std::optional<uint64_t> bytes = bytes_of_work(op);
  if (!bytes.has_value()) return;
  // 10 GB/s are 10 bytes a nanosecond.
  uint64_t left_ns = uint64_t{slow} * (1000 + *bytes / 10);
  count(Oddity::kSlow);
  while (left_ns != 0 && !abandoned.load(std::memory_order_relaxed)) {
    const uint64_t slice = std::min(left_ns, kSliceNs);
    const timespec nap = {0, static_cast<long>(slice)};
    nanosleep(&nap, nullptr);
    left_ns -= slice;
  }
}

void call_elsewhere(const std::function<void()>& function) {
  constexpr long kLateNs = 100'000;
  try {
    std::thread elsewhere;
    {
      const AllSignalsBlocked blocked;
      elsewhere = std::thread([&] {
        const timespec nap = {0, kLateNs};
        nanosleep(&nap, nullptr);
        function();
      });
    }
    elsewhere.join();
    count(Oddity::kForeignCallbacks);
  } catch (const std::system_error&) {
    function();
  }
}

#if defined(__SSE__)
namespace {
constexpr uint32_t kFlushToZero = 0x8000;
constexpr uint32_t kDenormalsAreZero = 0x0040;
}  // namespace

void Denormals::begin() {
  former_ = _mm_getcsr();
  _mm_setcsr(former_ | kFlushToZero | kDenormalsAreZero);
  count(Oddity::kFlushDenormals);
}

void Denormals::end() const { _mm_setcsr(former_); }
#else
void Denormals::begin() {}
void Denormals::end() const {}
#endif

}  // namespace xhal::sim
