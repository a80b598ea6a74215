// SPDX-License-Identifier: Apache-2.0
// What becomes of the file when things end badly: crashes, hangs, forks, full disks, paths that cannot be written.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cstring>
#include <random>
#include <thread>

#include "../../hal/layers/trace/event_text.hpp"
#include "trace_file.hpp"
#include "traced.hpp"

namespace xhal::trace_test {
namespace {

class TraceFileTest : public testing::Test {
 protected:
  Options to(const std::string& name) { return {.trace = {{"file", folder / name}}}; }
  Folder folder;
};

// ---- Ends of the program -----------------------------------------------------------------------------------------------------

TEST_F(TraceFileTest, IsWholeAfterEachWaitAndError) {
  Instance instance(to("t.json"));
  ASSERT_EQ(instance.result, XHAL_SUCCESS);
  const xhal_stream_t stream = instance.stream();
  EXPECT_EQ(fill(stream), XHAL_SUCCESS);
  EXPECT_EQ(xhal_stream_synchronize(stream, 0), XHAL_SUCCESS);
  const Trace after_wait(folder / "t.json");  // read while the program runs
  EXPECT_EQ(after_wait.calls("xhal_memory_fill").size(), 1U);
  ASSERT_EQ(after_wait.calls("xhal_stream_synchronize").size(), 1U);
  EXPECT_TRUE(after_wait.calls("xhal_stream_synchronize")[0].open) << "its end is not written yet";
  EXPECT_EQ(fill(stream), XHAL_SUCCESS);
  instance.control->fail_next(XHAL_ERROR_BUSY);
  EXPECT_LT(fill(stream), 0);
  const Trace after_error(folder / "t.json");
  EXPECT_EQ(after_error.calls("xhal_memory_fill").size(), 3U);
  EXPECT_FALSE(after_error.calls("xhal_stream_synchronize")[0].open);
}

TEST_F(TraceFileTest, CrashLosesOnlyWhatWasNotDue) {
  const int status = in_child([&] {
    Instance instance(to("t.json"));
    const xhal_stream_t stream = instance.stream();
    for (int i = 0; i < 100; ++i) (void)fill(stream);
    (void)xhal_stream_synchronize(stream, 0);
    for (int i = 0; i < 5; ++i) (void)fill(stream);
    raise(SIGKILL);
  });
  EXPECT_TRUE(WIFSIGNALED(status));
  const Trace trace(folder / "t.json");
  trace.expect_showable();
  EXPECT_GE(trace.calls("xhal_memory_fill").size(), 100U);
}

TEST_F(TraceFileTest, FlushAfterEachCallLosesNothing) {
  (void)in_child([&] {
    Instance instance({.trace = {{"file", folder / "t.json"}, {"flush", "call"}}});
    const xhal_stream_t stream = instance.stream();
    for (int i = 0; i < 5; ++i) (void)fill(stream);
    raise(SIGKILL);
  });
  const Trace trace(folder / "t.json");
  trace.expect_showable();
  EXPECT_EQ(trace.calls("xhal_memory_fill").size(), 5U);
  EXPECT_EQ(trace.slices("submitted").size(), 5U);
}

TEST_F(TraceFileTest, ExitWithoutDestroyLosesNothing) {
  const int status = in_child([&] {
    auto& instance = *new Instance(to("t.json"));
    const xhal_stream_t stream = instance.stream();
    for (int i = 0; i < 5; ++i) (void)fill(stream);
    static xhal_stream_t late;
    late = stream;
    std::atexit([] { (void)fill(late); });
    exit(0);
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  const Trace trace(folder / "t.json");
  trace.expect_showable();
  EXPECT_EQ(trace.calls("xhal_memory_fill").size(), 6U) << "calls during exit, too";
}

TEST_F(TraceFileTest, BufferIsWrittenWhenItIsFull) {
  Instance instance(to("t.json"));
  ASSERT_EQ(instance.result, XHAL_SUCCESS);
  const xhal_stream_t stream = instance.stream();
  for (int i = 0; i < 2000; ++i) EXPECT_EQ(fill(stream), XHAL_SUCCESS);
  EXPECT_GT(Trace(folder / "t.json").calls("xhal_memory_fill").size(), 1000U)
      << "nothing but a full buffer wrote it";
}

// ---- fork --------------------------------------------------------------------------------------------------------------------

TEST_F(TraceFileTest, ForkedChildWritesAFileOfItsOwn) {
  pid_t child = 0;
  {
    Instance instance(to("t.json"));
    ASSERT_EQ(instance.result, XHAL_SUCCESS);
    const xhal_stream_t stream = instance.stream();
    EXPECT_EQ(fill(stream), XHAL_SUCCESS);  // in the buffer at the fork
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const int status = in_child([&] {
      // The driver was never active, so the instance works here.
      const pid_t self = getpid();
      if (write(ends[1], &self, sizeof(self)) != sizeof(self)) _exit(2);
      (void)fill(stream, 128);
      instance.destroy();
      exit(0);
    });
    EXPECT_EQ(status, 0);
    ASSERT_EQ(read(ends[0], &child, sizeof(child)), ssize_t{sizeof(child)});
    close(ends[0]);
    close(ends[1]);
    EXPECT_EQ(fill(stream), XHAL_SUCCESS);
  }
  const Trace parent(folder / "t.json");
  parent.expect_showable();
  EXPECT_EQ(parent.calls("xhal_memory_fill").size(), 2U)
      << "what was buffered at the fork is written once, by the parent";
  const Trace trace(folder / ("t.json." + std::to_string(child)));
  trace.expect_showable();
  const auto fills = trace.calls("xhal_memory_fill");
  ASSERT_EQ(fills.size(), 1U);
  EXPECT_EQ(fills[0].arguments.at("size"), 128);
  EXPECT_EQ(fills[0].process, child) << "the child's threads are not its parent's";
  EXPECT_EQ(folder.files().size(), 2U);
}

TEST_F(TraceFileTest, ForkWhileOtherThreadsCall) {
  Instance instance({.trace = {{"file", folder / "%p.json"}}});
  ASSERT_EQ(instance.result, XHAL_SUCCESS);
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      const xhal_stream_t stream = instance.stream();
      while (!stop) (void)fill(stream);
    });
  }
  for (int i = 0; i < 20; ++i) {
    const int status = in_child([&] {
      uint32_t count = 0;
      xhal_device_t device = nullptr;
      (void)xhal_instance_get_devices(instance.handle, 1, &device, &count);
      xhal_stream_t stream = nullptr;
      (void)xhal_device_get_default_stream(device, &stream);
      _exit(fill(stream) == XHAL_SUCCESS ? 0 : 3);
    });
    ASSERT_EQ(status, 0) << "the child hung or failed";
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

// ---- Which file --------------------------------------------------------------------------------------------------------------

TEST_F(TraceFileTest, DefaultNameHasTheProcessId) {
  pid_t pid = 0;
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  (void)in_child([&] {
    const pid_t self = getpid();
    if (write(ends[1], &self, sizeof(self)) != sizeof(self) || chdir(folder.path().c_str()) != 0) _exit(2);
    Instance instance({});
    if (chdir("/") != 0) _exit(2);  // the folder is that of the creation
    (void)fill(instance.stream());
  });
  ASSERT_EQ(read(ends[0], &pid, sizeof(pid)), ssize_t{sizeof(pid)});
  EXPECT_EQ(folder.files(), std::vector<std::string>{"xhal-trace-" + std::to_string(pid) + ".json"});
}

TEST_F(TraceFileTest, ThePercentPStandsForTheProcessId) {
  Instance instance(to("a-%p-%p.json"));
  ASSERT_EQ(instance.result, XHAL_SUCCESS);
  const std::string id = std::to_string(getpid());
  EXPECT_EQ(folder.files(), std::vector<std::string>{"a-" + id + "-" + id + ".json"});
}

TEST_F(TraceFileTest, VariableGivesTheOptions) {
  (void)in_child([&] {
    setenv("XHAL_TRACE", ("file=" + (folder / "by-variable.json") + ",limit=1m").c_str(), 1);
    setenv("XHAL_LAYERS", "trace", 1);
    Instance instance({.layers = nullptr, .ignore_environment = false});
    (void)fill(instance.stream());
  });
  EXPECT_EQ(folder.files(), std::vector<std::string>{"by-variable.json"});
  Trace(folder / "by-variable.json").expect_showable();
}

TEST_F(TraceFileTest, TwoProcessesWithOneNameDoNotMix) {
  Instance instance(to("t.json"));
  ASSERT_EQ(instance.result, XHAL_SUCCESS);
  int go[2];
  ASSERT_EQ(pipe(go), 0);
  const int status = in_child([&] {
    // A process that was not forked from this one's instance, as far as the file is concerned: it opens the name anew.
    execl(XHAL_TEST_TRACE_RANK, XHAL_TEST_TRACE_RANK, (folder / "t.json").c_str(), XHAL_TEST_TRACED_MANIFEST,
          nullptr);
    _exit(9);
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(fill(instance.stream()), XHAL_SUCCESS);
  instance.destroy();
  ASSERT_EQ(folder.files().size(), 2U);
  for (const std::string& name : folder.files()) {
    const Trace trace(folder / name);
    trace.expect_showable();
    EXPECT_EQ(trace.calls("xhal_memory_fill").size(), 1U) << name;
  }
}

TEST_F(TraceFileTest, OldFileIsReplaced) {
  {
    std::ofstream old(folder / "t.json");
    old << std::string(100000, 'x');
  }
  Instance instance(to("t.json"));
  ASSERT_EQ(instance.result, XHAL_SUCCESS);
  Trace(folder / "t.json").expect_showable();
}

// ---- Paths and options that cannot be --------------------------------------------------------------------------------------------

TEST_F(TraceFileTest, UnwritablePathsAreOneLineAndTheProgramGoesOn) {
  ASSERT_EQ(mkfifo((folder / "fifo").c_str(), 0600), 0);
  for (const std::string& path : {folder / "no/such/folder/t.json", folder.path(), folder / "fifo",
                                  std::string("/dev/full"), std::string("/proc/self/maps")}) {
    Instance instance({.trace = {{"file", path}}});
    ASSERT_EQ(instance.result, XHAL_SUCCESS) << path;
    EXPECT_EQ(fill(instance.stream()), XHAL_SUCCESS);
    instance.destroy();
    const auto logged = instance.warnings();
    ASSERT_EQ(logged.size(), 1U) << path;
    EXPECT_NE(logged[0].find(path), std::string::npos) << logged[0];
    EXPECT_NE(logged[0].find("XHAL_TRACE=file="), std::string::npos) << "says what to do";
  }
}

TEST_F(TraceFileTest, WrongOptionsAreRefused) {
  const auto error_of = [&](const std::string& key, const std::string& value) {
    Instance instance({.trace = {{key, value}}});
    EXPECT_EQ(instance.result, XHAL_ERROR_INVALID_ARGUMENT) << key << "=" << value;
    return last_error_text();
  };
  EXPECT_NE(error_of("fiel", "x").find("file, limit, flush"), std::string::npos) << last_error_text();
  EXPECT_NE(error_of("file", "").find("a path is missing"), std::string::npos);
  EXPECT_NE(error_of("limit", "much").find("limit=much"), std::string::npos);
  EXPECT_NE(error_of("limit", "4095").find("4096"), std::string::npos);
  EXPECT_NE(error_of("flush", "often").find("'due' nor 'call'"), std::string::npos);
  EXPECT_TRUE(folder.files().empty());
}

// ---- Ends of the space -------------------------------------------------------------------------------------------------------

TEST_F(TraceFileTest, LimitIsKeptAndSaidOnce) {
  for (const uint64_t limit : {4096U, 8192U, 100000U}) {
    const std::string name = std::to_string(limit) + ".json";
    Instance instance({.trace = {{"file", folder / name}, {"limit", std::to_string(limit)}}});
    ASSERT_EQ(instance.result, XHAL_SUCCESS);
    const xhal_stream_t stream = instance.stream();
    for (int i = 0; i < 1000; ++i) {
      EXPECT_EQ(fill(stream), XHAL_SUCCESS);
      EXPECT_EQ(xhal_stream_synchronize(stream, 0), XHAL_SUCCESS);
    }
    instance.destroy();
    EXPECT_LE(std::filesystem::file_size(folder / name), limit);
    EXPECT_GE(std::filesystem::file_size(folder / name), limit / 2);
    const auto logged = instance.warnings();
    ASSERT_EQ(logged.size(), 1U);
    EXPECT_NE(logged[0].find("limit"), std::string::npos);
    const Trace trace(folder / name);
    EXPECT_EQ(trace.phase("i", "limit reached: later calls are not in this trace").size(), 1U);
  }
}

TEST_F(TraceFileTest, FileSizeOfTheProcessIsALimit) {
  const int status = in_child([&] {
    const rlimit limit = {20000, RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &limit);
    Instance instance(to("t.json"));
    const xhal_stream_t stream = instance.stream();
    for (int i = 0; i < 1000; ++i) {
      if (xhal_stream_synchronize(stream, 0) != XHAL_SUCCESS) _exit(2);
    }
    instance.destroy();
    _exit(instance.warnings().size() == 1 ? 0 : 3);
  });
  EXPECT_EQ(status, 0) << "SIGXFSZ must not end the program";
  EXPECT_LE(std::filesystem::file_size(folder / "t.json"), 20000U);
  (void)Trace(folder / "t.json");
}

TEST_F(TraceFileTest, FullDiskIsOneLineAndTheProgramGoesOn) {
  // A disk of 64 KiB that only the child sees.
  const int status = in_child([&] {
    if (unshare(CLONE_NEWNS) != 0) {  // not root: be it in a user namespace
      const std::string map = "0 " + std::to_string(getuid()) + " 1";
      if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) _exit(77);
      std::ofstream("/proc/self/uid_map") << map;
    }
    (void)mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    const std::string disk = folder / "disk";
    if (mkdir(disk.c_str(), 0700) != 0 || mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=64k") != 0)
      _exit(77);
    Instance instance(to("disk/t.json"));
    if (instance.result != XHAL_SUCCESS) _exit(2);
    const xhal_stream_t stream = instance.stream();
    for (int i = 0; i < 3000; ++i) {
      if (fill(stream) != XHAL_SUCCESS || xhal_stream_synchronize(stream, 0) != XHAL_SUCCESS) _exit(3);
    }
    instance.destroy();
    const auto logged = instance.warnings();
    for (const std::string& line : logged) std::fprintf(stderr, "%s\n", line.c_str());
    if (logged.size() != 1 || logged[0].find("No space left on device") == std::string::npos) _exit(4);
    const Trace trace(folder / "disk/t.json");  // throws when it is no whole array
    _exit(trace.calls("xhal_memory_fill").empty() ? 5 : 0);
  });
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) GTEST_SKIP() << "no right to mount a small disk here";
  EXPECT_EQ(status, 0);
}

// ---- Text --------------------------------------------------------------------------------------------------------------------

TEST(EventText, AnyBytesGiveValidJson) {
  std::mt19937_64 random(20240229);
  for (int i = 0; i < 20000; ++i) {
    std::string bytes(random() % 200, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random() % (i % 2 == 0 ? 256 : 128));
    trace::EventText text;
    text.begin('X', bytes, {1, 2}, random());
    text.duration(random());
    text.argument("bytes", std::string_view(bytes));
    text.end();
    ASSERT_FALSE(text.overflowed());
    const Json event = Json::parse(text.text().substr(1), nullptr, false);  // behind the comma
    ASSERT_FALSE(event.is_discarded()) << text.text();
    if (bytes.size() <= 128 && i % 2 != 0) {
      ASSERT_EQ(event.at("args").at("bytes"), bytes);
    }
  }
}

TEST(EventText, Utf8IsKeptAndMendedWhereBroken) {
  const auto name_of = [](std::string_view name) {
    trace::EventText text;
    text.begin('i', name, {0, 0}, 0);
    text.end();
    return Json::parse(text.text().substr(1)).at("name").get<std::string>();
  };
  EXPECT_EQ(name_of("Ger\u00e4t \u20ac \U0001F600"), "Ger\u00e4t \u20ac \U0001F600");
  EXPECT_EQ(name_of("\xC0\x80"), "\uFFFD\uFFFD") << "overlong";
  EXPECT_EQ(name_of("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD") << "surrogate";
  EXPECT_EQ(name_of("\xF4\x90\x80\x80").size(), 12U) << "above the last code point";
  EXPECT_EQ(name_of("a\xE2\x82"), "a\uFFFD\uFFFD") << "cut off";
  EXPECT_EQ(name_of(std::string(500, 'n')), std::string(128, 'n') + "...");
}

TEST(EventText, TimesKeepNanoseconds) {
  trace::EventText text;
  text.begin('X', "n", {1, 2}, 123'456'789'012'345);
  text.duration(7);
  text.end();
  EXPECT_NE(text.text().find("\"ts\":123456789012.345,\"dur\":0.007"), std::string_view::npos) << text.text();
}

TEST(EventText, OverflowIsNoticed) {
  trace::EventText text;
  text.begin('X', "n", {1, 2}, 0);
  for (int i = 0; i < 1000; ++i) text.argument("key", uint64_t{12345678901234567});
  text.end();
  EXPECT_TRUE(text.overflowed());
}

}  // namespace
}  // namespace xhal::trace_test
