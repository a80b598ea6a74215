// SPDX-License-Identifier: Apache-2.0
// What rows use of the device under test, through libxhal. Calls that fail throw RowFailed, and what the device does not have NotHere.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/runner/row.hpp"
#include "frame/kernel_pack.h"
#include "frame/session.h"
#include "xhal/driver.h"
#include "xhal/xhal.h"

namespace xhal::bench {

[[noreturn]] void call_failed(const char* call, xhal_result_t result);
inline void check(const char* call, xhal_result_t result) {
  if (result != XHAL_SUCCESS) [[unlikely]]
    call_failed(call, result);
}

inline void wait_for(xhal_stream_t stream) {
  check("xhal_stream_synchronize", xhal_stream_synchronize(stream, XHAL_WAIT_FOREVER));
}

// A handle that goes away with its scope.
template <class Handle, xhal_result_t (*kDestroy)(Handle)>
class Owned {
 public:
  explicit Owned(Handle handle = nullptr) : handle_(handle) {}
  ~Owned() { reset(); }
  Owned(Owned&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Owned& operator=(Owned&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  operator Handle() const { return handle_; }  // NOLINT(google-explicit-constructor)
  void reset() {
    if (handle_ != nullptr) kDestroy(std::exchange(handle_, nullptr));
  }

 private:
  Handle handle_;
};
using Stream = Owned<xhal_stream_t, xhal_stream_destroy>;
using Event = Owned<xhal_event_t, xhal_event_destroy>;
using Graph = Owned<xhal_graph_t, xhal_graph_destroy>;
using GraphExec = Owned<xhal_graph_exec_t, xhal_graph_exec_destroy>;
using Module = Owned<xhal_module_t, xhal_module_destroy>;
using Pool = Owned<xhal_pool_t, xhal_pool_destroy>;

class Memory {
 public:
  Memory(xhal_device_t device, uint32_t kind, uint64_t size);
  ~Memory() { reset(); }
  Memory(Memory&& other) noexcept
      : device_(other.device_), pointer_(std::exchange(other.pointer_, nullptr)), size_(other.size_) {}
  Memory& operator=(Memory&&) = delete;
  [[nodiscard]] void* get() const { return pointer_; }
  [[nodiscard]] std::byte* bytes() const { return static_cast<std::byte*>(pointer_); }
  [[nodiscard]] uint64_t size() const { return size_; }
  void reset();

 private:
  xhal_device_t device_;
  void* pointer_ = nullptr;
  uint64_t size_;
};

// A launch whose description is ready, so that only the call is measured. Neither moves nor is copied.
class PreparedLaunch {
 public:
  explicit PreparedLaunch(xhal_kernel_t kernel, uint32_t groups = 1, uint32_t items = 1);
  PreparedLaunch(const PreparedLaunch&) = delete;
  PreparedLaunch& operator=(const PreparedLaunch&) = delete;

  PreparedLaunch& memory(void* pointer, uint32_t access);
  PreparedLaunch& reads(void* pointer) { return memory(pointer, XHAL_ACCESS_READ); }
  PreparedLaunch& writes(void* pointer) { return memory(pointer, XHAL_ACCESS_WRITE); }
  PreparedLaunch& updates(void* pointer) { return memory(pointer, XHAL_ACCESS_READ_WRITE); }
  PreparedLaunch& local(uint64_t bytes);
  PreparedLaunch& groups(uint32_t count) {
    launch_.group_count[0] = count;
    return *this;
  }
  template <class T>
  PreparedLaunch& value(T number) {
    return bytes(&number, sizeof(number));
  }
  PreparedLaunch& bytes(const void* data, uint64_t size);
  // The memory of argument number `place`.
  void point(size_t place, void* pointer) { arguments_[place].data = pointer; }

  [[nodiscard]] xhal_kernel_t kernel() const { return kernel_; }
  [[nodiscard]] const xhal_launch_t* desc() const { return &launch_; }
  void on(xhal_stream_t stream) const {
    check("xhal_kernel_launch", xhal_kernel_launch(stream, kernel_, &launch_));
  }

 private:
  PreparedLaunch& add(const xhal_argument_t& argument);

  xhal_kernel_t kernel_;
  xhal_launch_t launch_{};
  std::vector<xhal_argument_t> arguments_;
  std::deque<std::vector<std::byte>> values_;
};

// Keeps a stream from going on, by a host function that sleeps, until let_go() or the end of its life, which wait until the function has returned:
// what is submitted meanwhile meets nobody who runs it.
class HeldStream {
 public:
  // Throws RowFailed when the function does not run within ten seconds.
  HeldStream(Bench& bench, xhal_stream_t stream);
  ~HeldStream() { let_go(); }
  HeldStream(const HeldStream&) = delete;
  HeldStream& operator=(const HeldStream&) = delete;
  void let_go();

 private:
  struct State {
    std::atomic<bool> entered{false};
    std::atomic<bool> open{false};
    std::atomic<bool> left{false};
  };
  static void hold(void* state, xhal_result_t status);

  // A function that never ran may do so later: then its state stays, whoever holds this.
  std::unique_ptr<State> state_ = std::make_unique<State>();
};

class Bench {
 public:
  Bench(conformance::Session& session, std::string kernel_directory)
      : session_(session), kernel_directory_(std::move(kernel_directory)) {}
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  [[nodiscard]] conformance::Session& session() { return session_; }
  [[nodiscard]] const conformance::Session& session() const { return session_; }
  [[nodiscard]] const std::string& kernel_directory() const { return kernel_directory_; }
  [[nodiscard]] xhal_driver_t driver() const { return session_.driver(); }
  [[nodiscard]] xhal_device_t device(size_t i = 0) const { return session_.device(i); }
  [[nodiscard]] size_t device_count() const { return session_.device_count(); }
  [[nodiscard]] const xhal_device_properties_t& properties() const { return session_.properties(); }
  [[nodiscard]] bool claims(uint32_t feature) const { return session_.claims(feature); }
  // Its memory is the host's, so that what the host's memory costs is a limit.
  [[nodiscard]] bool is_cpu() const { return properties().kind == XHAL_DEVICE_KIND_CPU; }
  // Throws NotHere; `name` as in docs/spec: "kernel", "graph".
  void need(uint32_t feature, const char* name) const;
  void need_devices(size_t count) const;
  void need_independent_streams() const;
  // That a host function may keep a stream from going on while others are called.
  void need_held_streams() const;

  [[nodiscard]] Stream make_stream(size_t device = 0, int32_t priority = 0) const;
  [[nodiscard]] Event make_event(uint32_t flags = 0, size_t device = 0) const;
  [[nodiscard]] Memory make_memory(uint32_t kind, uint64_t size, size_t device = 0) const {
    return {session_.device(device), kind, size};
  }

  // Work of the stream reaches memory: a fill, and a kernel of the suite's pack when launches are what is measured. Throws RowFailed.
  void expect_work(xhal_stream_t stream, bool launches);

  // Of the suite's pack (kernels/README.md), and of kernels/ in this folder. Throw NotHere.
  [[nodiscard]] xhal_kernel_t pack_kernel(const std::string& name, size_t device = 0);
  [[nodiscard]] xhal_kernel_t bench_kernel(const std::string& name);
  [[nodiscard]] conformance::KernelImage bench_image();

  // After a failure: kernels are loaded anew, and what was made on the device before can only be given back.
  void reset_device();

 private:
  conformance::Session& session_;
  std::string kernel_directory_;  // of this folder's pack
  std::unique_ptr<conformance::KernelPack> bench_pack_;
};

// The same device in an instance of its own, so that what it holds is not among what others measure. Throws NotHere.
class OwnInstance {
 public:
  explicit OwnInstance(const Bench& like);
  [[nodiscard]] Bench& bench() { return *bench_; }

 private:
  std::unique_ptr<conformance::Session> session_;
  std::unique_ptr<Bench> bench_;
};

// Half of a kernel's arguments are memory, at most eight; then come values.
[[nodiscard]] inline int memories_of(int arguments) {
  return arguments == 3 ? 2 : std::min(arguments / 2, 8);
}

// A kernel of one item that does nothing, with so many arguments: pages of memory first, then values.
class NothingLaunch {
 public:
  // Of so many arguments the kernel does nothing with either of two sets of which no argument is the same.
  static constexpr int kChanging = 4;

  NothingLaunch(Bench& bench, int arguments);
  [[nodiscard]] const PreparedLaunch& launch() const { return *launch_; }
  // The two sets in turns; of kChanging arguments only.
  [[nodiscard]] const PreparedLaunch& changed() {
    is_turned_ = !is_turned_;
    return is_turned_ ? *turned_ : *launch_;
  }
  void on(xhal_stream_t stream) const { launch_->on(stream); }

 private:
  std::vector<Memory> pages_;
  std::unique_ptr<PreparedLaunch> launch_;
  std::unique_ptr<PreparedLaunch> turned_;
  bool is_turned_ = false;
};

}  // namespace xhal::bench
