// SPDX-License-Identifier: Apache-2.0
// The profiler that PyTorch's Kineto asks for a device's part of a trace.
#include "torch_version.hpp"

#if TORCH_XHAL_HAS_PROFILER
#include <c10/util/Exception.h>
#include <libkineto.h>
#include <output_base.h>
#include <torch/csrc/profiler/standalone/privateuse1_profiler.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "profiler/calls.hpp"
#include "profiler/recorder.hpp"
#include "runtime/driver.hpp"
#include "runtime/streams.hpp"

namespace torch_xhal {
namespace {

using libkineto::ActivityType;
using libkineto::GenericTraceActivity;

const std::set<ActivityType>& known_types() {
  static const std::set<ActivityType> types = {ActivityType::CONCURRENT_KERNEL, ActivityType::GPU_MEMCPY,
                                               ActivityType::GPU_MEMSET, ActivityType::PRIVATEUSE1_RUNTIME};
  return types;
}

const char* way_of_copy(uint32_t detail) {
  switch (detail) {
    case XHAL_COPY_PAGEABLE_TO_DEVICE:
      return "HtoD (Pageable -> Device)";
    case XHAL_COPY_DEVICE_TO_PAGEABLE:
      return "DtoH (Device -> Pageable)";
    case XHAL_COPY_PINNED_TO_DEVICE:
      return "HtoD (Pinned -> Device)";
    case XHAL_COPY_DEVICE_TO_PINNED:
      return "DtoH (Device -> Pinned)";
    case XHAL_COPY_DEVICE_TO_DEVICE:
      return "DtoD (Device -> Device)";
    case XHAL_COPY_DEVICE_TO_PEER:
      return "PtoP (Device -> Peer)";
    default:
      return "HtoH (Host -> Host)";
  }
}

std::pair<ActivityType, std::string> kind_of(const Activity& activity) {
  if (activity.kind == XHAL_ACTIVITY_COPY)
    return {ActivityType::GPU_MEMCPY, std::string("Memcpy ") + way_of_copy(activity.detail)};
  if (activity.kind == XHAL_ACTIVITY_FILL) return {ActivityType::GPU_MEMSET, "Memset (Device)"};
  return {ActivityType::CONCURRENT_KERNEL, activity.name->empty() ? "kernel" : *activity.name};
}

// PyTorch's numbers of streams; those that it does not know get numbers behind.
class StreamRows {
 public:
  int32_t of(c10::DeviceIndex device, uint64_t id) {
    if (const auto known = rows_.find({device, id}); known != rows_.end()) return known->second;
    int32_t row = 0;
    for (; row < kMostStreams; ++row) {
      try {
        const c10::Stream numbered(c10::Stream::UNSAFE, c10::Device(kDevice, device), row);
        if (stream_of(numbered).id == id) break;
      } catch (const c10::Error&) {
        row = kMostStreams + static_cast<int32_t>(rows_.size());
        break;
      }
    }
    return rows_[{device, id}] = row;
  }
  const std::map<std::pair<c10::DeviceIndex, uint64_t>, int32_t>& all() const { return rows_; }

 private:
  static constexpr int32_t kMostStreams = 4096;
  std::map<std::pair<c10::DeviceIndex, uint64_t>, int32_t> rows_;
};

class Session final : public libkineto::IActivityProfilerSession {
 public:
  ~Session() override {
    if (status_ == libkineto::TraceStatus::RECORDING) stop();
  }

  void start() override {
    const bool is_correlated =
        std::any_of(driver().devices.begin(), driver().devices.end(),
                    [](const Device& device) { return has_feature(device, XHAL_FEATURE_ACTIVITY); });
    start_recording_activity();
    start_recording_calls(is_correlated);
    status_ = libkineto::TraceStatus::RECORDING;
  }
  void stop() override {
    calls_ = stop_recording_calls();
    recording_ = stop_recording_activity();
    for (const std::string& error : recording_.errors)
      TORCH_WARN("the profile of ", device_title(), " is not complete: ", error);
    status_ = libkineto::TraceStatus::PROCESSING;
  }

  std::vector<std::string> errors() override { return recording_.errors; }
  void processTrace(libkineto::ActivityLogger& logger) override {
    process(
        logger, [](int32_t) { return nullptr; }, 0, INT64_MAX);
  }
  void processTrace(libkineto::ActivityLogger& logger, libkineto::getLinkedActivityCallback linked,
                    int64_t begin, int64_t end) override {
    process(logger, linked, begin, end);
  }

  // Several devices do not fit into this answer: processTrace names them.
  std::unique_ptr<libkineto::DeviceInfo> getDeviceInfo() override { return nullptr; }
  std::vector<libkineto::ResourceInfo> getResourceInfos() override {
    std::vector<libkineto::ResourceInfo> out;
    for (const auto& [stream, row] : rows_.all())
      out.push_back({row, row, stream.first, "stream " + std::to_string(row)});
    return out;
  }
  // Who takes the buffer keeps the activities alive, which the logger has only seen.
  std::unique_ptr<libkineto::CpuTraceBuffer> getTraceBuffer() override { return std::move(buffer_); }

  void pushCorrelationId(uint64_t id) override { enter_operator(id); }
  void popCorrelationId() override { leave_operator(); }

 private:
  GenericTraceActivity& add(ActivityType type, const std::string& name, uint64_t id, int64_t begin,
                            int64_t end) {
    buffer_->emplace_activity(buffer_->span, type, name);
    GenericTraceActivity& out = *buffer_->activities.back();
    out.startTime = begin;
    out.endTime = end;
    out.id = static_cast<int32_t>(id);
    return out;
  }

  void process(libkineto::ActivityLogger& logger, const libkineto::getLinkedActivityCallback& linked,
               int64_t begin, int64_t end) {
    buffer_ = std::make_unique<libkineto::CpuTraceBuffer>();
    buffer_->span.name = device_title();
    // A session may run for longer than the window that the trace is of: through the warm-up of a schedule.
    uint64_t first_call = UINT64_MAX, last_call = 0;
    for (const Call& call : calls_) {
      first_call = std::min(first_call, call.id);
      last_call = std::max(last_call, call.id);
    }
    std::erase_if(calls_, [&](const Call& of) { return of.begin_ns < begin || of.begin_ns > end; });
    std::unordered_map<uint64_t, const Call*> by_id;
    for (const Call& call : calls_) by_id[call.id] = &call;
    // What was submitted before, or by somebody else, has no call: it belongs to the trace if it began within. The work of a call
    // outside of the window goes with its call.
    std::erase_if(recording_.activities, [&](const Activity& of) {
      const bool is_watched = of.call_id >= first_call && of.call_id <= last_call;
      return is_watched ? !by_id.contains(of.call_id) : of.begin_ns < begin;
    });
    buffer_->gpuOpCount = static_cast<int>(recording_.activities.size());
    std::set<uint64_t> with_work;
    for (const Activity& activity : recording_.activities) with_work.insert(activity.call_id);

    for (const Call& call : calls_) {
      GenericTraceActivity& out =
          add(ActivityType::PRIVATEUSE1_RUNTIME, call.name, call.id, call.begin_ns, call.end_ns);
      out.device = getpid();
      out.resource = out.threadId = call.thread;
      if (with_work.contains(call.id)) {
        out.flow.id = static_cast<uint32_t>(call.id);
        out.flow.type = libkineto::kLinkAsyncCpuGpu;
        out.flow.start = 1;
      }
      if (call.operator_id != 0) out.linked = linked(static_cast<int32_t>(call.operator_id));
      out.addMetadata("correlation", call.id);
      out.log(logger);
    }
    for (const Activity& activity : recording_.activities) {
      const auto [type, name] = kind_of(activity);
      GenericTraceActivity& out = add(type, name, activity.call_id, activity.begin_ns, activity.end_ns);
      out.device = activity.device;
      out.resource = out.threadId = rows_.of(activity.device, activity.stream);
      const auto call = by_id.find(activity.call_id);
      if (call != by_id.end()) {
        out.flow.id = static_cast<uint32_t>(activity.call_id);
        out.flow.type = libkineto::kLinkAsyncCpuGpu;
        if (call->second->operator_id != 0)
          out.linked = linked(static_cast<int32_t>(call->second->operator_id));
      }
      out.addMetadata("device", static_cast<int>(activity.device));
      out.addMetadata("stream", out.resource);
      out.addMetadata("correlation", activity.call_id);
      if (activity.bytes != 0) out.addMetadata("bytes", activity.bytes);
      out.log(logger);
    }
    name_devices(logger, begin);
    recording_ = {};
    calls_ = {};
  }

  void name_devices(libkineto::ActivityLogger& logger, int64_t begin) const {
    std::set<c10::DeviceIndex> seen;
    for (const auto& [stream, row] : rows_.all()) seen.insert(stream.first);
    for (const c10::DeviceIndex device : seen)
      logger.handleDeviceInfo({device, libkineto::kExceedMaxPid + device, device_at(device).properties.name,
                               device_title() + " " + std::to_string(device)},
                              begin);
  }

  std::vector<Call> calls_;
  Recording recording_;
  StreamRows rows_;
  std::unique_ptr<libkineto::CpuTraceBuffer> buffer_;
};

class Profiler final : public libkineto::IActivityProfiler {
 public:
  const std::string& name() const override { return name_; }
  const std::set<ActivityType>& availableActivities() const override { return known_types(); }
  std::unique_ptr<libkineto::IActivityProfilerSession> configure(const std::set<ActivityType>& types,
                                                                 const libkineto::Config&) override {
    // A profile of the host alone asks as well.
    if (!types.contains(ActivityType::CONCURRENT_KERNEL)) return nullptr;
    if (device_count() == 0) {
      TORCH_WARN_ONCE("no ", device_title(), " device to profile: ", driver().why_none);
      return nullptr;
    }
    if (const std::string lacking = devices_without_activity(); !lacking.empty()) {
      TORCH_WARN_ONCE("the profile shows the host's part alone of ", lacking,
                      ", as the driver has no activity records (xhal's feature 'activity'). Times of "
                      "operators by events: "
                      "torch.autograd.profiler.profile(use_device='",
                      c10::DeviceTypeName(kDevice, true), "', use_kineto=False)");
    }
    return std::make_unique<Session>();
  }
  std::unique_ptr<libkineto::IActivityProfilerSession> configure(int64_t, int64_t,
                                                                 const std::set<ActivityType>& types,
                                                                 const libkineto::Config& config) override {
    return configure(types, config);
  }

 private:
  const std::string name_ = "xhal";
};

using torch::profiler::impl::PrivateUse1ProfilerRegistry;
REGISTER_PRIVATEUSE1_PROFILER(Profiler);

}  // namespace
}  // namespace torch_xhal
#endif
