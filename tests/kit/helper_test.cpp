// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include "../clause.hpp"
#include "fake_host.hpp"
#include "xhal/kit/driver.hpp"

#if defined(__SANITIZE_THREAD__)
#define XHAL_UNDER_TSAN 1
#elif defined(__SANITIZE_ADDRESS__)
#define XHAL_UNDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define XHAL_UNDER_TSAN 1
#elif __has_feature(address_sanitizer)
#define XHAL_UNDER_ASAN 1
#endif
#endif

namespace xhal::kit {
namespace {

using Bytes = std::vector<unsigned char>;
using kit_test::last_report;

// Long enough that only a hang reaches it; tests that want a time-out give their own.
constexpr uint64_t kPlenty = 50'000'000'000;

class Helper : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(kit_test::negotiate_as_fake(), XHAL_SUCCESS);
    last_report = {};
  }
  void TearDown() override {
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "a helper was left behind";
    EXPECT_EQ(errno, ECHILD);
  }

  Bytes out = {0xEE};
};

TEST_F(Helper, BytesComeBack) {
  XHAL_CLAUSE("XHAL-ABI-24");
  const pid_t parent = getpid();
  const auto work = [&](Bytes& bytes) {
    bytes = {1, 2, 3, static_cast<unsigned char>(getpid() != parent)};
    return XHAL_SUCCESS;
  };
  ASSERT_EQ(run_in_helper(work, kPlenty, out), XHAL_SUCCESS);
  EXPECT_EQ(out, (Bytes{1, 2, 3, 1}));
  EXPECT_EQ(last_report.count, 0);
}

TEST_F(Helper, NoBytesAtAll) {
  ASSERT_EQ(run_in_helper([](Bytes&) { return XHAL_SUCCESS; }, XHAL_WAIT_FOREVER, out), XHAL_SUCCESS);
  EXPECT_TRUE(out.empty());
}

TEST_F(Helper, MuchDataIsMoreThanAPipeHolds) {
  constexpr size_t kSize = (size_t{48} << 20) + 12345;
  const auto work = [](Bytes& bytes) {
    bytes.resize(kSize);
    for (size_t i = 0; i < kSize; ++i) bytes[i] = static_cast<unsigned char>((i * 2654435761U) >> 13);
    return XHAL_SUCCESS;
  };
  ASSERT_EQ(run_in_helper(work, kPlenty, out), XHAL_SUCCESS);
  ASSERT_EQ(out.size(), kSize);
  Bytes expected;
  (void)work(expected);
  EXPECT_TRUE(out == expected);
}

TEST_F(Helper, TooMuchDataIsRefused) {
  const auto work = [](Bytes& bytes) {
    bytes.resize((size_t{256} << 20) + 1);
    return XHAL_SUCCESS;
  };
  EXPECT_EQ(run_in_helper(work, kPlenty, out), XHAL_ERROR_DRIVER_FAILED);
  EXPECT_NE(last_report.text.find("268435457 bytes"), std::string::npos) << last_report.text;
  EXPECT_EQ(out, Bytes{0xEE}) << "an error leaves out-parameters alone";
}

TEST_F(Helper, OwnCodeAndTextComeBack) {
  const auto work = [](Bytes& bytes) {
    bytes = {9};
    return fail_native(XHAL_ERROR_NOT_FOUND, -35, "the vendor library says %d", 35);
  };
  EXPECT_EQ(run_in_helper(work, kPlenty, out), XHAL_ERROR_NOT_FOUND);
  EXPECT_EQ(last_report.code, XHAL_ERROR_NOT_FOUND);
  EXPECT_EQ(last_report.native_code, -35);
  EXPECT_EQ(last_report.text, "the vendor library says 35");
  EXPECT_EQ(out, Bytes{0xEE});
}

TEST_F(Helper, OwnCodeWithoutText) {
  EXPECT_EQ(run_in_helper([](Bytes&) { return xhal_result_t{XHAL_ERROR_PERMISSION}; }, kPlenty, out),
            XHAL_ERROR_PERMISSION);
  EXPECT_EQ(last_report.count, 0);
  // A text of an error that was handled inside is not the text of what came out.
  const auto recovered = [](Bytes&) {
    (void)fail(XHAL_ERROR_IO, "no such file; tried another one");
    return XHAL_SUCCESS;
  };
  EXPECT_EQ(run_in_helper(recovered, kPlenty, out), XHAL_SUCCESS);
  EXPECT_EQ(last_report.count, 0);
}

TEST_F(Helper, PositiveCodesCarryBytes) {
  const auto work = [](Bytes& bytes) {
    bytes = {7};
    return XHAL_INCOMPLETE;
  };
  EXPECT_EQ(run_in_helper(work, kPlenty, out), XHAL_INCOMPLETE);
  EXPECT_EQ(out, Bytes{7});
}

TEST_F(Helper, CrashIsNamed) {
  for (const auto& [signal, name] : {std::pair{SIGSEGV, "SIGSEGV"},
                                     {SIGABRT, "SIGABRT"},
                                     {SIGFPE, "SIGFPE"},
                                     {SIGKILL, "SIGKILL"},
                                     {SIGTERM, "SIGTERM"}}) {
    const auto work = [signal = signal](Bytes&) {
      raise(signal);
      return XHAL_SUCCESS;
    };
    EXPECT_EQ(run_in_helper(work, kPlenty, out), XHAL_ERROR_DRIVER_FAILED);
    EXPECT_NE(last_report.text.find(name), std::string::npos) << last_report.text;
  }
}

TEST_F(Helper, CrashIsACrashEvenWithHandlersAndBlockedSignals) {
  // What a language runtime leaves in a process: a handler that would swallow the crash, and masks.
  struct sigaction handler = {};
  handler.sa_handler = [](int) {};
  struct sigaction former = {};
  ASSERT_EQ(sigaction(SIGTERM, &handler, &former), 0);
  sigset_t block, former_mask;
  sigemptyset(&block);
  sigaddset(&block, SIGTERM);
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &block, &former_mask), 0);
  const auto work = [](Bytes&) {
    raise(SIGTERM);
    return XHAL_SUCCESS;
  };
  EXPECT_EQ(run_in_helper(work, kPlenty, out), XHAL_ERROR_DRIVER_FAILED);
  EXPECT_NE(last_report.text.find("SIGTERM"), std::string::npos) << last_report.text;
  sigset_t now;
  ASSERT_EQ(pthread_sigmask(SIG_SETMASK, &former_mask, &now), 0);
  EXPECT_TRUE(sigismember(&now, SIGTERM)) << "the caller's mask is left alone";
  ASSERT_EQ(sigaction(SIGTERM, &former, &handler), 0);
  EXPECT_NE(handler.sa_handler, SIG_DFL) << "and so is its handler";
}

TEST_F(Helper, ExitBeforeTheAnswer) {
  const auto work = [](Bytes&) -> xhal_result_t { _exit(42); };
  EXPECT_EQ(run_in_helper(work, kPlenty, out), XHAL_ERROR_DRIVER_FAILED);
  EXPECT_NE(last_report.text.find("exit code 42"), std::string::npos) << last_report.text;
}

TEST_F(Helper, ExceptionsBecomeErrors) {
  EXPECT_EQ(run_in_helper([](Bytes&) -> xhal_result_t { throw std::runtime_error("no vendor library"); },
                          kPlenty, out),
            XHAL_ERROR_DRIVER_FAILED);
  EXPECT_NE(last_report.text.find("no vendor library"), std::string::npos) << last_report.text;
  EXPECT_EQ(run_in_helper([](Bytes&) -> xhal_result_t { throw 42; }, kPlenty, out), XHAL_ERROR_DRIVER_FAILED);
  EXPECT_EQ(run_in_helper([](Bytes&) -> xhal_result_t { throw std::bad_alloc(); }, kPlenty, out),
            XHAL_ERROR_OUT_OF_HOST_MEMORY);
}

TEST_F(Helper, HangIsEndedAtTheDeadline) {
  const auto work = [](Bytes&) -> xhal_result_t {
    for (;;) pause();
  };
  EXPECT_EQ(run_in_helper(work, 50'000'000, out), XHAL_TIMEOUT);
  EXPECT_EQ(out, Bytes{0xEE});
}

TEST_F(Helper, TimeoutZeroOnlyPolls) {
  const auto work = [](Bytes&) -> xhal_result_t {
    for (;;) pause();
  };
  EXPECT_EQ(run_in_helper(work, 0, out), XHAL_TIMEOUT);
}

TEST_F(Helper, PrintingReachesNoOutputOfTheProgram) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  std::fflush(stdout);
  const int saved = dup(STDOUT_FILENO);
  ASSERT_EQ(dup2(ends[1], STDOUT_FILENO), STDOUT_FILENO);
  // Waits in the program's own buffer when the helper starts, which must not be written a second time by it.
  std::printf("program");
  const auto work = [](Bytes& bytes) {
    for (int i = 0; i < 10000; ++i) std::printf("Loading vendor runtime ...\n");
    std::fflush(stdout);
    const char text[] = "and by descriptor";
    if (write(STDOUT_FILENO, text, sizeof(text)) < 0) return XHAL_ERROR_IO;
    char byte = 0;
    bytes = {static_cast<unsigned char>(read(STDIN_FILENO, &byte, 1))};  // nobody's keyboard
    return XHAL_SUCCESS;
  };
  const xhal_result_t result = run_in_helper(work, kPlenty, out);
  std::fflush(stdout);
  dup2(saved, STDOUT_FILENO);
  close(saved);
  close(ends[1]);
  char seen[256] = {};
  const ssize_t count = read(ends[0], seen, sizeof(seen) - 1);
  close(ends[0]);
  EXPECT_EQ(result, XHAL_SUCCESS);
  EXPECT_EQ(out, Bytes{0});
  EXPECT_EQ(std::string(seen, static_cast<size_t>(std::max<ssize_t>(count, 0))), "program");
}

TEST_F(Helper, AtexitAndStaticDestructorsAreTheParents) {
  static int ends[2];
  ASSERT_EQ(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
  std::atexit([] {
    if (write(ends[1], "x", 1) < 0) std::abort();
  });
  EXPECT_EQ(run_in_helper([](Bytes&) { return XHAL_SUCCESS; }, kPlenty, out), XHAL_SUCCESS);
  char byte = 0;
  EXPECT_EQ(read(ends[0], &byte, 1), -1) << "the helper ran the program's atexit functions";
}

TEST_F(Helper, ThreadsThatTheWorkStartedEndWithIt) {
#ifdef XHAL_UNDER_TSAN
  GTEST_SKIP() << "ThreadSanitizer does not allow threads after a fork";
#endif
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const auto work = [&](Bytes& bytes) {
    std::thread([] {
      for (;;) pause();
    }).detach();
    std::thread worker([&] { bytes = {5}; });
    worker.join();
    return XHAL_SUCCESS;
  };
  EXPECT_EQ(run_in_helper(work, kPlenty, out), XHAL_SUCCESS);
  EXPECT_EQ(out, Bytes{5});
  close(ends[1]);
  char byte = 0;
  EXPECT_EQ(read(ends[0], &byte, 1), 0) << "some process still holds the helper's descriptors";
  close(ends[0]);
}

// Processes that the work started: they hold its pipe, and are ended with it.
TEST_F(Helper, ProcessesThatTheWorkStartedEndWithIt) {
  for (const bool crash : {false, true}) {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const auto work = [&](Bytes& bytes) {
      if (fork() == 0) {
        for (;;) pause();
      }
      if (crash) raise(SIGKILL);
      bytes = {6};
      return XHAL_SUCCESS;
    };
    EXPECT_EQ(run_in_helper(work, kPlenty, out), crash ? XHAL_ERROR_DRIVER_FAILED : XHAL_SUCCESS);
    close(ends[1]);
    pollfd end = {ends[0], POLLIN, 0};
    EXPECT_EQ(poll(&end, 1, 20'000), 1) << "a process of the work still runs";
    close(ends[0]);
  }
}

TEST_F(Helper, WritingIntoItsAnswerPipeIsNoAnswer) {
  const auto work = [](Bytes&) {
    // A library that closes or writes whatever descriptor it takes for its own.
    const std::vector<char> garbage(4096, 'g');
    for (int fd = 3; fd < 64; ++fd) {
      if (fcntl(fd, F_GETFL) >= 0 && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY) {
        if (write(fd, garbage.data(), garbage.size()) < 0) continue;
      }
    }
    return XHAL_SUCCESS;
  };
  int gtest_files
      [2];  // the first write-only descriptor may be a log of the test runner: use our own files only
  ASSERT_EQ(pipe2(gtest_files, O_CLOEXEC), 0);
  EXPECT_EQ(run_in_helper(work, kPlenty, out), XHAL_ERROR_DRIVER_FAILED);
  EXPECT_NE(last_report.text.find("something else"), std::string::npos) << last_report.text;
  close(gtest_files[0]);
  close(gtest_files[1]);
}

TEST_F(Helper, ClosingItsAnswerPipeIsNoAnswer) {
  const auto work = [](Bytes&) -> xhal_result_t {
    for (int fd = 3; fd < 64; ++fd) close(fd);
    for (;;) pause();
  };
  // It neither answers nor ends: the closed pipe alone ends the wait.
  EXPECT_EQ(run_in_helper(work, kPlenty, out), XHAL_ERROR_DRIVER_FAILED);
}

TEST_F(Helper, ApplicationsThatCollectTheirChildrenDoNotDisturb) {
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  struct sigaction former = {};
  ASSERT_EQ(sigaction(SIGCHLD, &ignore, &former), 0);
  EXPECT_EQ(run_in_helper([](Bytes& bytes) { return bytes = {8}, XHAL_SUCCESS; }, kPlenty, out),
            XHAL_SUCCESS);
  EXPECT_EQ(out, Bytes{8});
  const auto crash = [](Bytes&) {
    raise(SIGKILL);
    return XHAL_SUCCESS;
  };
  EXPECT_EQ(run_in_helper(crash, kPlenty, out), XHAL_ERROR_DRIVER_FAILED);
  EXPECT_NE(last_report.text.find("collects child processes"), std::string::npos) << last_report.text;
  ASSERT_EQ(sigaction(SIGCHLD, &former, nullptr), 0);
}

TEST_F(Helper, ServicesAndDescriptorsOfTheParentStay) {
  const int before = open("/dev/null", O_RDONLY | O_CLOEXEC);
  close(before);
  for (int i = 0; i < 50; ++i)
    ASSERT_EQ(run_in_helper([](Bytes&) { return XHAL_SUCCESS; }, kPlenty, out), XHAL_SUCCESS);
  const int after = open("/dev/null", O_RDONLY | O_CLOEXEC);
  close(after);
  EXPECT_EQ(after, before) << "descriptors leak";
}

TEST_F(Helper, SeveralAtOnce) {
#ifdef XHAL_UNDER_ASAN
  GTEST_SKIP() << "AddressSanitizer's allocator, unlike libc's, may be locked for ever in the child of a "
                  "process with threads";
#endif
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) {
        Bytes bytes;
        const auto work = [t](Bytes& answer) {
          answer.assign(100000, static_cast<unsigned char>(t));
          return XHAL_SUCCESS;
        };
        if (run_in_helper(work, kPlenty, bytes) == XHAL_SUCCESS &&
            bytes == Bytes(100000, static_cast<unsigned char>(t)))
          ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 40);
}

}  // namespace
}  // namespace xhal::kit
