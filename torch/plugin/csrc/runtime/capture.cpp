// SPDX-License-Identifier: Apache-2.0
#include "runtime/capture.hpp"

#include <c10/core/DeviceGuard.h>

#include <algorithm>
#include <map>
#include <utility>

#include "runtime/check.hpp"
#include "runtime/driver.hpp"
#include "runtime/events.hpp"
#include "runtime/memory.hpp"
#include "runtime/streams.hpp"

namespace torch_xhal {
namespace {

// As many as fit into the allocator's smallest block.
constexpr size_t kMostGenerators = 32;
constexpr size_t kWordsOfAGenerator = 2;

struct OpenRecords {
  std::mutex mutex;
  std::map<uint64_t, std::weak_ptr<CaptureRecord>> of;
};
OpenRecords& open_records() {
  static auto* const records = new OpenRecords();
  return *records;
}

}  // namespace

uint64_t capture_id(xhal_stream_t stream) noexcept {
  xhal_capture_info_t info = {};
  info.struct_size = sizeof(info);
  const bool is_known = xhal_stream_get_capture_info(stream, &info) == XHAL_SUCCESS;
  return is_known && info.state != XHAL_CAPTURE_STATE_NONE ? info.id : 0;
}

uint64_t capture_id(c10::Stream stream) {
  return has_feature(device_at(stream.device_index()), XHAL_FEATURE_GRAPH) ? capture_id(handle_of(stream))
                                                                           : 0;
}

RelaxedCapture::RelaxedCapture() {
  const auto& devices = driver().devices;
  if (devices.empty() || !has_feature(devices.front(), XHAL_FEATURE_GRAPH)) return;
  is_relaxed_ =
      xhal_driver_exchange_capture_mode(driver().handle, XHAL_CAPTURE_RELAXED, &former_) == XHAL_SUCCESS;
}

RelaxedCapture::~RelaxedCapture() {
  uint32_t relaxed = 0;
  if (is_relaxed_) xhal_driver_exchange_capture_mode(driver().handle, former_, &relaxed);
}

CaptureRecord::CaptureRecord(c10::Stream stream) : device_(stream.device_index()), last_stream_(stream) {
  const c10::DeviceGuard guard(stream.device());
  words_ = c10::GetAllocator(kDevice)->allocate(kMostGenerators * kWordsOfAGenerator * sizeof(uint64_t));
  // Who had this memory before may still use it on this stream.
  record_event(&last_use_, stream, device_, c10::EventFlag::PYTORCH_DEFAULT);
}

CaptureRecord::~CaptureRecord() { destroy_event(last_use_); }

void CaptureRecord::open(uint64_t id, const std::shared_ptr<CaptureRecord>& record) {
  const std::lock_guard lock(open_records().mutex);
  open_records().of[id] = record;
}

void CaptureRecord::close(uint64_t id) {
  const std::lock_guard lock(open_records().mutex);
  open_records().of.erase(id);
}

std::shared_ptr<CaptureRecord> CaptureRecord::find(uint64_t id) {
  const std::lock_guard lock(open_records().mutex);
  const auto found = open_records().of.find(id);
  return found == open_records().of.end() ? nullptr : found->second.lock();
}

uint64_t* CaptureRecord::words_of(size_t entry) const {
  return static_cast<uint64_t*>(words_.get()) + entry * kWordsOfAGenerator;
}

PhiloxArguments CaptureRecord::draw(c10::DeviceIndex device, const std::shared_ptr<PhiloxSource>& source,
                                    uint64_t draws) {
  TORCH_CHECK_NOT_IMPLEMENTED(device == device_, "a graph of device ", static_cast<int>(device_),
                              " cannot draw from a generator of device ", static_cast<int>(device));
  const std::lock_guard lock(mutex_);
  auto entry = std::ranges::find(entries_, source, &Entry::source);
  if (entry == entries_.end()) {
    TORCH_CHECK(entries_.size() < kMostGenerators, "a graph draws from at most ", kMostGenerators,
                " generators");
    entry = entries_.insert(entries_.end(), Entry{source, 0});
  }
  const uint64_t offset = entry->drawn;
  entry->drawn += whole_steps(draws);
  return {0, offset, words_of(static_cast<size_t>(entry - entries_.begin()))};
}

void CaptureRecord::keep(std::shared_ptr<const void> owner) {
  const std::lock_guard lock(mutex_);
  if (std::ranges::find(kept_, owner) == kept_.end()) kept_.push_back(std::move(owner));
}

void CaptureRecord::finish() {
  if (!has_random()) words_.clear();
}

void CaptureRecord::before_launch(c10::Stream stream) {
  if (stream != last_stream_) block_on_event(last_use_, stream);
  record_memory(words_, stream);
  const xhal_stream_t handle = handle_of(stream);
  for (size_t i = 0; i < entries_.size(); ++i) {
    PhiloxState from;
    {
      PhiloxSource& source = *entries_[i].source;
      const std::lock_guard lock(source.mutex);
      from = source.state;
      source.state.offset += entries_[i].drawn;
    }
    uint64_t* words = words_of(i);
    XHAL_CHECK(xhal_memory_fill(handle, words, from.seed, sizeof(uint64_t), sizeof(uint64_t)));
    XHAL_CHECK(xhal_memory_fill(handle, words + 1, from.offset, sizeof(uint64_t), sizeof(uint64_t)));
  }
}

void CaptureRecord::after_launch(c10::Stream stream) {
  last_stream_ = stream;
  record_event(&last_use_, stream, device_, c10::EventFlag::PYTORCH_DEFAULT);
}

}  // namespace torch_xhal
