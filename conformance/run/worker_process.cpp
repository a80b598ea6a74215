// SPDX-License-Identifier: Apache-2.0
#include "run/worker_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <system_error>

#include "frame/child.h"
#include "run/worker.h"

namespace xhal::conformance {

namespace {

constexpr size_t kLogKept = 8192;

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

void close_if_open(int& fd) {
  if (fd >= 0) close(fd);
  fd = -1;
}

class FileActions {
 public:
  FileActions() { posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

}  // namespace

WorkerProcess::WorkerProcess() {
  int channel[2];
  int log[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) != 0) fail("socketpair");
  channel_ = channel[0];
  if (pipe2(log, O_CLOEXEC) != 0) {
    close(channel[1]);
    fail("pipe2");
  }
  log_fd_ = log[0];
  fcntl(channel_, F_SETFL, O_NONBLOCK);
  fcntl(log_fd_, F_SETFL, O_NONBLOCK);

  // dup2 onto itself would keep close-on-exec: none of the sources may be a target.
  const int channel_end = fcntl(channel[1], F_DUPFD_CLOEXEC, 16);
  const int log_end = fcntl(log[1], F_DUPFD_CLOEXEC, 16);
  const int trail_end = fcntl(trail_.fd(), F_DUPFD_CLOEXEC, 16);
  close(channel[1]);
  close(log[1]);

  FileActions actions;
  posix_spawn_file_actions_addopen(actions.get(), STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(actions.get(), log_end, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(actions.get(), log_end, STDERR_FILENO);
  posix_spawn_file_actions_adddup2(actions.get(), channel_end, kWorkerChannel);
  posix_spawn_file_actions_adddup2(actions.get(), trail_end, kWorkerTrail);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // A process group of its own: a Ctrl-C of the terminal reaches the parent alone, and a kill reaches the worker's children too.
  // Signals that the parent handles or blocks are the worker's again.
  sigset_t defaults;
  sigset_t none;
  sigfillset(&defaults);
  sigdelset(&defaults, SIGKILL);
  sigdelset(&defaults, SIGSTOP);
  sigemptyset(&none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);

  char name[] = "xhal-conform";
  char option[] = "--worker";
  static_assert(std::char_traits<char>::compare(kWorkerOption, "--worker", 9) == 0);
  char* const arguments[] = {name, option, nullptr};
  const int error = posix_spawn(&pid_, "/proc/self/exe", actions.get(), &attributes, arguments, environ);
  posix_spawnattr_destroy(&attributes);
  close(channel_end);
  close(log_end);
  close(trail_end);
  if (error != 0) {
    errno = error;
    pid_ = -1;
    fail("posix_spawn of a worker");
  }
  // Not by its wrapper: glibc 2.36 declares it without C linkage.
  pid_fd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  if (pid_fd_ < 0) fail("pidfd_open");
}

WorkerProcess::~WorkerProcess() {
  kill();
  close_if_open(pid_fd_);
  close_if_open(channel_);
  close_if_open(log_fd_);
}

void WorkerProcess::kill() {
  if (pid_ < 0) return;
  // The group first: children that the worker forked die too, also when it is gone already.
  ::kill(-pid_, SIGKILL);
  if (!exited_) {
    ::kill(pid_, SIGKILL);
    while (waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
    }
    exited_ = true;
  }
  pid_ = -1;
}

void WorkerProcess::send(const nlohmann::json& message) {
  // Requests are far smaller than a socket's buffer, so this does not block; a dead worker is noticed by its exit.
  send_message(channel_, message);
}

std::optional<nlohmann::json> WorkerProcess::next() { return reader_.next(); }

void WorkerProcess::read_channel() {
  char block[16384];
  for (;;) {
    const ssize_t got = read(channel_, block, sizeof(block));
    if (got > 0) {
      reader_.append({block, static_cast<size_t>(got)});
    } else if (got == 0) {
      close_if_open(channel_);
      return;
    } else if (errno != EINTR) {
      return;
    }
  }
}

void WorkerProcess::read_log() {
  char block[16384];
  // A driver that prints without end must not keep the parent from its other work.
  for (int blocks = 0; blocks < 64; ++blocks) {
    const ssize_t got = read(log_fd_, block, sizeof(block));
    if (got > 0) {
      log_.append(block, static_cast<size_t>(got));
      if (log_.size() > kLogKept) log_.erase(0, log_.size() - kLogKept);
    } else if (got == 0) {
      close_if_open(log_fd_);
      return;
    } else if (errno != EINTR) {
      return;
    }
  }
}

void WorkerProcess::reap() {
  if (exited_ || pid_ < 0) return;
  if (waitpid(pid_, &status_, WNOHANG) == pid_) exited_ = true;
}

void WorkerProcess::pump() {
  reap();  // before reading: what it said before it ended is there then
  if (channel_ >= 0) read_channel();
  if (log_fd_ >= 0) read_log();
}

std::vector<int> WorkerProcess::descriptors() const {
  std::vector<int> out;
  if (!exited_ && pid_fd_ >= 0) out.push_back(pid_fd_);
  if (channel_ >= 0) out.push_back(channel_);
  if (log_fd_ >= 0) out.push_back(log_fd_);
  return out;
}

std::string WorkerProcess::ending(bool expected) const {
  if (WIFSIGNALED(status_)) return "ended by " + signal_name(WTERMSIG(status_));
  const int code = WEXITSTATUS(status_);
  if (code != 0) return fmt::format("left with exit code {}", code);
  return expected ? "" : "left without being told";
}

bool wait_for(const std::vector<WorkerProcess*>& workers, int extra, WorkerProcess::Clock::time_point until) {
  std::vector<pollfd> fds;
  for (const WorkerProcess* worker : workers) {
    for (const int fd : worker->descriptors()) fds.push_back({fd, POLLIN, 0});
  }
  if (extra >= 0) fds.push_back({extra, POLLIN, 0});
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - WorkerProcess::Clock::now()).count();
  const int ready = poll(fds.data(), fds.size(), static_cast<int>(std::clamp<int64_t>(left, 0, 60'000)));
  return ready > 0 && extra >= 0 && fds.back().revents != 0;
}

}  // namespace xhal::conformance
