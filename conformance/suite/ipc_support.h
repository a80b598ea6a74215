// SPDX-License-Identifier: Apache-2.0
// What the tests of interprocess memory and events share.
#pragma once

#include <vector>

#include "frame/other_process.h"
#include "suite/free_work.h"
#include "suite/support.h"

namespace xhal::conformance {

// The bytes of an export, exactly as many as the device declares.
Message exported_memory(Context& t, const void* pointer);
Message exported_event(Context& t, xhal_event_t event);

// An import that is closed with its scope.
class Imported {
 public:
  Imported(Context& t, const Message& bytes);
  ~Imported() { reset(); }
  Imported(Imported&& other) noexcept
      : device_(other.device_), pointer_(std::exchange(other.pointer_, nullptr)) {}
  Imported& operator=(Imported&&) = delete;

  operator void*() const { return pointer_; }  // NOLINT(google-explicit-constructor)
  [[nodiscard]] void* at(uint64_t offset) const {
    return reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(pointer_) + offset);
  }
  void* release() { return std::exchange(pointer_, nullptr); }
  void reset();

 private:
  xhal_device_t device_;
  void* pointer_ = nullptr;
};

// An imported event that goes with its scope.
class ImportedEvent {
 public:
  ImportedEvent(Context& t, const Message& bytes);
  ~ImportedEvent();
  ImportedEvent(const ImportedEvent&) = delete;
  ImportedEvent& operator=(const ImportedEvent&) = delete;
  operator xhal_event_t() const { return handle_; }  // NOLINT(google-explicit-constructor)
  xhal_event_t release() { return std::exchange(handle_, nullptr); }

 private:
  xhal_event_t handle_ = nullptr;
};

// The other process of a test, with an event of its own that it records when told to.
class RemoteRecorder {
 public:
  explicit RemoteRecorder(Context& t);

  // Records behind a gate of the kind that the test's parameter "hold" names. False where nothing is held: on a synchronous device. There are
  // two places, each with a stream of its own, so that two records can be held at once.
  bool shut(int place = 0) { return ask("shut", place); }
  bool held(int place = 0) { return ask("held", place); }
  // Opens the gate; what was recorded behind it is done when it returns.
  void open(int place = 0);
  // Records on a stream that nothing holds; done when it returns.
  void record();
  void kill() { process_.kill(); }
  void finish();
  [[nodiscard]] const Message& bytes() const { return bytes_; }
  // What has not happened now is held, not late.
  bool witness(int place = 0);

 private:
  bool ask(const std::string& word, int place = 0);

  Context& t_;
  OtherProcess process_;
  Message bytes_;
};

// Bytes that end where a page begins which nobody may touch: reading behind them crashes.
class AtTheEdge {
 public:
  AtTheEdge(Context& t, std::span<const uint8_t> bytes);
  [[nodiscard]] const uint8_t* get() const { return bytes_; }

 private:
  const uint8_t* bytes_;
};

// The cells after one more step of a history: by a kernel where there are kernels, else by the host through copies.
void fold_cells(Context& t, xhal_stream_t stream, void* cells, uint64_t op, size_t count);

}  // namespace xhal::conformance
