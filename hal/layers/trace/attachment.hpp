// SPDX-License-Identifier: Apache-2.0
// What the layer knows of one driver of one instance: the calls to go on to, its streams and events, and the file.
//
// One lock guards all of the layer's state; it is held for a few map look-ups and a copy into the file's buffer, never while a
// driver, libxhal or the application runs, so that it cannot be part of a cycle. Events' texts are made before it is taken.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "device_times.hpp"
#include "event_text.hpp"
#include "file.hpp"
#include "xhal/driver.h"

namespace xhal::trace {

std::mutex& layer_lock();

// How far a stream had come at some moment: the operations submitted until then and the latest of them.
struct Mark {
  uint64_t submitted = 0;
  uint64_t correlation = 0;
  uint64_t begin_ns = 0;
};

struct Stream {
  uint32_t generation = 0;
  uint64_t id = 0;
  Track track = {};
  uint32_t device_index = 0;
  bool is_default = false;
  uint32_t named_in_epoch = 0;
  Mark latest;
  uint64_t known_done = 0;  // operations of the stream that some answer told to be done
  uint64_t slices_end_ns = 0;
};

// An event as the layer sees it. An answer is used only when it surely speaks of the record that was looked at: none began or ended
// meanwhile, and no two threads recorded at once.
struct Event {
  uint32_t generation = 0;
  uint32_t recording = 0;  // threads inside a record
  bool contended = false;
  uint64_t changes = 0;
  const void* stream = nullptr;  // null: not known
  uint32_t stream_generation = 0;
  Mark mark;
};

// A stream, and how far an answer that is on its way will tell it to be done.
struct Promise {
  const void* stream = nullptr;
  uint32_t stream_generation = 0;
  Mark mark;
  const void* event = nullptr;  // whose record it is about, when it is about an event
  uint64_t event_changes = 0;
};

class Attachment {
 public:
  Attachment(const xhal_layer_attach_t& params, File& file, DeviceMode device_mode);
  Attachment(const Attachment&) = delete;
  Attachment& operator=(const Attachment&) = delete;
  ~Attachment();

  [[nodiscard]] const xhal_functions_t& next() const { return *next_; }
  // False when the file is full or broken: calls then just go on.
  [[nodiscard]] bool recording() const { return file_.recording(); }
  [[nodiscard]] const std::string& driver_name() const { return driver_name_; }
  [[nodiscard]] DeviceTimes& device_times() { return device_times_; }

  // Appends a call's events, and the name of the calling thread before its first.
  void write(const EventText& text, uint64_t now_ns, Flush flush);

  // ---- Submissions: shown on the stream's track ----
  struct Submission {
    xhal_stream_t stream;
    std::string_view name;
    uint64_t correlation;
    uint64_t begin_ns, end_ns;
    bool counts;    // a record of an event asks about work; it is none
    bool captured;  // became a node of a graph and does not run now
  };
  void submitted(const Submission& submission, const EventText& arguments);

  // ---- Answers that tell completion ----
  // Made before the call goes on: what is submitted during it is not part of the answer.
  std::vector<Promise> promise_of_stream(xhal_stream_t stream);
  std::vector<Promise> promise_of_device(xhal_device_t device);
  std::vector<Promise> promise_of_event(xhal_event_t event);
  // `told_by` answered success at `now_ns`.
  void keep(const std::vector<Promise>& promises, std::string_view told_by, uint64_t begin_ns,
            uint64_t now_ns);

  // Asks the driver about a stream that was not seen before; true for such a one, unless a layer or the driver refuses the handle.
  bool ensure_known(xhal_stream_t stream);
  // Whether what is submitted to the stream becomes a node of a graph. Nobody is asked before the first capture.
  bool is_capturing(xhal_stream_t stream);
  void capture_began() { captures_seen_.store(true, std::memory_order_relaxed); }
  void record_begins(xhal_event_t event, xhal_stream_t stream);
  void record_ends(xhal_event_t event, bool accepted);

  void destroyed(xhal_stream_t stream, uint64_t now_ns);
  void destroyed(xhal_event_t event);
  void learn_device(const xhal_device_properties_t& properties);
  // The kernel's name, asked for once.
  std::string kernel_name(xhal_kernel_t kernel);
  // Without the lock. Nothing where there is no problem.
  void log(const std::string& problem) const;

  // ---- For device times, with the lock held ----
  void append(const EventText& text, uint64_t now_ns, Flush flush, std::string& problem);
  // Of the file that is open now: names of tracks belong to one.
  uint32_t epoch();
  // "sim device 0 (its name)"
  std::string device_title(uint32_t device_index);

 private:
  // With the lock held.
  Stream* find(const void* handle, uint32_t generation);
  uint32_t device_process(uint32_t device_index);
  void name_tracks(Stream& stream, std::string& problem);
  void note_done(Stream& stream, const Mark& mark, std::string_view told_by, uint64_t begin_ns,
                 uint64_t now_ns, std::string& problem);

  const xhal_functions_t* next_;
  std::string driver_name_;
  void* host_context_;
  File& file_;
  std::atomic<bool> captures_seen_{false};
  std::unordered_map<const void*, Stream> streams_;
  std::unordered_map<const void*, Event> events_;
  struct Kernel {
    uint32_t generation;
    std::string name;
  };
  std::unordered_map<const void*, Kernel> kernels_;
  struct Device {
    uint32_t process = 0;
    std::string name;
    uint32_t named_in_epoch = 0;
  };
  std::unordered_map<uint32_t, Device> devices_;
  std::unordered_map<const void*, uint32_t> device_indices_;
  DeviceTimes device_times_;
};

// Numbers of rows that no other device or stream has.
uint32_t new_device_process();
uint32_t new_stream_thread();

// The calling thread's track.
Track calling_thread();
// In a forked child: the thread has another process and number now.
void forget_thread();

}  // namespace xhal::trace
