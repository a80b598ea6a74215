// SPDX-License-Identifier: Apache-2.0
// Memory and events of several processes, and memory by descriptor.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <thread>

#include "other_process.hpp"

namespace xhal::sim_test {
namespace {

void export_two_lives(int line) {
  Machine machine;
  const xhal_device_t device = machine.device();
  const xhal_stream_t stream = make_stream(device);
  void* const memory = allocate(device, kSize);
  fill(stream, memory, 0x5A, kSize);
  send(line, export_memory(device, memory));
  receive(line);
  EXPECT_EQ(call().memory_free(device, memory), XHAL_SUCCESS);
  void* const next = allocate(device, kSize);
  fill(stream, next, 0x77, kSize);
  send(line, export_memory(device, next));
  receive(line);
}

TEST(DriverIpc, OnlyTheTrueBytesOpenMemoryAndOnlyWhileItLives) {
  Other other(export_two_lives);
  const Bytes bytes = receive(other.line);
  Machine machine;
  const xhal_device_t device = machine.device();
  const xhal_stream_t stream = make_stream(device);
  void* pointer = nullptr;
  for (size_t i = 0; i < bytes.size(); ++i) {
    Bytes spoilt = bytes;
    spoilt[i] ^= 0x10;
    EXPECT_EQ(import_memory(device, spoilt, pointer), XHAL_ERROR_INVALID_ARGUMENT) << "byte " << i;
    EXPECT_FALSE(last_text.empty());
    spoilt = bytes;
    spoilt.resize(i);
    EXPECT_EQ(import_memory(device, spoilt, pointer), XHAL_ERROR_INVALID_ARGUMENT) << i << " bytes";
  }
  EXPECT_EQ(import_memory(machine.device(1), bytes, pointer), XHAL_ERROR_INVALID_ARGUMENT);
  ASSERT_EQ(import_memory(device, bytes, pointer), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(read_back<uint8_t>(stream, pointer, kSize), Bytes(kSize, 0x5A));
  void* again = nullptr;
  ASSERT_EQ(import_memory(device, bytes, again), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(again, pointer);
  EXPECT_EQ(call().ipc_close_memory(device, pointer), XHAL_SUCCESS);

  // Freed over there while it is imported here: it lives on here, and the bytes open nothing any more.
  send(other.line);
  const Bytes of_next = receive(other.line);
  EXPECT_EQ(import_memory(device, bytes, again), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(read_back<uint8_t>(stream, pointer, kSize), Bytes(kSize, 0x5A));
  EXPECT_EQ(call().ipc_close_memory(device, pointer), XHAL_SUCCESS);
  EXPECT_EQ(call().ipc_close_memory(device, pointer), XHAL_ERROR_INVALID_POINTER);

  ASSERT_EQ(import_memory(device, of_next, pointer), XHAL_SUCCESS) << last_text;
  other.kill();
  EXPECT_EQ(read_back<uint8_t>(stream, pointer, kSize), Bytes(kSize, 0x77));
  EXPECT_EQ(import_memory(device, of_next, again), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_NE(last_text.find("gone"), std::string::npos) << last_text;
}

TEST(DriverIpc, FreedMemoryIsUsedAgainOnlyWhenNobodyHasItAndIsCleared) {
  Other other([](int line) {
    const Bytes bytes = receive(line);
    Machine machine;
    void* pointer = nullptr;
    EXPECT_EQ(import_memory(machine.device(), bytes, pointer), XHAL_SUCCESS) << last_text;
    send(line);
    receive(line);
  });
  Machine machine("memory=1m");
  const xhal_device_t device = machine.device();
  const xhal_stream_t stream = make_stream(device);
  auto desc = sized<xhal_memory_desc_t>();
  desc.kind = XHAL_MEMORY_DEVICE;
  desc.size = 1 << 20;
  void* memory = allocate(device, desc.size);
  fill(stream, memory, 0x5A, desc.size);
  send(other.line, export_memory(device, memory));
  receive(other.line);
  EXPECT_EQ(call().memory_free(device, memory), XHAL_SUCCESS);
  EXPECT_EQ(call().memory_allocate(device, &desc, &memory), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  other.kill();
  // The exporter's thread learns of the death by itself.
  while (call().memory_allocate(device, &desc, &memory) != XHAL_SUCCESS) std::this_thread::yield();
  EXPECT_EQ(read_back<uint8_t>(stream, memory, desc.size), Bytes(desc.size, 0));
}

TEST(DriverIpc, AnImportShowsNothingOfWhatItsPagesHeldBefore) {
  Other other([](int line) {
    Machine machine;
    const xhal_device_t device = machine.device();
    const xhal_stream_t stream = make_stream(device);
    void* const secret = allocate(device, kSize);
    fill(stream, secret, 0x5A, kSize);
    EXPECT_EQ(call().memory_free(device, secret), XHAL_SUCCESS);
    void* const next = allocate(device, kSize);
    EXPECT_EQ(next, secret) << "the same pages, or this tests nothing";
    fill(stream, next, 0x77, 1);
    send(line, export_memory(device, next));
    receive(line);
  });
  const Bytes bytes = receive(other.line);
  Machine machine;
  void* pointer = nullptr;
  ASSERT_EQ(import_memory(machine.device(), bytes, pointer), XHAL_SUCCESS) << last_text;
  Bytes expected(kSize, 0);
  expected[0] = 0x77;
  EXPECT_EQ(read_back<uint8_t>(make_stream(machine.device()), pointer, kSize), expected);
  send(other.line);
}

TEST(DriverIpc, WhoAsksWithoutAHandleGetsNothingAndHoldsNobodyUp) {
  Other other(export_two_lives);
  const Bytes bytes = receive(other.line);
  std::vector<int> silent;
  for (int i = 0; i < 100; ++i) silent.push_back(connect_to_exporter(bytes));
  for (const Bytes& question : {Bytes(1, 0), Bytes(bytes.size(), 0), Bytes(4000, 0xFF)}) {
    const int fd = connect_to_exporter(bytes);
    send(fd, question);
    EXPECT_TRUE(receive(fd).empty()) << "an answer to " << question.size() << " bytes";
    close(fd);
  }
  Machine machine;
  void* pointer = nullptr;
  EXPECT_EQ(import_memory(machine.device(), bytes, pointer), XHAL_SUCCESS) << last_text;
  for (const int fd : silent) close(fd);
}

TEST(DriverIpc, AnExporterThatDoesNotAnswerIsGivenUp) {
  Other other(export_two_lives);
  const Bytes bytes = receive(other.line);
  other.stop();
  Machine machine("ipc_answer_ms=50");
  void* pointer = nullptr;
  EXPECT_EQ(import_memory(machine.device(), bytes, pointer), XHAL_ERROR_IO);
  EXPECT_NE(last_text.find("does not answer"), std::string::npos) << last_text;
}

// Interrupts the process's main thread again and again, as a profiler does.
class Interruptions {
 public:
  Interruptions() {
    struct sigaction action = {};
    action.sa_handler = [](int) {};
    EXPECT_EQ(sigaction(SIGALRM, &action, &former_), 0);
    const itimerval often = {{0, 2000}, {0, 2000}};
    EXPECT_EQ(setitimer(ITIMER_REAL, &often, nullptr), 0);
  }
  ~Interruptions() {
    const itimerval never = {};
    setitimer(ITIMER_REAL, &never, nullptr);
    sigaction(SIGALRM, &former_, nullptr);
  }
  Interruptions(const Interruptions&) = delete;
  Interruptions& operator=(const Interruptions&) = delete;

 private:
  struct sigaction former_ = {};
};

TEST(DriverIpc, SignalsDoNotPutOffThatAnExporterIsGivenUp) {
  Other other(export_two_lives);
  const Bytes bytes = receive(other.line);
  other.stop();
  Machine machine("ipc_answer_ms=100");
  void* pointer = nullptr;
  {
    const Interruptions interruptions;
    EXPECT_EQ(import_memory(machine.device(), bytes, pointer), XHAL_ERROR_IO) << "connected, and waits";
    EXPECT_NE(last_text.find("does not answer"), std::string::npos) << last_text;
  }
  // No room is left to connect.
  std::vector<int> waiting;
  while (waiting.empty() || waiting.back() >= 0) waiting.push_back(connect_to_exporter(bytes, SOCK_NONBLOCK));
  {
    const Interruptions interruptions;
    EXPECT_EQ(import_memory(machine.device(), bytes, pointer), XHAL_ERROR_IO) << "waits to connect";
    EXPECT_NE(last_text.find("does not answer"), std::string::npos) << last_text;
  }
  waiting.pop_back();
  for (const int fd : waiting) close(fd);
}

TEST(DriverIpc, AForkedChildDoesNotKeepItsParentsExportsOpen) {
  Machine exporter;
  const Bytes bytes = export_memory(exporter.device(), allocate(exporter.device(), kSize));
  const Other child([](int line) { receive(line); });
  exporter.close();
  Machine importer;
  void* pointer = nullptr;
  EXPECT_EQ(import_memory(importer.device(), bytes, pointer), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_NE(last_text.find("gone"), std::string::npos) << last_text;
}

TEST(DriverIpc, WaitsForADeadRecorderAreCancelled) {
  Other other([](int line) {
    Machine machine;
    const xhal_device_t device = machine.device();
    const xhal_event_t event = make_event(device, XHAL_EVENT_IPC);
    const xhal_stream_t stream = make_stream(device);
    const Gate gate(stream);
    EXPECT_EQ(call().event_record(event, stream, 0), XHAL_SUCCESS) << last_text;
    send(line, export_event(device, event));
    receive(line);
  });
  const Bytes bytes = receive(other.line);
  Machine machine;
  const xhal_device_t device = machine.device();
  xhal_event_t event = nullptr;
  ASSERT_EQ(call().ipc_import_event(device, bytes.data(), bytes.size(), &event), XHAL_SUCCESS) << last_text;
  const xhal_stream_t stream = make_stream(device);
  EXPECT_EQ(call().event_query(event), XHAL_NOT_READY);
  ASSERT_EQ(call().stream_wait_event(stream, event, 0), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(call().stream_query(stream), XHAL_NOT_READY);
  other.kill();
  EXPECT_EQ(call().stream_synchronize(stream, XHAL_WAIT_FOREVER), XHAL_ERROR_CANCELLED);
  EXPECT_NE(last_text.find("ended before its work was done"), std::string::npos) << last_text;
  EXPECT_EQ(call().event_synchronize(event, XHAL_WAIT_FOREVER), XHAL_ERROR_CANCELLED);
  Bytes again(handle_bytes(device));
  EXPECT_EQ(call().ipc_export_event(event, again.size(), again.data()), XHAL_ERROR_INVALID_ARGUMENT);
}

// It goes on living, as another program that knows of no event.
TEST(DriverIpc, WaitsForARecorderThatBecameAnotherProgramAreCancelled) {
  Other other([](int line) {
    Machine machine;
    const xhal_device_t device = machine.device();
    const xhal_event_t event = make_event(device, XHAL_EVENT_IPC);
    const xhal_stream_t stream = make_stream(device);
    const Gate gate(stream);
    EXPECT_EQ(call().event_record(event, stream, 0), XHAL_SUCCESS) << last_text;
    send(line, export_event(device, event));
    receive(line);
    execlp("sleep", "sleep", "1000", nullptr);
    ADD_FAILURE() << "no sleep to be had";
  });
  const Bytes bytes = receive(other.line);
  Machine machine;
  const xhal_device_t device = machine.device();
  xhal_event_t event = nullptr;
  ASSERT_EQ(call().ipc_import_event(device, bytes.data(), bytes.size(), &event), XHAL_SUCCESS) << last_text;
  const xhal_stream_t stream = make_stream(device);
  ASSERT_EQ(call().stream_wait_event(stream, event, 0), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(call().stream_synchronize(stream, 500'000'000), XHAL_TIMEOUT) << "it is still there";
  send(other.line);
  EXPECT_EQ(call().stream_synchronize(stream, XHAL_WAIT_FOREVER), XHAL_ERROR_CANCELLED);
  // Its place is not lost for others.
  EXPECT_EQ(call().event_synchronize(event, XHAL_WAIT_FOREVER), XHAL_ERROR_CANCELLED);
  const xhal_stream_t next = make_stream(device);
  ASSERT_EQ(call().event_record(event, next, 0), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(call().event_synchronize(event, XHAL_WAIT_FOREVER), XHAL_SUCCESS);
}

TEST(DriverIpc, APeerThatDiesBetweenExportAndImportLeavesAnErrorAlone) {
  Other other([](int line) {
    Machine machine;
    const xhal_device_t device = machine.device();
    send(line, export_memory(device, allocate(device, kSize)));
    send(line, export_event(device, make_event(device, XHAL_EVENT_IPC)));
    receive(line);
  });
  const Bytes memory_bytes = receive(other.line);
  const Bytes event_bytes = receive(other.line);
  other.kill();
  Machine machine;
  void* pointer = nullptr;
  EXPECT_EQ(import_memory(machine.device(), memory_bytes, pointer), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_NE(last_text.find("gone"), std::string::npos) << last_text;
  xhal_event_t event = nullptr;
  last_text.clear();
  EXPECT_EQ(call().ipc_import_event(machine.device(), event_bytes.data(), event_bytes.size(), &event),
            XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_NE(last_text.find("gone"), std::string::npos) << last_text;
}

TEST(DriverIpc, AResetEndsImportsAndExportsOfItsDevice) {
  Other other(export_two_lives);
  const Bytes bytes = receive(other.line);
  Machine machine;
  const xhal_device_t device = machine.device();
  void* imported = nullptr;
  ASSERT_EQ(import_memory(device, bytes, imported), XHAL_SUCCESS) << last_text;
  void* const own = allocate(device, kSize);
  const Bytes of_own = export_memory(device, own);
  ASSERT_EQ(call().device_reset(device), XHAL_SUCCESS);

  const xhal_stream_t stream = make_stream(device);
  EXPECT_EQ(call().memory_fill(stream, imported, 1, 1, 1), XHAL_ERROR_INVALID_POINTER);
  void* pointer = nullptr;
  ASSERT_EQ(import_memory(device, bytes, pointer), XHAL_SUCCESS) << last_text;
  EXPECT_NE(pointer, imported) << "that one can only be closed";
  EXPECT_EQ(read_back<uint8_t>(stream, pointer, kSize), Bytes(kSize, 0x5A));
  for (void* const each : {imported, pointer})
    EXPECT_EQ(call().ipc_close_memory(device, each), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(import_memory(device, of_own, pointer), XHAL_ERROR_INVALID_ARGUMENT);
  Bytes again(of_own.size());
  EXPECT_EQ(call().ipc_export_memory(device, own, again.size(), again.data()), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().memory_free(device, own), XHAL_SUCCESS) << last_text;

  ASSERT_EQ(import_memory(device, bytes, imported), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(read_back<uint8_t>(stream, imported, kSize), Bytes(kSize, 0x5A));
}

TEST(DriverIpc, RecordsThatArePendingAreLimited) {
  Machine machine;
  const xhal_device_t device = machine.device();
  const xhal_event_t event = make_event(device, XHAL_EVENT_IPC);
  const xhal_stream_t stream = make_stream(device);
  {
    Gate gate(stream);
    for (int i = 0; i < 448; ++i)
      ASSERT_EQ(call().event_record(event, stream, 0), XHAL_SUCCESS) << i << ": " << last_text;
    EXPECT_EQ(call().event_record(event, stream, 0), XHAL_ERROR_LIMIT_EXCEEDED);
    EXPECT_EQ(call().event_query(event), XHAL_NOT_READY);
  }
  expect_synchronized(stream);
  EXPECT_EQ(call().event_query(event), XHAL_SUCCESS);
  EXPECT_EQ(call().event_record(event, stream, 0), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(call().event_synchronize(event, XHAL_WAIT_FOREVER), XHAL_SUCCESS);
}

// ---- By descriptor -------------------------------------------------------------------------------------------------------------

xhal_external_memory_desc_t by_descriptor(int fd, uint64_t size, uint64_t offset = 0) {
  auto desc = sized<xhal_external_memory_desc_t>();
  desc.type = XHAL_EXTERNAL_OPAQUE_FD;
  desc.fd = fd;
  desc.size = size;
  desc.offset = offset;
  return desc;
}

TEST(DriverExternal, AnExportHoldsThatAllocationAlone) {
  Machine machine;
  const xhal_device_t device = machine.device();
  const xhal_stream_t stream = make_stream(device);
  void* const memory = allocate(device, kSize);
  void* const neighbour = allocate(device, kSize);
  fill(stream, memory, 0x5A, kSize);
  fill(stream, neighbour, 0x77, kSize);
  int32_t fd = -1;
  uint64_t offset = 1;
  const auto export_it = [&](void* pointer) {
    return call().memory_export_external(device, pointer, XHAL_EXTERNAL_OPAQUE_FD, &fd, &offset);
  };
  expect_synchronized(stream);
  ASSERT_EQ(export_it(memory), XHAL_SUCCESS) << last_text;
  struct stat status = {};
  ASSERT_EQ(fstat(fd, &status), 0);
  EXPECT_EQ(status.st_size, 8192);
  EXPECT_EQ(offset, 0u);
  EXPECT_NE(fcntl(fd, F_GET_SEALS) & F_SEAL_SHRINK, 0);
  Bytes seen(8192);
  EXPECT_EQ(pread(fd, seen.data(), seen.size(), 0), 8192);
  Bytes expected(8192, 0);
  std::fill_n(expected.begin(), kSize, 0x5A);
  EXPECT_EQ(seen, expected);
  EXPECT_EQ(read_back<uint8_t>(stream, memory, kSize), Bytes(kSize, 0x5A));
  EXPECT_EQ(read_back<uint8_t>(stream, neighbour, kSize), Bytes(kSize, 0x77));
  // What the device writes from now on is the file's.
  fill(stream, memory, 0x11, kSize);
  EXPECT_EQ(pread(fd, seen.data(), kSize, 0), static_cast<ssize_t>(kSize));
  EXPECT_EQ(seen[kSize - 1], 0x11);
  EXPECT_EQ(call().memory_free(device, memory), XHAL_SUCCESS);
  // The addresses are backed by the device's own memory again.
  void* const next = allocate(device, kSize);
  fill(stream, next, 0x22, kSize);
  EXPECT_EQ(pread(fd, seen.data(), 1, 0), 1);
  EXPECT_EQ(seen[0], 0x11);
  close(fd);
  static_cast<void>(export_memory(device, neighbour));
  EXPECT_EQ(export_it(neighbour), XHAL_ERROR_BUSY) << "processes may have the device's own file";
}

// Work that follows pointers may write anywhere, so all of it counts.
TEST(DriverExternal, AnExportUnderWorkLosesNothing) {
  Machine machine;
  const xhal_device_t device = machine.device();
  const xhal_stream_t stream = make_stream(device);
  void* const memory = allocate(device, kSize);
  fill(stream, memory, 0x5A, kSize);
  int32_t fd = -1;
  uint64_t offset = 1;
  {
    const Gate gate(stream);
    ASSERT_EQ(call().memory_fill(stream, memory, 0x11, 1, 100), XHAL_SUCCESS);
    const xhal_result_t result =
        call().memory_export_external(device, memory, XHAL_EXTERNAL_OPAQUE_FD, &fd, &offset);
    if (result == XHAL_ERROR_BUSY && last_text.find("userfaultfd") != std::string::npos) {
      GTEST_SKIP() << "the system holds nobody's writes";
    }
    ASSERT_EQ(result, XHAL_SUCCESS) << last_text;
    Bytes seen(kSize);
    EXPECT_EQ(pread(fd, seen.data(), kSize, 0), static_cast<ssize_t>(kSize));
    EXPECT_EQ(seen, Bytes(kSize, 0x5A));
  }
  expect_synchronized(stream);
  Bytes seen(kSize);
  EXPECT_EQ(pread(fd, seen.data(), kSize, 0), static_cast<ssize_t>(kSize));
  Bytes expected(kSize, 0x5A);
  std::fill_n(expected.begin(), 100, uint8_t{0x11});
  EXPECT_EQ(seen, expected) << "what was submitted before writes to where the bytes are now";
  EXPECT_EQ(read_back<uint8_t>(stream, memory, kSize), expected);
  close(fd);
}

TEST(DriverExternal, FilesThatCanFailUnderTheDeviceAreRefused) {
  Machine machine;
  const xhal_device_t device = machine.device();
  const xhal_stream_t stream = make_stream(device);
  const int file = memfd_create("pages", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  Bytes data(kSize);
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<uint8_t>(i * 7);
  ASSERT_EQ(write(file, data.data(), data.size()), static_cast<ssize_t>(kSize));
  void* pointer = nullptr;
  const auto import = [&](const xhal_external_memory_desc_t& desc) {
    return call().memory_import_external(device, &desc, &pointer);
  };
  EXPECT_EQ(import(by_descriptor(file, kSize)), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_NE(last_text.find("F_SEAL_SHRINK"), std::string::npos) << last_text;
  ASSERT_EQ(fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK), 0);
  EXPECT_EQ(import(by_descriptor(file, kSize + 1)), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(import(by_descriptor(file, kSize, kSize)), XHAL_ERROR_INVALID_ARGUMENT);
  const int read_only = open(("/proc/self/fd/" + std::to_string(file)).c_str(), O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(import(by_descriptor(read_only, kSize)), XHAL_ERROR_INVALID_ARGUMENT);
  close(read_only);
  // From any byte on.
  ASSERT_EQ(import(by_descriptor(file, kSize, 4099)), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(read_back<uint8_t>(stream, pointer, kSize - 4099), Bytes(data.begin() + 4099, data.end()));
  EXPECT_EQ(call().ipc_close_memory(device, pointer), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().memory_release_external(device, pointer), XHAL_SUCCESS);
  EXPECT_EQ(call().memory_release_external(device, pointer), XHAL_ERROR_INVALID_POINTER);
  close(file);
}

}  // namespace
}  // namespace xhal::sim_test
