// SPDX-License-Identifier: Apache-2.0
#include "frame/child.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <system_error>

namespace xhal::conformance {

namespace {

void write_all(int fd, const std::string& text) {
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t written = write(fd, text.data() + done, text.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    done += static_cast<size_t>(written);
  }
}

}  // namespace

void Say::operator()(const std::string& line) const { write_all(descriptor, line + "\n"); }

std::string signal_name(int signal) {
  const char* abbreviation = sigabbrev_np(signal);
  return abbreviation != nullptr ? std::string("SIG") + abbreviation : fmt::format("signal {}", signal);
}

std::string ChildResult::trouble() const {
  if (timed_out) return "killed at its deadline: it hung";
  if (signal != 0) return "ended by " + signal_name(signal);
  if (exit_code != 0) return fmt::format("exit code {}", exit_code);
  return {};
}

ChildResult run_in_child(Context& t, const std::function<void(const Say&)>& work, bool with_exit_handlers) {
  int ends[2];
  if (pipe(ends) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  const pid_t child = fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child == 0) {
    close(ends[0]);
    work(Say{ends[1]});
    if (with_exit_handlers) exit(0);
    _exit(0);
  }
  close(ends[1]);
  ChildResult result;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::nanoseconds(t.patience());
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now())
            .count();
    pollfd poller{ends[0], POLLIN, 0};
    const int ready = poll(&poller, 1, left > 0 ? static_cast<int>(left) : 0);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      result.timed_out = true;
      kill(child, SIGKILL);
      break;
    }
    char block[4096];
    const ssize_t got = ::read(ends[0], block, sizeof(block));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;  // the child has closed its end: it has ended, or is about to
    result.output.append(block, static_cast<size_t>(got));
  }
  close(ends[0]);
  int status = 0;
  // It may hang between closing its descriptors and its end: bounded as well.
  while (waitpid(child, &status, result.timed_out ? 0 : WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() >= deadline) {
      result.timed_out = true;
      kill(child, SIGKILL);
    }
    sched_yield();
  }
  if (!result.timed_out && WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  if (!result.timed_out && WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  return result;
}

}  // namespace xhal::conformance
