// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <exception>
#include <new>

#include "state.hpp"
#include "xhal/kit/driver.hpp"

namespace xhal::kit {
namespace {

// What the helper writes first, once `work` has returned. The magic tells an answer from whatever a library wrote into a descriptor that
// it took for its own.
struct Answer {
  uint64_t magic;
  uint64_t byte_count;
  xhal_result_t code;
  uint32_t has_text;
  HelperError error;
};
constexpr uint64_t kAnswerMagic = 0x31504c4548414858;  // "XHAHELP1"
constexpr uint64_t kMostBytes = uint64_t{256} << 20;

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { reset(); }
  [[nodiscard]] int get() const { return fd_; }
  void reset(int fd = -1) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_;
};

class Deadline {
 public:
  explicit Deadline(uint64_t timeout_ns)
      : forever_(timeout_ns >= kLongest), end_ns_(forever_ ? 0 : now_ns() + timeout_ns) {}
  // For poll(): rounded up, so that a wait never ends before its time.
  [[nodiscard]] int left_ms() const {
    if (forever_) return -1;
    const uint64_t now = now_ns();
    if (now >= end_ns_) return 0;
    return static_cast<int>(std::min<uint64_t>((end_ns_ - now + 999'999) / 1'000'000, INT_MAX));
  }
  [[nodiscard]] bool passed() const { return !forever_ && now_ns() >= end_ns_; }

 private:
  static constexpr uint64_t kLongest = uint64_t{1} << 62;  // 146 years; sums below it do not overflow
  static uint64_t now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<uint64_t>(now.tv_nsec);
  }
  bool forever_;
  uint64_t end_ns_;
};

// ---- In the helper -----------------------------------------------------------------------------------------------------------

bool write_all(int fd, const void* data, size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  while (size > 0) {
    const ssize_t written = ::write(fd, bytes, size);
    if (written < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    bytes += written;
    size -= static_cast<size_t>(written);
  }
  return true;
}

// The application's handlers, masks and streams are none of the helper's: a crash must end it, and what a vendor library prints while
// counting devices is not the program's output.
void isolate(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(0);  // it died before the line above
  ::setpgid(0, 0);                        // so that what the work starts can be ended with it
  for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS, SIGPIPE, SIGTERM,
                           SIGINT, SIGHUP, SIGQUIT, SIGALRM, SIGCHLD, SIGUSR1, SIGUSR2}) {
    ::signal(signal, SIG_DFL);
  }
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const rlimit no_core = {0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null >= 0) {
    ::dup2(null, STDIN_FILENO);
    ::dup2(null, STDOUT_FILENO);
  }
}

[[noreturn]] void work_and_answer(const std::function<xhal_result_t(std::vector<unsigned char>&)>& work,
                                  int out) {
  static HelperError error;
  helper_error = &error;
  std::vector<unsigned char> bytes;
  xhal_result_t code = XHAL_ERROR_DRIVER_FAILED;
  try {
    code = work(bytes);
  } catch (const std::bad_alloc&) {
    code = fail(XHAL_ERROR_OUT_OF_HOST_MEMORY, "the helper process ran out of memory");
  } catch (const std::exception& exception) {
    code = fail(XHAL_ERROR_DRIVER_FAILED, "the helper process ended with an exception: %s", exception.what());
  } catch (...) {
    code = fail(XHAL_ERROR_DRIVER_FAILED, "the helper process ended with an unknown exception");
  }
  if (bytes.size() > kMostBytes) {
    code = fail(XHAL_ERROR_DRIVER_FAILED, "the helper process answers %zu bytes; %llu are the most it may",
                bytes.size(), static_cast<unsigned long long>(kMostBytes));
    bytes.clear();
  }
  const Answer answer = {kAnswerMagic, bytes.size(), code, code < 0 && error.code == code ? 1U : 0U, error};
  const bool written = write_all(out, &answer, sizeof(answer)) && write_all(out, bytes.data(), bytes.size());
  ::_exit(written ? 0 : 1);  // no static destructor, no atexit: they are the parent's
}

// ---- In the parent -----------------------------------------------------------------------------------------------------------

int open_pidfd(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)); }

// Takes what there is without waiting. False at the end of the stream or on an error.
bool read_available(int fd, std::vector<unsigned char>& bytes, size_t wanted) {
  unsigned char chunk[65536];
  while (bytes.size() < wanted) {
    const ssize_t got = ::read(fd, chunk, std::min(sizeof(chunk), wanted - bytes.size()));
    if (got > 0) {
      bytes.insert(bytes.end(), chunk, chunk + got);
      continue;
    }
    if (got < 0 && errno == EINTR) continue;
    return got < 0 && errno == EAGAIN;
  }
  return true;
}

enum class Ended { kAnswered, kWithoutAnswer, kGarbage, kTimeout };

// Reads until the answer is whole, the helper is gone, or time is up. A process that the work left behind may hold the pipe open, so
// its end is not waited for.
Ended receive(int pipe, int pidfd, const Deadline& deadline, Answer& answer,
              std::vector<unsigned char>& bytes) {
  std::vector<unsigned char> received;
  bool head_read = false;
  bool gone = false;
  for (;;) {
    const size_t wanted = sizeof(Answer) + (head_read ? answer.byte_count : 0);
    const bool open = read_available(pipe, received, wanted);
    if (!head_read && received.size() == sizeof(Answer)) {
      std::memcpy(&answer, received.data(), sizeof(answer));
      if (answer.magic != kAnswerMagic || answer.byte_count > kMostBytes) return Ended::kGarbage;
      answer.error.text[sizeof(answer.error.text) - 1] = '\0';
      received.reserve(sizeof(Answer) + answer.byte_count);
      head_read = true;
      continue;
    }
    if (head_read && received.size() == wanted) {
      bytes.assign(received.begin() + sizeof(Answer), received.end());
      return Ended::kAnswered;
    }
    if (!open || gone) return Ended::kWithoutAnswer;
    pollfd watched[2] = {{pipe, POLLIN, 0}, {pidfd, POLLIN, 0}};  // a negative descriptor is skipped
    const int ready = ::poll(watched, 2, deadline.left_ms());
    if (ready == 0 && deadline.passed()) return Ended::kTimeout;
    gone = (watched[1].revents & POLLIN) != 0;  // one more look at the pipe: the answer may lie in it
  }
}

// Owns the helper: whatever happens to the parent's side, the process is ended and collected.
class HelperProcess {
 public:
  explicit HelperProcess(pid_t pid) : pid_(pid) {}
  HelperProcess(const HelperProcess&) = delete;
  HelperProcess& operator=(const HelperProcess&) = delete;
  ~HelperProcess() {
    if (pid_ > 0) (void)finish();
  }

  // Ends what is left of it and tells how it ended: a wait status, or -1 when the application collects child processes itself.
  int finish() {
    // Both before it is collected: until then neither number can become another's. The group is what the work started.
    ::kill(pid_, SIGKILL);
    ::kill(-pid_, SIGKILL);
    int status = 0;
    pid_t collected = 0;
    do {
      collected = ::waitpid(pid_, &status, 0);
    } while (collected < 0 && errno == EINTR);
    const bool known = collected == pid_;
    pid_ = -1;
    return known ? status : -1;
  }

 private:
  pid_t pid_;
};

xhal_result_t report_end(int status) {
  if (status == -1) {
    return fail(XHAL_ERROR_DRIVER_FAILED,
                "the helper process ended without an answer; how is not known, as the application collects "
                "child processes");
  }
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    const char* name = sigabbrev_np(signal);
    return fail(XHAL_ERROR_DRIVER_FAILED, "the helper process crashed with SIG%s (signal %d)",
                name != nullptr ? name : "?", signal);
  }
  return fail(XHAL_ERROR_DRIVER_FAILED,
              "the helper process ended itself with exit code %d before it answered", WEXITSTATUS(status));
}

xhal_result_t run(const std::function<xhal_result_t(std::vector<unsigned char>&)>& work, uint64_t timeout_ns,
                  std::vector<unsigned char>& out_bytes) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return fail_native(XHAL_ERROR_DRIVER_FAILED, errno, "no pipe for a helper process: %s",
                       strerrordesc_np(errno));
  }
  const Descriptor read_end(ends[0]);
  Descriptor write_end(ends[1]);
  ::fcntl(read_end.get(), F_SETFL, O_NONBLOCK);
  const Deadline deadline(timeout_ns);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0)
    return fail_native(XHAL_ERROR_DRIVER_FAILED, errno, "no helper process: %s", strerrordesc_np(errno));
  if (pid == 0) {
    isolate(parent);
    work_and_answer(work, write_end.get());
  }
  HelperProcess helper(pid);
  write_end.reset();
  const Descriptor pidfd(open_pidfd(pid));

  Answer answer = {};
  std::vector<unsigned char> bytes;
  const Ended ended = receive(read_end.get(), pidfd.get(), deadline, answer, bytes);
  const int status = helper.finish();
  switch (ended) {
    case Ended::kAnswered:
      break;
    case Ended::kTimeout:
      return XHAL_TIMEOUT;
    case Ended::kGarbage:
      return fail(XHAL_ERROR_DRIVER_FAILED, "the helper process wrote something else than an answer");
    case Ended::kWithoutAnswer:
      return report_end(status);
  }
  if (answer.has_text != 0) fail_native(answer.code, answer.error.native_code, "%s", answer.error.text);
  if (answer.code >= 0) out_bytes = std::move(bytes);
  return answer.code;
}

}  // namespace

xhal_result_t run_in_helper(const std::function<xhal_result_t(std::vector<unsigned char>&)>& work,
                            uint64_t timeout_ns, std::vector<unsigned char>& out_bytes) {
  try {
    return run(work, timeout_ns, out_bytes);
  } catch (const std::bad_alloc&) {
    return XHAL_ERROR_OUT_OF_HOST_MEMORY;
  }
}

}  // namespace xhal::kit
