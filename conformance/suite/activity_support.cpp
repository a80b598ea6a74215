// SPDX-License-Identifier: Apache-2.0
#include "suite/activity_support.h"

#include <algorithm>
#include <cstring>

namespace xhal::conformance {

namespace {

// Of revision 0.1.0.
constexpr uint32_t kFirstRecordSize = 72;
static_assert(sizeof(xhal_activity_record_t) >= kFirstRecordSize);

}  // namespace

void Subscription::gather(void* user, const xhal_activity_record_t* records, uint32_t count,
                          uint32_t stride) {
  auto* gathered = static_cast<Gathered*>(user);
  const std::lock_guard lock(gathered->mutex);
  if (count > 0 && stride < kFirstRecordSize) {
    gathered->malformed += count;
    return;
  }
  const auto* at = reinterpret_cast<const uint8_t*>(records);
  for (uint32_t i = 0; i < count; ++i, at += stride) {
    Activity one;
    std::memcpy(&one.record, at, std::min<size_t>(stride, sizeof(one.record)));
    if (one.record.struct_size < kFirstRecordSize || one.record.name == nullptr) {
      ++gathered->malformed;
      continue;
    }
    one.name = one.record.name;
    one.record.name = nullptr;
    gathered->records.push_back(std::move(one));
  }
}

Subscription::Subscription(Context& t, uint32_t kinds, size_t device) : gathered_(t.kept<Gathered>()) {
  t.touch(t.session(), device);
  xhal_activity_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.kinds = kinds;
  desc.callback = gather;
  desc.user = &gathered_;
  const xhal_result_t result = TRACED(xhal_activity_subscribe(t.device(device), &desc, &handle_));
  if (result == XHAL_ERROR_BUSY) Context::inconclusive("somebody else subscribes to this device's activity");
  require_ok(t, result, "xhal_activity_subscribe(device, &desc, &handle)", XHAL_HERE);
  require_given(t, handle_, "xhal_activity_subscribe(device, &desc, &handle)", XHAL_HERE);
}

void Subscription::reset() {
  if (handle_ != nullptr) TRACED(xhal_activity_unsubscribe(release()));
}

std::vector<Activity> Subscription::all() const {
  const std::lock_guard lock(gathered_.mutex);
  return gathered_.records;
}

std::vector<Activity> Subscription::of(uint64_t stream_id, uint32_t kinds) const {
  std::vector<Activity> found = all();
  std::erase_if(found, [&](const Activity& one) {
    return one.record.stream_id != stream_id || (one.record.kind & kinds) == 0;
  });
  return found;
}

size_t Subscription::malformed() const {
  const std::lock_guard lock(gathered_.mutex);
  return gathered_.malformed;
}

Correlation::Correlation(Context& t, uint64_t id) : driver_(t.driver()) {
  REQUIRE_OK(xhal_driver_exchange_correlation(driver_, id, &former_));
}

Correlation::~Correlation() {
  uint64_t gone = 0;
  TRACED(xhal_driver_exchange_correlation(driver_, former_, &gone));
}

uint64_t stream_id(Context& t, xhal_stream_t stream) {
  xhal_stream_info_t info{};
  info.struct_size = sizeof(info);
  REQUIRE_OK(xhal_stream_get_info(stream, &info));
  return info.id;
}

}  // namespace xhal::conformance
