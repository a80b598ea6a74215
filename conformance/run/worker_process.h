// SPDX-License-Identifier: Apache-2.0
// The parent's view of one worker.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <deque>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "frame/trail.h"
#include "run/protocol.h"

namespace xhal::conformance {

// Descriptors at which a worker finds its socket and its trail.
inline constexpr int kWorkerChannel = 3;
inline constexpr int kWorkerTrail = 4;

class WorkerProcess {
 public:
  using Clock = std::chrono::steady_clock;

  WorkerProcess();   // starts this program again; throws std::system_error
  ~WorkerProcess();  // kills it and whatever it has started
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  void send(const nlohmann::json& message);
  // The next message that has arrived.
  std::optional<nlohmann::json> next();
  // Reads what is there, without blocking.
  void pump();
  // Descriptors that turn readable when there is something to pump.
  [[nodiscard]] std::vector<int> descriptors() const;

  [[nodiscard]] bool exited() const { return exited_; }
  [[nodiscard]] bool lost() const { return reader_.broken(); }
  // "ended by SIGSEGV", "left with exit code 23", "left without being told"; "" for exit code 0.
  [[nodiscard]] std::string ending(bool expected) const;
  void kill();

  [[nodiscard]] const TrailReader& trail() const { return trail_; }
  // The end of what it printed since the last clear.
  [[nodiscard]] const std::string& log() const { return log_; }
  void clear_log() { log_.clear(); }

 private:
  void read_channel();
  void read_log();
  void reap();

  TrailReader trail_;
  pid_t pid_ = -1;
  int pid_fd_ = -1;
  int channel_ = -1;
  int log_fd_ = -1;
  bool exited_ = false;
  int status_ = 0;
  FrameReader reader_;
  std::string log_;
};

// Waits until a worker has something to say, `extra` (or -1) turns readable, or the time comes. True when it was `extra`.
bool wait_for(const std::vector<WorkerProcess*>& workers, int extra, WorkerProcess::Clock::time_point until);

}  // namespace xhal::conformance
