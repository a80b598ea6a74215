// SPDX-License-Identifier: Apache-2.0
// A trace file: a JSON array that is whole after each write, so that a crash loses what was not written yet and nothing else.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace xhal::trace {

struct FileSettings {
  std::string path;  // "%p" in it stands for the process id
  uint64_t limit = uint64_t{1} << 30;
  bool each_call = false;  // write after every call instead of at the times that docs name
};

// When what is buffered must be in the file.
enum class Flush { kWhenDue, kNow };

// One for each path of a process; shared by the instances that ask for it. Calls are made with the layer's lock held.
class File {
 public:
  explicit File(FileSettings settings) : settings_(std::move(settings)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  // False when it cannot be written; problem() then says why.
  bool open();
  // Appends whole events, each beginning with ",\n".
  void append(std::string_view events, uint64_t now_ns, Flush flush);
  void flush(uint64_t now_ns);

  // In a forked child: the parent's file is left to the parent; the next event opens one of its own, whose name has the child's
  // process id at its end where the path has no "%p".
  void leave_to_parent();
  // After this every event is written at once: nobody may come to flush it.
  void write_through();

  // Rises when a new file is begun: names of tracks must be told again.
  [[nodiscard]] uint32_t epoch() const { return epoch_; }
  [[nodiscard]] const FileSettings& settings() const { return settings_; }
  // False once the file is full or broken. The one thing that is asked without the lock.
  [[nodiscard]] bool recording() const { return recording_.load(std::memory_order_relaxed); }
  // One line to be logged, once; "" when there is none.
  std::string take_problem() { return std::exchange(problem_, {}); }

 private:
  enum class State { kNotOpen, kOpen, kOff };

  [[nodiscard]] std::string own_path() const;
  void stop(std::string problem);
  bool write_buffer();

  FileSettings settings_;
  State state_ = State::kNotOpen;
  int fd_ = -1;
  uint64_t limit_ = 0;
  bool in_child_ = false;
  uint64_t offset_ = 0;  // end of the events in the file; the closing bracket stands behind it
  std::string path_;     // as it was opened
  std::string buffer_;
  uint64_t last_flush_ns_ = 0;
  std::atomic<bool> recording_{true};
  uint32_t epoch_ = 0;
  std::string problem_;
};

// The process's file of these settings' path; the settings of who asked first hold. Never destroyed: calls may come late.
File& file_of(const FileSettings& settings);
void write_through_all_files();
void leave_all_files_to_parent();

uint64_t now_ns();

}  // namespace xhal::trace
