// SPDX-License-Identifier: Apache-2.0
// Figures and snapshots of the allocators as the dicts of torch.cuda.memory, so that what reads those reads these.
#include "python/memory.hpp"

#include <ATen/core/CachingHostAllocator.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <pybind11/stl.h>
#include <torch/csrc/profiler/combined_traceback.h>
#include <torch/csrc/profiler/python/combined_traceback.h>

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "runtime/check.hpp"
#include "runtime/driver.hpp"
#include "runtime/memory.hpp"
#include "runtime/streams.hpp"

namespace py = pybind11;

namespace torch_xhal {
namespace {

namespace caching = xhal::caching;
using torch::CapturedTraceback;

c10::DeviceIndex as_index(int device) { return checked_index(static_cast<c10::DeviceIndex>(device)); }

// ---- Figures
// Of xhal::caching and of PyTorch alike: their fields have the same names.
template <class OneStat>
py::dict dict_of(const OneStat& stat) {
  py::dict out;
  out["current"] = stat.current;
  out["peak"] = stat.peak;
  out["allocated"] = stat.allocated;
  out["freed"] = stat.freed;
  return out;
}

py::dict dict_of(const caching::StatArray& stats) {
  py::dict out;
  out["all"] = dict_of(stats.of(caching::PoolKind::kAggregate));
  out["small_pool"] = dict_of(stats.of(caching::PoolKind::kSmall));
  out["large_pool"] = dict_of(stats.of(caching::PoolKind::kLarge));
  return out;
}

py::dict memory_stats(int device) {
  py::dict out;
  caching::Allocator* const allocator = allocator_if_made(as_index(device));
  if (allocator == nullptr) return out;
  const caching::Stats stats = allocator->stats();
  const std::pair<const char*, const caching::StatArray*> arrays[] = {
      {"allocation", &stats.allocation},
      {"segment", &stats.segment},
      {"active", &stats.active},
      {"inactive_split", &stats.inactive_split},
      {"allocated_bytes", &stats.allocated_bytes},
      {"reserved_bytes", &stats.reserved_bytes},
      {"active_bytes", &stats.active_bytes},
      {"inactive_split_bytes", &stats.inactive_split_bytes},
      {"requested_bytes", &stats.requested_bytes},
  };
  for (const auto& [name, array] : arrays) out[name] = dict_of(*array);
  out["oversize_allocations"] = dict_of(stats.oversize_allocations);
  out["oversize_segments"] = dict_of(stats.oversize_segments);
  out["num_alloc_retries"] = stats.num_alloc_retries;
  out["num_ooms"] = stats.num_ooms;
  // Of requests that a policy refuses before the device is asked; the allocator has none.
  out["num_oom_rejections"] = 0;
  out["num_sync_all_streams"] = stats.num_sync_all_streams;
  out["num_device_alloc"] = stats.num_device_alloc;
  out["num_device_free"] = stats.num_device_free;
  out["max_split_size"] = stats.max_split_size;
  return out;
}

py::dict dict_of(const c10::CachingAllocator::DurationStat& stat) {
  py::dict out;
  out["total"] = stat.total;
  out["max"] = stat.max;
  out["min"] = stat.min;
  out["count"] = stat.count;
  out["avg"] = stat.count == 0 ? 0 : stat.total / stat.count;
  return out;
}

py::dict host_memory_stats() {
  const at::HostStats stats = at::getHostAllocator(kDevice)->get_stats();
  py::dict out;
  out["allocations"] = dict_of(stats.allocations);
  out["allocated_bytes"] = dict_of(stats.allocated_bytes);
  out["active_requests"] = dict_of(stats.active_requests);
  out["active_bytes"] = dict_of(stats.active_bytes);
  out["host_alloc_time"] = dict_of(stats.host_alloc_time);
  out["host_free_time"] = dict_of(stats.host_free_time);
  out["num_host_alloc"] = stats.num_host_alloc;
  out["num_host_free"] = stats.num_host_free;
  return out;
}

// ---- Snapshots
// Frames of all contexts of a snapshot are looked up at once: many are the same, and a look-up of C++ names is slow.
class FramesOf {
 public:
  void want(const caching::Context& context) {
    if (context == nullptr || !indices_.try_emplace(context.get(), wanted_.size()).second) return;
    wanted_.push_back(static_cast<CapturedTraceback*>(context.get()));
  }
  void look_up() {
    if (!wanted_.empty()) found_ = torch::py_symbolize(wanted_);
  }
  py::object operator()(const caching::Context& context) const {
    return context == nullptr ? py::list() : found_[indices_.at(context.get())];
  }

 private:
  std::unordered_map<const void*, size_t> indices_;
  std::vector<CapturedTraceback*> wanted_;
  std::vector<py::object> found_;
};

// Streams by PyTorch's numbers, each looked up once.
class NumbersOf {
 public:
  explicit NumbersOf(c10::DeviceIndex device) : device_(device) {}
  int64_t operator()(uint64_t id) {
    const auto [place, is_new] = known_.try_emplace(id, -1);
    if (is_new) place->second = number_of(device_, id);
    return place->second;
  }

 private:
  c10::DeviceIndex device_;
  std::unordered_map<uint64_t, int64_t> known_;
};

py::tuple tuple_of(caching::PoolId pool) { return py::make_tuple(pool.first, pool.second); }

const char* state_of(const caching::BlockInfo& block) {
  if (block.is_live) return "active_allocated";
  return block.is_active ? "active_awaiting_free" : "inactive";
}

py::dict dict_of(const caching::SegmentInfo& segment, c10::DeviceIndex device, NumbersOf& numbers,
                 const FramesOf& frames) {
  py::dict out;
  out["device"] = static_cast<int>(device);
  out["address"] = segment.address;
  out["total_size"] = segment.total_size;
  out["allocated_size"] = segment.live_size;
  out["active_size"] = segment.active_size;
  out["requested_size"] = segment.requested_size;
  out["stream"] = numbers(segment.stream_id);
  out["segment_type"] = segment.is_large ? "large" : "small";
  out["segment_pool_id"] = tuple_of(segment.pool);
  out["is_expandable"] = segment.is_expandable;
  out["frames"] = frames(segment.allocated_at);
  py::list blocks;
  for (const auto& block : segment.blocks) {
    py::dict one;
    one["address"] = block.address;
    one["size"] = block.size;
    one["requested_size"] = block.requested_size;
    one["state"] = state_of(block);
    one["frames"] = frames(block.allocated_at);
    blocks.append(std::move(one));
  }
  out["blocks"] = std::move(blocks);
  return out;
}

py::dict dict_of(const caching::TraceEntry& entry, NumbersOf& numbers, const FramesOf& frames) {
  py::dict out;
  out["action"] = caching::name_of(entry.action);
  out[entry.action == caching::Action::kOutOfMemory ? "device_free" : "addr"] = entry.address;
  out["size"] = entry.size;
  out["stream"] = numbers(entry.stream_id);
  out["pool_id"] = tuple_of(entry.pool);
  out["time_us"] = entry.time_ns / 1000;
  out["frames"] = frames(entry.context);
  return out;
}

py::dict settings_of(const caching::Settings& settings) {
  py::dict out;
  const bool has_limit = settings.max_split_bytes != UINT64_MAX;
  out["max_split_size"] = has_limit ? static_cast<int64_t>(settings.max_split_bytes) : int64_t{-1};
  out["garbage_collection_threshold"] = settings.collect_above;
  out["expandable_segments"] = settings.expandable;
  py::dict divisions;
  for (size_t i = 0; i < settings.divisions.size(); ++i)
    divisions[py::str(std::to_string(uint64_t{1} << i))] = settings.divisions[i];
  out["roundup_power2_divisions"] = std::move(divisions);
  return out;
}

// None for a device whose memory nobody has used. Traces may be long: who does not want them does not pay for them.
py::object snapshot_of(int device, bool has_trace) {
  const c10::DeviceIndex index = as_index(device);
  caching::Allocator* const allocator = allocator_if_made(index);
  if (allocator == nullptr) return py::none();
  caching::Snapshot snapshot;
  {
    // Whoever holds the allocator's lock may want this one.
    const py::gil_scoped_release released;
    snapshot = allocator->snapshot();
  }
  if (!has_trace) snapshot.trace.clear();
  FramesOf frames;
  for (const auto& segment : snapshot.segments) {
    frames.want(segment.allocated_at);
    for (const auto& block : segment.blocks) frames.want(block.allocated_at);
  }
  for (const auto& entry : snapshot.trace) frames.want(entry.context);
  frames.look_up();
  NumbersOf numbers(index);
  py::list segments, trace;
  for (const auto& segment : snapshot.segments) segments.append(dict_of(segment, index, numbers, frames));
  for (const auto& entry : snapshot.trace) trace.append(dict_of(entry, numbers, frames));
  py::dict out;
  out["segments"] = std::move(segments);
  out["trace"] = std::move(trace);
  out["settings"] = settings_of(allocator->settings());
  return out;
}

// ---- Recording
caching::Context gather_python() { return CapturedTraceback::gather(true, true, false); }
caching::Context gather_all() { return CapturedTraceback::gather(true, true, true); }

void start_recording(const std::string& context, bool has_cpp, uint64_t max_entries) {
  HistorySettings recording;
  recording.max_entries = max_entries;
  if (context == "state") recording.keep = caching::KeepContexts::kOfLiveBlocks;
  if (context == "alloc") recording.keep = caching::KeepContexts::kOfAllocations;
  if (context == "all") recording.keep = caching::KeepContexts::kOfAll;
  recording.context = has_cpp ? &gather_all : &gather_python;
  const py::gil_scoped_release released;
  record_history(std::move(recording));
}

void stop_recording() {
  {
    const py::gil_scoped_release released;
    record_history({});
  }
  torch::freeDeadCapturedTracebackFrames();
}

// The frames of the live block that begins there; None when there is none, or nothing was recorded.
py::object traceback_of(uintptr_t address) {
  for (c10::DeviceIndex device = 0; device < device_count(); ++device) {
    caching::Allocator* const allocator = allocator_if_made(device);
    if (allocator == nullptr || allocator->find(reinterpret_cast<void*>(address)) == nullptr) continue;
    for (const auto& segment : allocator->snapshot().segments)
      for (const auto& block : segment.blocks)
        if (block.address == address && block.is_live && block.allocated_at != nullptr) {
          FramesOf frames;
          frames.want(block.allocated_at);
          frames.look_up();
          return frames(block.allocated_at);
        }
  }
  return py::none();
}

// ---- Memory without a tensor
uintptr_t allocate_raw(uint64_t bytes, int device, int64_t stream) {
  const c10::Device of(kDevice, as_index(device));
  const c10::Stream on(c10::Stream::UNSAFE, of, stream);
  const py::gil_scoped_release released;
  return reinterpret_cast<uintptr_t>(caching::address_of(allocate_block(bytes, on)));
}

void free_raw(uintptr_t address) {
  if (address == 0) return;
  const auto* const pointer = reinterpret_cast<const void*>(address);
  for (c10::DeviceIndex device = 0; device < device_count(); ++device) {
    caching::Allocator* const allocator = allocator_if_made(device);
    caching::Block* const block = allocator == nullptr ? nullptr : allocator->find(pointer);
    if (block == nullptr || caching::address_of(block) != pointer) continue;
    allocator->free(block);
    return;
  }
  TORCH_CHECK(false, "invalid device pointer: ", pointer);
}

}  // namespace

void bind_memory(py::module& m) {
  m.def("memory_stats", &memory_stats);
  m.def("host_memory_stats", &host_memory_stats);
  m.def("reset_peak_host_memory_stats", [] { at::getHostAllocator(kDevice)->reset_peak_stats(); });
  m.def("reset_accumulated_host_memory_stats",
        [] { at::getHostAllocator(kDevice)->reset_accumulated_stats(); });
  m.def("reset_peak_memory_stats", [](int device) {
    if (auto* const allocator = allocator_if_made(as_index(device))) allocator->reset_peaks();
  });
  m.def("reset_accumulated_memory_stats", [](int device) {
    if (auto* const allocator = allocator_if_made(as_index(device))) allocator->reset_sums();
  });
  m.def("memory_info",
        [](int device) { return c10::getDeviceAllocator(kDevice)->getMemoryInfo(as_index(device)); });
  m.def(
      "empty_cache",
      [](uint64_t first, uint64_t second) {
        c10::getDeviceAllocator(kDevice)->emptyCache({first, second});
      },
      py::arg("first") = 0, py::arg("second") = 0, py::call_guard<py::gil_scoped_release>());
  m.def("set_memory_fraction", [](double fraction, int device) {
    TORCH_CHECK_VALUE(caching_allocator(as_index(device)).set_memory_fraction(fraction) == XHAL_SUCCESS,
                      "a memory fraction is above 0 and at most 1, not ", fraction);
  });
  m.def("memory_fraction", [](int device) { return caching_allocator(as_index(device)).memory_fraction(); });
  m.def("memory_snapshot", &snapshot_of);
  m.def("start_recording", &start_recording);
  m.def("stop_recording", &stop_recording);
  m.def("allocation_traceback", &traceback_of);
  m.def("allocate_raw", &allocate_raw);
  m.def("free_raw", &free_raw);
}

}  // namespace torch_xhal
