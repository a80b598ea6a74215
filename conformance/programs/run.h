// SPDX-License-Identifier: Apache-2.0
// One program on its way: its objects, its threads.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "frame/trail.h"
#include "programs/execute.h"
#include "programs/order.h"

namespace xhal::programs {

// Of a member function of Run: the call, kept for a crash's report; false where it fails.
#define XHAL_CALL(name, ...) (conformance::note_call(#name), ok(name(__VA_ARGS__), #name))
// The same of a call that gives out memory: a driver that succeeds without any is not followed to address zero.
#define XHAL_ALLOCATE(pointer, name, ...) (XHAL_CALL(name, __VA_ARGS__, &(pointer)) && given(pointer, #name))

// Kernels of the pack that programs launch; the index is that of Kind from kFold on.
inline constexpr const char* kKernelNames[] = {"xhal_fold_u64", "xhal_fold2_u64", "xhal_axpy_i64",
                                               "xhal_copy_i64"};

struct Executor::Device {
  xhal_device_t handle = nullptr;
  xhal_kernel_t kernels[4] = {};
  xhal_stream_t service = nullptr;  // for what is no part of a program
  void* witness = nullptr;          // memory of the device, for work that only shows that time has passed
  // Kept for the next program.
  std::vector<xhal_stream_t> streams;
  std::vector<xhal_event_t> events;
  xhal_pool_t pool = nullptr;
  void* staging = nullptr;  // pinned
  uint64_t staging_bytes = 0;
};

// What a host function works on.
struct HostWork {
  uint64_t* cells;
  uint64_t count;
  uint64_t value;
};

// A host function that holds its stream shut. It gives up by itself after a while: a driver may block a call behind it, as some may.
class HostGate {
 public:
  void open();
  static void hold(void* self, xhal_result_t status);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

// What the driver may use as long as work is in flight: outlives a run that was given up.
struct RunState {
  std::deque<HostWork> work;
  std::deque<HostGate> gates;
  std::vector<std::vector<unsigned char>> pageable;
};

class Run {
 public:
  Run(Executor& executor, const Program& program, uint32_t dropped);
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  void set_up();
  void perform();
  Contents contents();
  void tear_down();
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 private:
  // ---- run.cpp ----
  void perform_threads();
  void perform_thread(uint32_t thread);
  void perform_op(uint32_t index);
  bool perform_stream_op(const Op& op, xhal_stream_t stream);
  bool perform_host_op(const Op& op);
  bool submit_work(const Op& op, xhal_stream_t stream);
  bool launch_kernel(const Op& op, xhal_stream_t stream);
  bool poll(const Op& op);
  bool open_gate(const Op& op);
  bool pass_witnesses(const Op& op);
  bool pass(xhal_stream_t stream);
  bool expect_query(const Op& op, xhal_result_t result, const char* call);

  // ---- run_objects.cpp ----
  void make_memory(uint32_t m);
  void make_graph(const Graph& graph);
  bool allocate(uint32_t memory);
  void finish();
  template <class T, class Make>
  void borrow(std::vector<T>& stock, std::vector<T>& out, const char* call, Make make);

  // False, and the run is given up, unless it succeeded.
  bool ok(xhal_result_t result, const char* call);
  bool given(const void* memory, const char* call);
  bool fail(const std::string& text);
  [[nodiscard]] Executor::Device& device(uint32_t i) { return *executor_.devices_[i]; }
  [[nodiscard]] void* at(uint32_t memory, uint32_t offset) const {
    return reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(bases_[memory]) + offset);
  }

  Executor& executor_;
  const Program& program_;
  const uint32_t dropped_;
  const std::vector<Join> joins_;
  std::vector<xhal_stream_t> streams_;
  std::vector<xhal_event_t> events_;
  std::vector<xhal_graph_exec_t> graphs_;
  std::vector<void*> bases_;
  std::vector<bool> lives_;  // permanent memories at first
  std::unique_ptr<RunState> state_;
  std::mutex state_mutex_;  // threads append work
  std::vector<std::atomic<uint32_t>>
      returned_;                    // of each thread: the index behind the last operation that has returned
  std::atomic<uint32_t> begun_{0};  // the highest operation whose call has begun, where there are gates
  std::vector<std::thread> openers_;
  std::atomic<bool> failed_{false};
  std::mutex trouble_mutex_;
  std::string trouble_;
  bool finished_ = false;
  bool set_up_ = false;
  static thread_local uint32_t current_;
};

}  // namespace xhal::programs
