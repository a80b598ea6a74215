// SPDX-License-Identifier: Apache-2.0
#include "ipc/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>

namespace xhal::sim {
namespace {

struct Status {
  char state = 0;
  uint64_t start = 0;
};

// False when it cannot be read, for whatever reason.
bool read_status(pid_t pid, Status& out) {
  char path[64];
  std::snprintf(path, sizeof(path), "/proc/%d/stat", static_cast<int>(pid));
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char text[1024];
  const ssize_t size = read(fd, text, sizeof(text) - 1);
  close(fd);
  if (size <= 0) return false;
  text[size] = '\0';
  // The program's name stands in brackets and may hold anything.
  const char* rest = std::strrchr(text, ')');
  return rest != nullptr && std::sscanf(rest,
                                        ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d "
                                        "%*d %*d %*d %*d %" SCNu64,
                                        &out.state, &out.start) == 2;
}

}  // namespace

ProcessId ProcessId::own() {
  Status status;
  const pid_t pid = getpid();
  static_cast<void>(read_status(pid, status));
  return ProcessId(status.start << kPidBits | (static_cast<uint64_t>(pid) & kPidMask));
}

bool ProcessId::is_alive() const {
  if (pid() <= 0 || (kill(pid(), 0) != 0 && errno == ESRCH)) return false;
  Status status;
  if (!read_status(pid(), status)) return true;
  const uint64_t start = status.start << kPidBits >> kPidBits;
  return start == word_ >> kPidBits && status.state != 'Z' && status.state != 'X';
}

}  // namespace xhal::sim
