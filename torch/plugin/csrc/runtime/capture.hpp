// SPDX-License-Identifier: Apache-2.0
// What a capture has beside its nodes, for as long as its graph lives: the random numbers that it drew, and graphs that it replays.
#pragma once

#include <c10/core/Allocator.h>
#include <c10/core/Stream.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "runtime/generator.hpp"
#include "xhal/xhal.h"

namespace torch_xhal {

// Unique in the process. 0: the stream captures nothing; so it is where the driver knows no captures.
uint64_t capture_id(xhal_stream_t stream) noexcept;
uint64_t capture_id(c10::Stream stream);

// While it lives, this thread may allocate and free although a stream captures.
class RelaxedCapture {
 public:
  RelaxedCapture();
  ~RelaxedCapture();
  RelaxedCapture(const RelaxedCapture&) = delete;
  RelaxedCapture& operator=(const RelaxedCapture&) = delete;

 private:
  bool is_relaxed_ = false;
  uint32_t former_ = 0;
};

class CaptureRecord {
 public:
  // Before the stream begins its capture: memory that is taken in it may be used again in it, and what is set before a replay would
  // not last until a kernel reads it.
  explicit CaptureRecord(c10::Stream stream);
  ~CaptureRecord();
  CaptureRecord(const CaptureRecord&) = delete;
  CaptureRecord& operator=(const CaptureRecord&) = delete;

  // From open() to close() whoever knows the capture's id finds the record; null: the capture is of somebody else.
  static void open(uint64_t id, const std::shared_ptr<CaptureRecord>& record);
  static void close(uint64_t id);
  static std::shared_ptr<CaptureRecord> find(uint64_t id);

  // In the capture.
  PhiloxArguments draw(c10::DeviceIndex device, const std::shared_ptr<PhiloxSource>& source, uint64_t draws);
  void keep(std::shared_ptr<const void> owner);

  // Behind the capture: a graph that draws nothing needs no memory for it.
  void finish();
  bool has_random() const { return !entries_.empty(); }
  // Launches come one at a time. Before one each generator's words are set in the stream's order, and the generators step over what the
  // graph draws; the words are then the launch's until it is done.
  void before_launch(c10::Stream stream);
  void after_launch(c10::Stream stream);

 private:
  struct Entry {
    std::shared_ptr<PhiloxSource> source;
    uint64_t drawn = 0;
  };
  uint64_t* words_of(size_t entry) const;

  const c10::DeviceIndex device_;
  std::mutex mutex_;
  c10::DataPtr words_;  // seed and offset for each entry
  std::vector<Entry> entries_;
  std::vector<std::shared_ptr<const void>> kept_;
  c10::Stream last_stream_;
  void* last_use_ = nullptr;  // of the words, on last_stream_
};

}  // namespace torch_xhal
