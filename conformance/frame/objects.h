// SPDX-License-Identifier: Apache-2.0
// Handles and memory that go away with their scope. Destroying is legal with work in flight, so order of declaration does not matter;
// what the destroy answers is judged by tests of their own, not here.
#pragma once

#include <cstdint>
#include <span>
#include <utility>

#include "frame/context.h"

namespace xhal::conformance {

class Stream {
 public:
  explicit Stream(Context& t, size_t device = 0) : Stream(t, t.session(), device) {}
  Stream(Context& t, Session& session, size_t device = 0);
  ~Stream() { reset(); }
  Stream(Stream&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Stream& operator=(Stream&&) = delete;

  operator xhal_stream_t() const { return handle_; }  // NOLINT(google-explicit-constructor)
  // The test destroys it itself.
  xhal_stream_t release() { return std::exchange(handle_, nullptr); }
  void reset();

 private:
  xhal_stream_t handle_ = nullptr;
};

class Event {
 public:
  explicit Event(Context& t, uint32_t flags = 0, size_t device = 0) : Event(t, t.session(), flags, device) {}
  Event(Context& t, Session& session, uint32_t flags = 0, size_t device = 0);
  ~Event() { reset(); }
  Event(Event&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Event& operator=(Event&&) = delete;

  operator xhal_event_t() const { return handle_; }  // NOLINT(google-explicit-constructor)
  xhal_event_t release() { return std::exchange(handle_, nullptr); }
  void reset();

 private:
  xhal_event_t handle_ = nullptr;
};

class Buffer {
 public:
  Buffer(Context& t, uint32_t kind, uint64_t bytes, size_t device = 0)
      : Buffer(t, t.session(), kind, bytes, device) {}
  Buffer(Context& t, Session& session, uint32_t kind, uint64_t bytes, size_t device = 0);
  ~Buffer() { reset(); }
  Buffer(Buffer&& other) noexcept
      : device_(other.device_), pointer_(std::exchange(other.pointer_, nullptr)), bytes_(other.bytes_) {}
  Buffer& operator=(Buffer&&) = delete;

  [[nodiscard]] void* get() const { return pointer_; }
  operator void*() const { return pointer_; }  // NOLINT(google-explicit-constructor)
  [[nodiscard]] uint64_t size() const { return bytes_; }
  // An address for the device; the host may not dereference it unless the memory is pinned.
  [[nodiscard]] void* at(uint64_t offset) const {
    return reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(pointer_) + offset);
  }
  template <class T>
  [[nodiscard]] T* as() const {
    return static_cast<T*>(pointer_);
  }
  // Pinned memory as the host sees it.
  template <class T = uint8_t>
  [[nodiscard]] std::span<T> host() const {
    return {static_cast<T*>(pointer_), bytes_ / sizeof(T)};
  }
  void* release() { return std::exchange(pointer_, nullptr); }
  void reset();

 private:
  xhal_device_t device_ = nullptr;
  void* pointer_ = nullptr;
  uint64_t bytes_ = 0;
};

inline Buffer device_memory(Context& t, uint64_t bytes, size_t device = 0) {
  return {t, XHAL_MEMORY_DEVICE, bytes, device};
}
inline Buffer pinned_memory(Context& t, uint64_t bytes, size_t device = 0) {
  return {t, XHAL_MEMORY_PINNED, bytes, device};
}

// An instance of the test's own, with the same driver.
class PrivateSession {
 public:
  explicit PrivateSession(Context& t);
  ~PrivateSession();
  PrivateSession(const PrivateSession&) = delete;
  PrivateSession& operator=(const PrivateSession&) = delete;

  Session& operator*() { return *session_; }
  Session* operator->() { return session_.get(); }
  // Destroys the instance; its handles are dead afterwards.
  xhal_result_t close();

 private:
  Context& t_;
  std::unique_ptr<Session> session_;
};

// Reads a word of memory that the device writes meanwhile.
inline uint32_t load(const uint32_t* word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
inline void store(uint32_t* word, uint32_t value) { __atomic_store_n(word, value, __ATOMIC_RELEASE); }

}  // namespace xhal::conformance
