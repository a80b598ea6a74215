// SPDX-License-Identifier: Apache-2.0
// torch.accelerator.Graph over xhal's captures.
#include "torch_version.hpp"

#if TORCH_XHAL_HAS_GRAPHS
#include <ATen/core/CachingHostAllocator.h>
#include <ATen/core/GraphImplInterface.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <deque>
#include <fstream>
#include <map>
#include <utility>

#include "runtime/capture.hpp"
#include "runtime/check.hpp"
#include "runtime/driver.hpp"
#include "runtime/memory.hpp"
#include "runtime/streams.hpp"

namespace torch_xhal {
namespace {

using c10::MempoolId_t;

uint32_t mode_of(at::GraphCaptureMode mode) {
  switch (mode) {
    case at::GraphCaptureMode::ThreadLocal:
      return XHAL_CAPTURE_THREAD;
    case at::GraphCaptureMode::Relaxed:
      return XHAL_CAPTURE_RELAXED;
    default:
      return XHAL_CAPTURE_GLOBAL;
  }
}

MempoolId_t next_pool() {
  static std::atomic<uint64_t> last{0};
  return {0, ++last};
}

// 0 until the capture has begun.
using CaptureId = std::shared_ptr<std::atomic<uint64_t>>;

bool is_of(const CaptureId& capture, xhal_stream_t stream) {
  const uint64_t id = capture->load(std::memory_order_acquire);
  return id != 0 && capture_id(stream) == id;
}

// While it is filled, the streams of a capture are served from the pool; the pool is held until this is destroyed.
class DevicePool {
 public:
  DevicePool(c10::DeviceIndex device, MempoolId_t pool, const CaptureId& capture)
      : allocator_(caching_allocator(device)), pool_{pool.first, pool.second} {
    const xhal_result_t result = allocator_.begin_pool(
        pool_, [capture](xhal::caching::Stream stream) { return is_of(capture, stream.handle); });
    TORCH_CHECK(
        result == XHAL_SUCCESS, "the memory pool (", pool.first, ", ", pool.second,
        ") is being filled by another capture; graphs that share a pool are captured one after the other");
  }
  ~DevicePool() {
    end();
    allocator_.release_pool(pool_);
  }
  DevicePool(const DevicePool&) = delete;
  DevicePool& operator=(const DevicePool&) = delete;
  void end() {
    if (std::exchange(is_filled_, false)) allocator_.end_pool(pool_);
  }

 private:
  xhal::caching::Allocator& allocator_;
  const xhal::caching::PoolId pool_;
  bool is_filled_ = true;
};

// PyTorch's allocator of pinned memory forbids the number of a pool that nobody holds any more, so its pools have numbers of their own.
class HostPoolNumber {
 public:
  explicit HostPoolNumber(MempoolId_t pool) : pool_(pool) {
    const std::lock_guard lock(all().mutex);
    Entry& entry = all().of[pool_];
    if (entry.holders++ == 0) entry.number = next_pool();
    number_ = entry.number;
  }
  ~HostPoolNumber() {
    const std::lock_guard lock(all().mutex);
    const auto entry = all().of.find(pool_);
    if (--entry->second.holders == 0) all().of.erase(entry);
  }
  HostPoolNumber(const HostPoolNumber&) = delete;
  HostPoolNumber& operator=(const HostPoolNumber&) = delete;
  MempoolId_t get() const { return number_; }

 private:
  struct Entry {
    uint32_t holders = 0;
    MempoolId_t number;
  };
  struct Entries {
    std::mutex mutex;
    std::map<MempoolId_t, Entry> of;
  };
  static Entries& all() {
    static auto* const entries = new Entries();
    return *entries;
  }

  const MempoolId_t pool_;
  MempoolId_t number_;
};

class HostPool {
 public:
  HostPool(MempoolId_t pool, const CaptureId& capture) : number_(pool) {
    allocator().begin_allocate_to_pool(
        number_.get(), [capture](c10::Stream stream) { return is_of(capture, handle_of(stream)); });
  }
  ~HostPool() {
    end();
    allocator().release_pool(number_.get());
  }
  HostPool(const HostPool&) = delete;
  HostPool& operator=(const HostPool&) = delete;
  void end() {
    if (std::exchange(is_filled_, false)) allocator().end_allocate_to_pool(number_.get());
  }

 private:
  static at::HostAllocator& allocator() { return *at::getHostAllocator(kDevice); }

  const HostPoolNumber number_;
  bool is_filled_ = true;
};

// On all devices: a stream of any may join the capture.
class Pools {
 public:
  // Those of devices tell of a pool that is being filled.
  Pools(MempoolId_t pool, const CaptureId& capture)
      : of_devices_(begun(pool, capture)), of_host_(pool, capture) {}
  void end() {
    of_host_.end();
    for (DevicePool& pool : of_devices_) pool.end();
  }

 private:
  static std::deque<DevicePool> begun(MempoolId_t pool, const CaptureId& capture) {
    std::deque<DevicePool> out;
    for (c10::DeviceIndex device = 0; device < device_count(); ++device)
      out.emplace_back(device, pool, capture);
    return out;
  }

  std::deque<DevicePool> of_devices_;
  HostPool of_host_;
};

// A capture and what comes of it. Launches in flight outlive it, as the HAL promises of executables and of memory.
class Captured {
 public:
  Captured(c10::Stream stream, MempoolId_t pool, uint32_t mode)
      : stream_(stream),
        handle_(handle_of(stream)),
        pool_(pool),
        record_(std::make_shared<CaptureRecord>(stream)),
        pools_(pool, id_) {
    XHAL_CHECK(xhal_stream_begin_capture(handle_, mode));
    is_open_ = true;
    id_->store(capture_id(handle_), std::memory_order_release);
    CaptureRecord::open(*id_, record_);
  }
  ~Captured() {
    if (!abandon()) {
      TORCH_WARN("a graph went while the capture that another thread began for it is under way");
      close();
    }
    if (exec_ != nullptr) xhal_graph_exec_destroy(exec_);
    drop_graph();
  }
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;

  c10::Stream stream() const { return stream_; }
  MempoolId_t pool() const { return pool_; }
  bool is_open() const { return is_open_; }
  // False: another thread's capture goes on, for only that thread may end it.
  bool abandon() {
    if (!is_open_) return true;
    if (xhal_stream_end_capture(handle_, &graph_) != XHAL_SUCCESS && still_captures()) return false;
    close();
    return true;
  }
  // Throws what the HAL says of a capture that gives no graph. Unless is_open() it has ended all the same.
  void end() {
    try {
      XHAL_CHECK(xhal_stream_end_capture(handle_, &graph_));
    } catch (...) {
      if (!still_captures()) close();
      throw;
    }
    close();
    record_->finish();
  }

  bool has_exec() const { return exec_ != nullptr; }
  void instantiate() {
    xhal_graph_exec_t made = nullptr;
    XHAL_CHECK(xhal_graph_instantiate(graph_, 0, &made));
    if (xhal_graph_exec_t former = std::exchange(exec_, made); former != nullptr)
      XHAL_CHECK(xhal_graph_exec_destroy(former));
  }
  xhal_graph_t graph() const { return graph_; }
  void drop_graph() {
    if (xhal_graph_t graph = std::exchange(graph_, nullptr); graph != nullptr) xhal_graph_destroy(graph);
  }

  // In the stream's order. `self` is this, for a graph that is captured right now and will launch it too.
  void launch(c10::Stream stream, const std::shared_ptr<Captured>& self) {
    if (const uint64_t outer = capture_id(stream); C10_UNLIKELY(outer != 0)) {
      TORCH_CHECK_NOT_IMPLEMENTED(
          !record_->has_random(),
          "a graph that draws random numbers cannot be replayed in the capture of another one: they would "
          "be the same at each of its replays");
      XHAL_CHECK(xhal_graph_exec_launch(exec_, handle_of(stream)));
      if (const auto record = CaptureRecord::find(outer)) record->keep(self);
      return;
    }
    if (!record_->has_random()) {
      XHAL_CHECK(xhal_graph_exec_launch(exec_, handle_of(stream)));
      return;
    }
    const std::lock_guard lock(launching_);
    record_->before_launch(stream);
    XHAL_CHECK(xhal_graph_exec_launch(exec_, handle_of(stream)));
    record_->after_launch(stream);
  }

 private:
  bool still_captures() const { return capture_id(handle_) == *id_; }
  void close() {
    is_open_ = false;
    CaptureRecord::close(*id_);
    pools_.end();
  }

  const c10::Stream stream_;
  const xhal_stream_t handle_;
  const MempoolId_t pool_;
  const CaptureId id_ = std::make_shared<std::atomic<uint64_t>>(0);
  const std::shared_ptr<CaptureRecord> record_;
  Pools pools_;
  bool is_open_ = false;
  xhal_graph_t graph_ = nullptr;
  xhal_graph_exec_t exec_ = nullptr;
  std::mutex launching_;
};

int32_t append_text(void* out, const char* text, uint64_t length) {
  static_cast<std::string*>(out)->append(text, length);
  return 0;
}

class Graph final : public at::GraphImplInterface {
 public:
  explicit Graph(const at::GraphImplArgs& args) : keeps_graph_(args.keep_graph) {}

  void capture_begin(MempoolId_t pool, at::GraphCaptureMode mode) override {
    TORCH_CHECK(captured_ == nullptr || !captured_->is_open(),
                "capture_begin(): a capture of this graph is under way; capture_end() ends it");
    TORCH_CHECK(captured_ == nullptr,
                "capture_begin(): this graph was captured already; reset() lets go of it");
    const c10::DeviceIndex device = current_device();
    TORCH_CHECK_NOT_IMPLEMENTED(
        has_feature(device_at(device), XHAL_FEATURE_GRAPH),
        "torch.accelerator.Graph needs a device with the feature 'graph', and the driver of ",
        device_at(device).properties.name, " claims none");
    const c10::Stream stream = current_stream(device);
    TORCH_CHECK(capture_id(stream) == 0, "capture_begin(): the current stream captures already");
    captured_ =
        std::make_shared<Captured>(stream, pool == MempoolId_t{0, 0} ? next_pool() : pool, mode_of(mode));
  }

  void capture_end() override {
    TORCH_CHECK(captured_ != nullptr && captured_->is_open(),
                "capture_end(): no capture of this graph is under way; capture_begin() begins one");
    TORCH_CHECK(current_stream(captured_->stream().device_index()) == captured_->stream(),
                "capture_end(): a capture ends while the stream is current on which it began");
    try {
      captured_->end();
      if (!keeps_graph_) captured_->instantiate();
    } catch (...) {
      if (!captured_->is_open()) captured_ = nullptr;
      throw;
    }
    if (!keeps_graph_ && !is_debugged_) captured_->drop_graph();
  }

  void instantiate() override {
    check_captured("instantiate");
    TORCH_CHECK(
        keeps_graph_,
        "instantiate(): capture_end() has done it; only Graph(keep_graph=True) can be instantiated again");
    captured_->instantiate();
  }

  void replay() override {
    check_captured("replay");
    if (!captured_->has_exec()) captured_->instantiate();
    captured_->launch(current_stream(captured_->stream().device_index()), captured_);
  }

  void reset() override {
    TORCH_CHECK(
        captured_ == nullptr || captured_->abandon(),
        "reset(): a capture of this graph is under way, and only the thread that began it can end it");
    captured_ = nullptr;
  }

  MempoolId_t pool() const override {
    TORCH_CHECK(captured_ != nullptr, "pool(): this graph has no memory before capture_begin()");
    return captured_->pool();
  }

  void enable_debug_mode() override { is_debugged_ = true; }

  void debug_dump(const std::string& path) override {
    check_captured("debug_dump");
    TORCH_CHECK(
        captured_->graph() != nullptr,
        "debug_dump(): the graph was not kept; call enable_debug_mode() before the capture ends, or use "
        "Graph(keep_graph=True)");
    std::string text;
    XHAL_CHECK(xhal_graph_dump(captured_->graph(), &append_text, &text));
    std::ofstream file(path, std::ios::binary);
    file << text;
    file.close();
    TORCH_CHECK(file.good(), "debug_dump(): cannot write ", path, ": ", std::strerror(errno));
  }

 private:
  void check_captured(const char* call) const {
    TORCH_CHECK(captured_ != nullptr && !captured_->is_open(), call,
                "(): this graph has not been captured: capture_begin() and capture_end() come first");
  }

  const bool keeps_graph_;
  bool is_debugged_ = false;
  std::shared_ptr<Captured> captured_;
};

// By the device's name, which the package has chosen before it loads this library.
const bool is_registered = [] {
  at::GraphImplRegistry()->Register(device_title(), [](at::GraphImplArgs args) {
    return std::unique_ptr<at::GraphImplInterface>(new Graph(args));
  });
  return true;
}();

}  // namespace
}  // namespace torch_xhal
#endif
