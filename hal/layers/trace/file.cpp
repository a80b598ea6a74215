// SPDX-License-Identifier: Apache-2.0
#include "file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "event_text.hpp"

namespace xhal::trace {
namespace {

constexpr size_t kBufferBytes = size_t{64} << 10;
constexpr uint64_t kFlushAfterNs = 50'000'000;
constexpr std::string_view kClosing = "\n]\n";
constexpr const char* kTaken = "another process writes it";
// Kept free below the limit for the note that something is missing.
constexpr uint64_t kNoteBytes = 512;
constexpr uint64_t kSmallestLimit = 4096;

uint64_t clock_ns(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000U + static_cast<uint64_t>(time.tv_nsec);
}

std::vector<File*>& all_files() {
  static auto& files = *new std::vector<File*>;  // for ever: see file_of
  return files;
}

const char* text_of_errno() {
  return strerrordesc_np(errno) != nullptr ? strerrordesc_np(errno) : "unknown error";
}

// Opens without waiting for anyone (a FIFO has no reader) and without touching what is there yet. Null text: fine.
std::string open_locked(const std::string& path, int& fd) {
  fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0644);
  if (fd < 0) return text_of_errno();
  struct stat status {};
  std::string problem;
  if (::fstat(fd, &status) != 0) {
    problem = text_of_errno();
  } else if (!S_ISREG(status.st_mode)) {
    problem = "not a regular file";
  } else if (::flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    problem = kTaken;
  }
  if (!problem.empty()) {
    ::close(fd);
    fd = -1;
  }
  return problem;
}

}  // namespace

uint64_t now_ns() { return clock_ns(CLOCK_MONOTONIC); }

std::string File::own_path() const {
  std::string path = settings_.path;
  const std::string id = std::to_string(::getpid());
  if (in_child_ && path.find("%p") == std::string::npos) path += "." + id;
  for (size_t at = path.find("%p"); at != std::string::npos; at = path.find("%p", at + id.size()))
    path.replace(at, 2, id);
  return path;
}

bool File::open() {
  if (state_ != State::kNotOpen) return state_ == State::kOpen;
  std::string path = own_path();
  std::string problem = open_locked(path, fd_);
  if (problem == kTaken) {  // the ranks of one job were given one name
    path += "." + std::to_string(::getpid());
    problem = open_locked(path, fd_);
  }
  if (problem.empty() && ::ftruncate(fd_, 0) != 0) problem = text_of_errno();
  limit_ = settings_.limit;
  rlimit allowed{};
  // Writing beyond it would end the program by SIGXFSZ.
  if (::getrlimit(RLIMIT_FSIZE, &allowed) == 0) limit_ = std::min<uint64_t>(limit_, allowed.rlim_cur);
  if (problem.empty() && limit_ < kSmallestLimit)
    problem = "the process may write files of " + std::to_string(limit_) + " bytes only";
  if (!problem.empty()) {
    stop("no trace: '" + path + "' cannot be written: " + problem +
         "; name another file with XHAL_TRACE=file=PATH");
    return false;
  }
  state_ = State::kOpen;
  path_ = path;
  ++epoch_;
  offset_ = 0;
  recording_.store(true, std::memory_order_relaxed);
  last_flush_ns_ = now_ns();
  buffer_.reserve(kBufferBytes + (size_t{16} << 10));
  // Both clocks at one moment, so that traces of several machines can be laid side by side.
  EventText first;
  first.begin('M', "xhal_trace", {static_cast<uint32_t>(::getpid()), 0}, 0);
  first.argument("clock", std::string_view("CLOCK_MONOTONIC"));
  first.argument("monotonic_ns", last_flush_ns_);
  first.argument("realtime_ns", clock_ns(CLOCK_REALTIME));
  first.end();
  buffer_ = "[" + std::string(first.text().substr(1));  // the first event has no comma before it
  return write_buffer();
}

// Nothing of this file is tried again. The events that were written stay a whole array.
void File::stop(std::string problem) {
  if (fd_ >= 0) {
    if (offset_ > 0 && ::pwrite(fd_, kClosing.data(), kClosing.size(), static_cast<off_t>(offset_)) >= 0) {
      (void)!::ftruncate(fd_, static_cast<off_t>(offset_ + kClosing.size()));
    }
    ::close(fd_);
    fd_ = -1;
  }
  state_ = State::kOff;
  recording_.store(false, std::memory_order_relaxed);
  buffer_ = {};
  problem_ = std::move(problem);
}

bool File::write_buffer() {
  if (buffer_.empty()) return true;
  const size_t events = buffer_.size();
  buffer_ += kClosing;
  size_t done = 0;
  while (done < buffer_.size()) {
    const ssize_t written =
        ::pwrite(fd_, buffer_.data() + done, buffer_.size() - done, static_cast<off_t>(offset_ + done));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      const std::string reason = written < 0 ? text_of_errno() : "nothing was written";
      stop("the trace ends here: writing '" + path_ + "' failed: " + reason +
           "; what was written before can be opened (XHAL_TRACE=file=PATH names another file)");
      return false;
    }
    done += static_cast<size_t>(written);
  }
  offset_ += events;
  buffer_.clear();
  return true;
}

void File::append(std::string_view events, uint64_t now, Flush flush) {
  if (state_ == State::kNotOpen) open();
  // Once full always full, or small events would go on between the gaps that large ones left.
  if (state_ != State::kOpen || !recording()) return;
  if (offset_ + buffer_.size() + events.size() + kClosing.size() + kNoteBytes > limit_) {
    recording_.store(false, std::memory_order_relaxed);
    problem_ = "the trace has reached its limit of " + std::to_string(limit_) +
               " bytes; later calls are not in it (XHAL_TRACE=limit=BYTES raises the limit)";
    EventText note;
    note.begin('i', "limit reached: later calls are not in this trace",
               {static_cast<uint32_t>(::getpid()), 0}, now);
    note.piece(",\"s\":\"g\"");
    note.end();
    buffer_ += note.text();
    write_buffer();
    return;
  }
  buffer_ += events;
  const bool due = buffer_.size() >= kBufferBytes || now >= last_flush_ns_ + kFlushAfterNs;
  if (flush == Flush::kNow || settings_.each_call || due) this->flush(now);
}

void File::flush(uint64_t now) {
  if (state_ != State::kOpen) return;
  last_flush_ns_ = now;
  write_buffer();
}

void File::write_through() {
  settings_.each_call = true;
  flush(now_ns());
}

void File::leave_to_parent() {
  if (fd_ >= 0) ::close(fd_);  // the parent's lock on the file is the parent's descriptor's, too
  fd_ = -1;
  buffer_.clear();
  state_ = State::kNotOpen;
  in_child_ = true;
  recording_.store(true, std::memory_order_relaxed);
}

File& file_of(const FileSettings& settings) {
  for (File* file : all_files()) {
    if (file->settings().path == settings.path) return *file;
  }
  return *all_files().emplace_back(new File(settings));
}

void write_through_all_files() {
  for (File* file : all_files()) file->write_through();
}

void leave_all_files_to_parent() {
  for (File* file : all_files()) file->leave_to_parent();
}

}  // namespace xhal::trace
