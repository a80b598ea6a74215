// SPDX-License-Identifier: Apache-2.0
#include "process/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

extern char** environ;

namespace xhal::process {
namespace {

constexpr size_t kMaxAnswer = size_t{64} << 20;
constexpr size_t kNoiseTail = 4096;

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { close(); }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_ = -1;
};

struct Pipe {
  Descriptor read;
  Descriptor write;

  // Ends above the small numbers, so that dup2 in the child never meets one of them.
  bool open() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return false;
    Descriptor first(ends[0]);
    Descriptor second(ends[1]);
    read = Descriptor(fcntl(first.get(), F_DUPFD_CLOEXEC, 10));
    write = Descriptor(fcntl(second.get(), F_DUPFD_CLOEXEC, 10));
    return read.get() >= 0 && write.get() >= 0;
  }
};

// Appends what is there now; false at the end of the stream.
bool drain(Descriptor& from, std::string& to, size_t limit, bool keep_tail) {
  std::array<char, 16384> buffer{};
  const ssize_t count = ::read(from.get(), buffer.data(), buffer.size());
  if (count < 0) return errno == EAGAIN || errno == EINTR;
  if (count == 0) return false;
  to.append(buffer.data(), static_cast<size_t>(count));
  if (to.size() > limit) to.erase(keep_tail ? 0 : limit, to.size() - limit);
  return true;
}

ChildResult not_started(int error) {
  ChildResult result;
  result.code = error;
  return result;
}

}  // namespace

ChildResult run_child(const std::vector<std::string>& arguments, std::chrono::milliseconds deadline,
                      int interrupt_fd) {
  using Clock = std::chrono::steady_clock;
  Pipe answer;
  Pipe noise;
  if (!answer.open() || !noise.open()) return not_started(errno);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, noise.write.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, noise.write.get(), STDERR_FILENO);
  posix_spawn_file_actions_adddup2(&actions, answer.write.get(), kAnswerDescriptor);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);

  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);

  pid_t pid = -1;
  const int error = posix_spawn(&pid, argv[0], &actions, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return not_started(error);

  answer.write.close();
  noise.write.close();
  fcntl(answer.read.get(), F_SETFL, O_NONBLOCK);
  fcntl(noise.read.get(), F_SETFL, O_NONBLOCK);
  // Wakes poll when the child ends although a grandchild may hold the pipes open. Without it (old kernels) poll falls back to short steps.
  Descriptor exit_signal(static_cast<int>(syscall(SYS_pidfd_open, pid, 0U)));

  ChildResult result;
  int status = 0;
  bool ended = false;
  bool timed_out = false;
  bool interrupted = false;
  const auto end = Clock::now() + deadline;
  while (!ended) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    if (left <= 0) {
      timed_out = true;
      break;
    }
    std::array<pollfd, 4> fds{{{answer.read.get(), POLLIN, 0},
                               {noise.read.get(), POLLIN, 0},
                               {exit_signal.get(), POLLIN, 0},
                               {interrupt_fd, POLLIN, 0}}};
    const auto step = exit_signal.get() >= 0 ? left : std::min<long long>(left, 5);
    if (poll(fds.data(), fds.size(), static_cast<int>(std::min<long long>(step, 1 << 30))) < 0 &&
        errno != EINTR)
      break;
    if (fds[0].revents != 0 && !drain(answer.read, result.answer, kMaxAnswer, false)) answer.read.close();
    if (fds[1].revents != 0 && !drain(noise.read, result.noise, kNoiseTail, true)) noise.read.close();
    ended = waitpid(pid, &status, WNOHANG) == pid;
    interrupted = !ended && fds[3].revents != 0;
    if (interrupted) break;
  }
  // Whatever the driver started goes as well; the group may already be empty.
  kill(-pid, SIGKILL);
  if (!ended) waitpid(pid, &status, 0);
  while (answer.read.get() >= 0) {
    const size_t before = result.answer.size();
    if (!drain(answer.read, result.answer, kMaxAnswer, false) || result.answer.size() == before) break;
  }
  while (noise.read.get() >= 0) {
    pollfd more{noise.read.get(), POLLIN, 0};
    if (poll(&more, 1, 0) <= 0 || !drain(noise.read, result.noise, kNoiseTail, true)) break;
  }

  if (interrupted) {
    result.ending = ChildResult::Ending::kInterrupted;
  } else if (timed_out) {
    result.ending = ChildResult::Ending::kTimedOut;
  } else if (WIFSIGNALED(status)) {
    result.ending = ChildResult::Ending::kSignalled;
    result.code = WTERMSIG(status);
  } else {
    result.ending = ChildResult::Ending::kExited;
    result.code = WEXITSTATUS(status);
  }
  return result;
}

bool begin_worker() {
  struct stat status {};
  if (fstat(kAnswerDescriptor, &status) != 0 || !S_ISFIFO(status.st_mode)) return false;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::signal(SIGPIPE, SIG_DFL);
  return true;
}

std::string self_path() {
  std::array<char, 4096> buffer{};
  const ssize_t length = readlink("/proc/self/exe", buffer.data(), buffer.size() - 1);
  return length > 0 ? std::string(buffer.data(), static_cast<size_t>(length)) : std::string();
}

std::string signal_name(int number) {
  const char* name = sigabbrev_np(number);
  return name != nullptr ? fmt::format("SIG{}", name) : fmt::format("signal {}", number);
}

std::string describe_ending(const ChildResult& result, std::chrono::milliseconds deadline) {
  switch (result.ending) {
    case ChildResult::Ending::kExited:
      return fmt::format("exited with code {}", result.code);
    case ChildResult::Ending::kSignalled:
      return fmt::format("crashed with {}", signal_name(result.code));
    case ChildResult::Ending::kTimedOut:
      return fmt::format("did not answer within {} s and was killed",
                         static_cast<double>(deadline.count()) / 1000.0);
    case ChildResult::Ending::kInterrupted:
      return "was interrupted";
    case ChildResult::Ending::kNotStarted:
      return fmt::format("could not be started: {}", std::strerror(result.code));
  }
  return "ended";
}

}  // namespace xhal::process
