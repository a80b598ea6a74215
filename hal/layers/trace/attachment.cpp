// SPDX-License-Identifier: Apache-2.0
#include "attachment.hpp"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "xhal/kit/driver.hpp"

namespace xhal::trace {
namespace {

// Above any process id that Linux gives, so that devices never share a row with a real process.
constexpr uint32_t kFirstDeviceProcess = 1U << 22;

std::atomic<uint32_t> next_device_process{kFirstDeviceProcess};
std::atomic<uint32_t> next_stream_thread{1};

uint32_t generation_of(const void* handle) {
  return static_cast<const xhal_handle_header_t*>(handle)->generation;
}

struct ThisThread {
  uint32_t process;  // tells a forked child's thread from its parent's
  uint32_t thread;
  uint32_t named_in_epoch;
  const File* named_in;
};
thread_local ThisThread this_thread = {};

void name_event(EventText& text, std::string_view what, Track track, std::string_view name) {
  text.begin('M', what, track, 0);
  text.argument("name", name);
  text.end();
}

}  // namespace

std::mutex& layer_lock() {
  static std::mutex& lock = *new std::mutex;  // never destroyed: calls may come during static destruction
  return lock;
}

Track calling_thread() {
  if (this_thread.thread == 0) {
    this_thread.process = static_cast<uint32_t>(::getpid());
    this_thread.thread = static_cast<uint32_t>(::syscall(SYS_gettid));
  }
  return {this_thread.process, this_thread.thread};
}

void forget_thread() { this_thread = {}; }

uint32_t new_device_process() { return next_device_process.fetch_add(1, std::memory_order_relaxed); }
uint32_t new_stream_thread() { return next_stream_thread.fetch_add(1, std::memory_order_relaxed); }

Attachment::Attachment(const xhal_layer_attach_t& params, File& file, DeviceMode device_mode)
    : next_(params.next),
      driver_name_(params.driver_name),
      host_context_(params.host_context),
      file_(file),
      device_times_(*this, device_mode) {}

Attachment::~Attachment() {
  std::string problem;
  {
    const std::lock_guard guard(layer_lock());
    const uint64_t now = now_ns();
    for (auto& [handle, stream] : streams_) {
      if (stream.known_done == stream.latest.submitted) continue;
      EventText text;
      text.begin('i', "completion was not seen", stream.track, now);
      text.piece(",\"s\":\"t\"");
      text.argument("operations", stream.latest.submitted - stream.known_done);
      text.end();
      append(text, now, Flush::kWhenDue, problem);
    }
    file_.flush(now);
    if (problem.empty()) problem = file_.take_problem();
  }
  log(problem);
}

void Attachment::log(const std::string& problem) const {
  if (!problem.empty()) kit::services().log(host_context_, XHAL_LOG_WARNING, "trace", problem.c_str());
}

void Attachment::append(const EventText& text, uint64_t now, Flush flush, std::string& problem) {
  if (text.overflowed()) {
    problem = "a call was too long for its record and is not in the trace; please report it";
    return;
  }
  file_.append(text.text(), now, flush);
  if (problem.empty()) problem = file_.take_problem();
}

void Attachment::write(const EventText& text, uint64_t now, Flush flush) {
  const Track track = calling_thread();
  char name[16] = "";
  std::string problem;
  {
    const std::lock_guard guard(layer_lock());
    file_.open();  // before the epoch is looked at
    if (this_thread.named_in != &file_ || this_thread.named_in_epoch != file_.epoch()) {
      this_thread.named_in = &file_;
      this_thread.named_in_epoch = file_.epoch();
      if (::pthread_getname_np(::pthread_self(), name, sizeof(name)) != 0) name[0] = '\0';
      EventText names;
      name_event(names, "process_name", track, "calls of the application");
      name_event(names, "thread_name", track, name);
      append(names, now, Flush::kWhenDue, problem);
    }
    append(text, now, flush, problem);
  }
  log(problem);
}

// ---- Streams -----------------------------------------------------------------------------------------------------------------

Stream* Attachment::find(const void* handle, uint32_t generation) {
  const auto found = streams_.find(handle);
  return found != streams_.end() && found->second.generation == generation ? &found->second : nullptr;
}

uint32_t Attachment::device_process(uint32_t device_index) {
  Device& device = devices_[device_index];
  if (device.process == 0) device.process = new_device_process();
  return device.process;
}

// Asks the driver about a stream that is seen for the first time. Only streams that the application passed in are asked about: those
// are stamped, so that layers behind this one find their state.
bool Attachment::ensure_known(xhal_stream_t handle) {
  const uint32_t generation = generation_of(handle);
  {
    const std::lock_guard guard(layer_lock());
    if (find(handle, generation) != nullptr) return false;
  }
  xhal_stream_info_t info = {};
  info.struct_size = sizeof(info);
  const bool known = next_->stream_get_info(handle, &info) == XHAL_SUCCESS;
  const std::lock_guard guard(layer_lock());
  if (find(handle, generation) != nullptr) return false;
  Stream stream;
  stream.generation = generation;
  stream.id = known ? info.id : 0;
  stream.device_index = known ? info.device_index : 0;
  stream.is_default = known && info.is_default != 0;
  stream.track = {device_process(stream.device_index), new_stream_thread()};
  streams_[handle] = stream;
  return known;
}

bool Attachment::is_capturing(xhal_stream_t handle) {
  if (!captures_seen_.load(std::memory_order_relaxed)) return false;
  xhal_capture_info_t info = {};
  info.struct_size = sizeof(info);
  return next_->stream_get_capture_info(handle, &info) == XHAL_SUCCESS &&
         info.state == XHAL_CAPTURE_STATE_ACTIVE;
}

uint32_t Attachment::epoch() {
  file_.open();
  return file_.epoch();
}

std::string Attachment::device_title(uint32_t device_index) {
  const std::string& name = devices_[device_index].name;
  return driver_name_ + " device " + std::to_string(device_index) + (name.empty() ? "" : " (" + name + ")");
}

void Attachment::name_tracks(Stream& stream, std::string& problem) {
  if (stream.named_in_epoch == file_.epoch()) return;
  stream.named_in_epoch = file_.epoch();
  EventText names;
  Device& device = devices_[stream.device_index];
  if (device.named_in_epoch != file_.epoch()) {
    device.named_in_epoch = file_.epoch();
    name_event(names, "process_name", stream.track,
               device_title(stream.device_index) + ": submitted operations, host time");
  }
  name_event(names, "thread_name", stream.track,
             (stream.is_default ? "default stream " : "stream ") + std::to_string(stream.id));
  append(names, 0, Flush::kWhenDue, problem);
}

void Attachment::submitted(const Submission& submission, const EventText& arguments) {
  const Track caller = calling_thread();
  std::string problem;
  {
    const std::lock_guard guard(layer_lock());
    Stream* stream = find(submission.stream, generation_of(submission.stream));
    if (stream == nullptr) return;  // destroyed meanwhile by another thread
    file_.open();
    name_tracks(*stream, problem);
    // Threads that submit to one stream at once would give slices that cross, which no viewer can show.
    const uint64_t begin = std::max(submission.begin_ns, stream->slices_end_ns);
    const uint64_t end = std::max(submission.end_ns, begin);
    stream->slices_end_ns = end;
    EventText text;
    text.begin('s', "submission", caller, submission.begin_ns);
    text.category("submitted");
    text.flow_id(submission.correlation);
    text.end();
    text.begin('f', "submission", stream->track, begin);
    text.category("submitted");
    text.flow_id(submission.correlation);
    text.piece(",\"bp\":\"e\"");
    text.end();
    text.begin('X', submission.name, stream->track, begin);
    text.duration(end - begin);
    text.category(submission.captured ? "captured" : "submitted");
    text.arguments_of(arguments);
    text.end();
    if (submission.counts) {
      stream->latest = {stream->latest.submitted + 1, submission.correlation, begin};
      text.begin('C', "stream " + std::to_string(stream->id) + " not known done", stream->track, end);
      text.argument("operations", stream->latest.submitted - stream->known_done);
      text.end();
    }
    append(text, submission.end_ns, Flush::kWhenDue, problem);
  }
  log(problem);
}

void Attachment::note_done(Stream& stream, const Mark& mark, std::string_view told_by, uint64_t begin_ns,
                           uint64_t now, std::string& problem) {
  if (mark.submitted <= stream.known_done) return;
  const uint64_t operations = mark.submitted - stream.known_done;
  stream.known_done = mark.submitted;
  file_.open();
  name_tracks(stream, problem);
  const Track caller = calling_thread();
  const uint64_t flow = kit::services().next_id();
  EventText text;
  text.begin('i', "known done", stream.track, now);
  text.category("completion");
  text.piece(",\"s\":\"t\"");
  text.argument("through_correlation", mark.correlation);
  text.argument("operations", operations);
  text.argument("told_by", told_by);
  text.end();
  text.begin('C', "stream " + std::to_string(stream.id) + " not known done", stream.track, now);
  text.argument("operations", stream.latest.submitted - stream.known_done);
  text.end();
  text.begin('s', "completion", stream.track, mark.begin_ns);
  text.category("completion");
  text.flow_id(flow);
  text.end();
  text.begin('f', "completion", caller, begin_ns);
  text.category("completion");
  text.flow_id(flow);
  text.piece(",\"bp\":\"e\"");
  text.end();
  append(text, now, Flush::kWhenDue, problem);
}

// ---- Answers -----------------------------------------------------------------------------------------------------------------

std::vector<Promise> Attachment::promise_of_stream(xhal_stream_t handle) {
  const uint32_t generation = generation_of(handle);
  const std::lock_guard guard(layer_lock());
  const Stream* stream = find(handle, generation);
  if (stream == nullptr || stream->latest.submitted == stream->known_done) return {};
  return {{handle, generation, stream->latest, nullptr, 0}};
}

std::vector<Promise> Attachment::promise_of_device(xhal_device_t handle) {
  {
    const std::lock_guard guard(layer_lock());
    if (streams_.empty()) return {};
  }
  uint32_t index = 0;
  bool known = false;
  {
    const std::lock_guard guard(layer_lock());
    const auto found = device_indices_.find(handle);
    known = found != device_indices_.end();
    if (known) index = found->second;
  }
  if (!known) {  // devices live as long as the instance: asked once
    xhal_device_properties_t properties = {};
    properties.struct_size = sizeof(properties);
    if (next_->device_get_properties(handle, &properties) != XHAL_SUCCESS) return {};
    index = properties.index;
  }
  const std::lock_guard guard(layer_lock());
  device_indices_[handle] = index;
  std::vector<Promise> promises;
  for (const auto& [stream, state] : streams_) {
    if (state.device_index != index || state.latest.submitted == state.known_done) continue;
    promises.push_back({stream, state.generation, state.latest, nullptr, 0});
  }
  return promises;
}

std::vector<Promise> Attachment::promise_of_event(xhal_event_t handle) {
  const std::lock_guard guard(layer_lock());
  const auto found = events_.find(handle);
  if (found == events_.end() || found->second.generation != generation_of(handle)) return {};
  const Event& event = found->second;
  if (event.stream == nullptr || event.recording > 0 || event.contended) return {};
  return {{event.stream, event.stream_generation, event.mark, handle, event.changes}};
}

void Attachment::keep(const std::vector<Promise>& promises, std::string_view told_by, uint64_t begin_ns,
                      uint64_t now) {
  if (promises.empty()) return;
  std::string problem;
  {
    const std::lock_guard guard(layer_lock());
    for (const Promise& promise : promises) {
      if (promise.event != nullptr) {
        const auto event = events_.find(promise.event);
        if (event == events_.end() || event->second.changes != promise.event_changes) continue;
      }
      if (Stream* stream = find(promise.stream, promise.stream_generation); stream != nullptr) {
        note_done(*stream, promise.mark, told_by, begin_ns, now, problem);
      }
    }
  }
  log(problem);
}

void Attachment::record_begins(xhal_event_t handle, xhal_stream_t stream_handle) {
  const std::lock_guard guard(layer_lock());
  Event& event = events_[handle];
  if (event.generation != generation_of(handle)) {
    event = Event{};
    event.generation = generation_of(handle);
  }
  event.contended = event.recording > 0;
  event.recording += 1;
  event.changes += 1;
  event.stream = nullptr;
  if (const Stream* stream = find(stream_handle, generation_of(stream_handle)); stream != nullptr) {
    event.stream = stream_handle;
    event.stream_generation = stream->generation;
    event.mark = stream->latest;
  }
}

void Attachment::record_ends(xhal_event_t handle, bool accepted) {
  const std::lock_guard guard(layer_lock());
  const auto found = events_.find(handle);
  if (found == events_.end()) return;
  Event& event = found->second;
  if (!accepted) event.stream = nullptr;  // the former record holds, which is not known any more
  event.recording -= event.recording > 0 ? 1 : 0;
  event.changes += 1;
}

// ---- What goes ---------------------------------------------------------------------------------------------------------------

void Attachment::destroyed(xhal_stream_t handle, uint64_t now) {
  std::string problem;
  {
    const std::lock_guard guard(layer_lock());
    const auto found = streams_.find(handle);
    if (found == streams_.end()) return;
    const Stream& stream = found->second;
    if (stream.known_done < stream.latest.submitted) {
      EventText text;
      text.begin('i', "destroyed; completion was not seen", stream.track, now);
      text.piece(",\"s\":\"t\"");
      text.argument("operations", stream.latest.submitted - stream.known_done);
      text.end();
      append(text, now, Flush::kWhenDue, problem);
    }
    streams_.erase(found);
  }
  log(problem);
}

void Attachment::destroyed(xhal_event_t handle) {
  const std::lock_guard guard(layer_lock());
  events_.erase(handle);
}

void Attachment::learn_device(const xhal_device_properties_t& properties) {
  const std::lock_guard guard(layer_lock());
  Device& device = devices_[properties.index];
  if (!device.name.empty()) return;
  device.name.assign(properties.name, strnlen(properties.name, sizeof(properties.name)));
  device.named_in_epoch = 0;
}

std::string Attachment::kernel_name(xhal_kernel_t handle) {
  const uint32_t generation = generation_of(handle);
  {
    const std::lock_guard guard(layer_lock());
    const auto found = kernels_.find(handle);
    if (found != kernels_.end() && found->second.generation == generation) return found->second.name;
  }
  xhal_kernel_info_t info = {};
  info.struct_size = sizeof(info);
  std::string name = "kernel";
  if (next_->kernel_get_info(handle, &info) == XHAL_SUCCESS)
    name.assign(info.name, strnlen(info.name, sizeof(info.name)));
  const std::lock_guard guard(layer_lock());
  kernels_[handle] = {generation, name};
  return name;
}

}  // namespace xhal::trace
