// SPDX-License-Identifier: Apache-2.0
// Handles that were tampered with, exporters that lie and pages that others scribble on: an error with a text at worst.
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <random>
#include <thread>

#include "other_process.hpp"

namespace xhal::sim_test {
namespace {

constexpr size_t kCheckAt = 80;
constexpr size_t kNameAt = 32;

// The bytes' own checksum tells damage, and is no secret: whoever tampers makes it anew.
void make_check(Bytes& handle) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < kCheckAt; ++i) hash = (hash ^ handle[i]) * 0x100000001b3u;
  std::memcpy(handle.data() + kCheckAt, &hash, sizeof(hash));
}

xhal_result_t import_event(xhal_device_t device, const Bytes& bytes) {
  xhal_event_t event = nullptr;
  last_text.clear();
  return call().ipc_import_event(device, bytes.data(), bytes.size(), &event);
}

void export_both(int line) {
  Machine machine;
  const xhal_device_t device = machine.device();
  const xhal_stream_t stream = make_stream(device);
  void* const memory = allocate(device, kSize);
  fill(stream, memory, 0x5A, kSize);
  send(line, export_memory(device, memory));
  send(line, export_event(device, make_event(device, XHAL_EVENT_IPC)));
  receive(line);
}

TEST(HostileIpc, TamperedBytesOfEveryFieldAreRefusedWithAText) {
  Other other(export_both);
  const Bytes originals[] = {receive(other.line), receive(other.line)};
  Machine machine;
  const xhal_device_t device = machine.device();
  std::mt19937_64 random(5);
  void* pointer = nullptr;
  for (int round = 0; round < 3000; ++round) {
    const size_t which = random() % 2;
    Bytes bytes = originals[which];
    for (uint64_t changes = 1 + random() % 3; changes != 0; --changes) {
      const size_t at = random() % bytes.size();
      switch (random() % 5) {
        case 0:
          bytes[at] = static_cast<uint8_t>(bytes[at] ^ (1u << random() % 8));
          break;
        case 1:
          bytes[at] = static_cast<uint8_t>(random());
          break;
        case 2:
          std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.end(), uint8_t{0});
          break;
        case 3:  // a part of the other one
          std::copy(originals[1 - which].begin() + static_cast<std::ptrdiff_t>(at),
                    originals[1 - which].end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
          break;
        default:
          std::swap(bytes[at], bytes[random() % bytes.size()]);
      }
    }
    if (random() % 4 != 0) make_check(bytes);
    const bool is_true = bytes == originals[0] || bytes == originals[1];
    if (!is_true && random() % 16 == 0) bytes.resize(random() % 200);
    if (is_true) continue;
    ASSERT_EQ(import_memory(device, bytes, pointer), XHAL_ERROR_INVALID_ARGUMENT) << "round " << round;
    ASSERT_FALSE(last_text.empty());
    ASSERT_EQ(import_event(device, bytes), XHAL_ERROR_INVALID_ARGUMENT) << "round " << round;
    ASSERT_FALSE(last_text.empty());
  }
  // The exporter has taken no harm.
  EXPECT_EQ(import_memory(device, originals[0], pointer), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(import_event(device, originals[1]), XHAL_SUCCESS) << last_text;
}

struct Reply {
  uint64_t is_granted, offset, bytes, size;
};

void send_reply(int socket, const void* bytes, size_t size, const std::vector<int>& files) {
  iovec place = {const_cast<void*>(bytes), size};
  alignas(cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &place;
  message.msg_iovlen = 1;
  if (!files.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(files.size() * sizeof(int));
    cmsghdr* const rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(files.size() * sizeof(int));
    std::memcpy(CMSG_DATA(rights), files.data(), files.size() * sizeof(int));
  }
  static_cast<void>(sendmsg(socket, &message, MSG_NOSIGNAL));
}

// Listens where handles say that it made up from true ones; what it answers is the test's.
class Impostor {
 public:
  explicit Impostor(std::initializer_list<Bytes*> handles) {
    static uint64_t count = 0;
    std::mt19937_64 random(static_cast<uint64_t>(getpid()) << 16 | ++count);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    char name[64];
    int length = std::snprintf(name, sizeof(name), "xhal-sim-");
    std::array<uint8_t, 16> chosen;
    for (uint8_t& byte : chosen) {
      byte = static_cast<uint8_t>(random());
      length += std::snprintf(name + length, sizeof(name) - static_cast<size_t>(length), "%02x", byte);
    }
    std::memcpy(address.sun_path + 1, name, static_cast<size_t>(length));
    listener_ = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    const auto size =
        static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + static_cast<size_t>(length));
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_, 8), 0);
    for (Bytes* handle : handles) {
      std::copy(chosen.begin(), chosen.end(), handle->begin() + kNameAt);
      make_check(*handle);
    }
  }
  ~Impostor() { close(listener_); }
  Impostor(const Impostor&) = delete;
  Impostor& operator=(const Impostor&) = delete;

  // The connection of the next who asks; -1 after end().
  [[nodiscard]] int accept() const { return accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC); }
  void end() const { shutdown(listener_, SHUT_RDWR); }

 private:
  int listener_ = -1;
};

Bytes true_handle_of_memory() {
  Machine machine;
  return export_memory(machine.device(), allocate(machine.device(), kSize));
}

// Answers whatever comes with something that no exporter says.
TEST(HostileIpc, AnExporterThatLiesIsNotBelieved) {
  Other other(export_both);
  Bytes handles[] = {receive(other.line), receive(other.line)};
  other.kill();
  const Impostor impostor{&handles[0], &handles[1]};
  std::mt19937_64 random(7);

  int pipe_ends[2];
  ASSERT_EQ(pipe2(pipe_ends, O_CLOEXEC), 0);
  const int open_file = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  const int small_file = memfd_create("small", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  ASSERT_EQ(ftruncate(open_file, 1 << 20), 0);
  ASSERT_EQ(ftruncate(small_file, 4096), 0);
  ASSERT_EQ(fcntl(small_file, F_ADD_SEALS, F_SEAL_SHRINK), 0);
  const int files[] = {pipe_ends[0], open_file, small_file};
  constexpr int kRounds = 400;
  std::thread liar([&] {
    for (int round = 0; round < 2 * kRounds; ++round) {
      const int fd = impostor.accept();
      if (fd < 0) return;
      if (random() % 8 != 0) receive(fd);
      const uint64_t odd[] = {0, 1, 4095, 4096, 8192, uint64_t{1} << 40, UINT64_MAX, UINT64_MAX - 4095};
      const auto any = [&] { return odd[random() % std::size(odd)]; };
      // Three pages of a file that has one, at the least.
      Reply reply = {random() % 8 != 0 ? 1 : any(), any(), any(), any()};
      if (reply.is_granted == 1 && reply.offset == 0 && reply.bytes == 4096) reply.bytes = 3 * 4096;
      std::vector<int> given;
      for (uint64_t count = random() % 4; count != 0; --count)
        given.push_back(files[random() % std::size(files)]);
      std::array<uint8_t, 64> answer = {};
      std::memcpy(answer.data(), &reply, sizeof(reply));
      if (random() % 8 != 0)
        send_reply(fd, answer.data(), random() % 4 != 0 ? sizeof(reply) : random() % answer.size(), given);
      close(fd);
    }
  });
  Machine machine("ipc_answer_ms=2000");
  const xhal_device_t device = machine.device();
  void* pointer = nullptr;
  for (int round = 0; round < kRounds; ++round) {
    const xhal_result_t results[] = {import_memory(device, handles[0], pointer),
                                     import_event(device, handles[1])};
    for (const xhal_result_t result : results)
      ASSERT_TRUE(result == XHAL_ERROR_INVALID_ARGUMENT || result == XHAL_ERROR_IO) << result << last_text;
    ASSERT_FALSE(last_text.empty());
  }
  impostor.end();
  liar.join();
  for (const int fd : {pipe_ends[0], pipe_ends[1], open_file, small_file}) close(fd);
  void* const memory = allocate(device, kSize);
  EXPECT_EQ(call().memory_free(device, memory), XHAL_SUCCESS) << "nothing else is disturbed";
}

// Whether the process is now one of a user who is nobody else here.
bool become_another_user() {
  return setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0;
}

// Whoever asks with the true bytes, by the socket alone: an import would look at the exporter's user first.
bool is_answered(const Bytes& bytes) {
  const int socket = connect_to_exporter(bytes);
  static_cast<void>(::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL));
  Bytes answer(64);
  const bool answered = recv(socket, answer.data(), answer.size(), 0) > 0;
  close(socket);
  return answered;
}

TEST(HostileIpc, AnotherUsersProcessIsGivenNothing) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can start another user's process";
  Other thief([](int line) {
    const Bytes bytes = receive(line);
    const bool before = is_answered(bytes);
    ASSERT_TRUE(become_another_user());
    send(line, Bytes{before, is_answered(bytes)});
  });
  Machine machine;
  void* const memory = allocate(machine.device(), kSize);
  send(thief.line, export_memory(machine.device(), memory));
  EXPECT_EQ(receive(thief.line), (Bytes{true, false}));
}

TEST(HostileIpc, AnotherUsersExportIsNotBelieved) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can start another user's process";
  Other stranger([](int line) {
    ASSERT_TRUE(become_another_user());
    Machine machine;
    send(line, export_memory(machine.device(), allocate(machine.device(), kSize)));
    receive(line);
  });
  const Bytes bytes = receive(stranger.line);
  Machine machine;
  void* pointer = nullptr;
  EXPECT_EQ(import_memory(machine.device(), bytes, pointer), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_NE(last_text.find("another user"), std::string::npos) << last_text;
}

TEST(HostileIpc, APeerThatKeepsOneThreadWaitingKeepsNoOtherOne) {
  Other other(export_both);
  const Bytes of_good = receive(other.line);
  Bytes of_mute = true_handle_of_memory();
  const Impostor mute{&of_mute};
  Machine machine("ipc_answer_ms=3600000");
  const xhal_device_t device = machine.device();
  xhal_result_t result = XHAL_SUCCESS;
  std::thread waiting([&] {
    void* pointer = nullptr;
    result = import_memory(device, of_mute, pointer);
  });
  const int line = mute.accept();
  EXPECT_EQ(receive(line).size(), of_mute.size());
  // The thread waits for an answer from here on.
  void* pointer = nullptr;
  EXPECT_EQ(import_memory(device, of_good, pointer), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(call().ipc_close_memory(device, pointer), XHAL_SUCCESS) << last_text;
  close(line);
  waiting.join();
  EXPECT_EQ(result, XHAL_ERROR_INVALID_ARGUMENT);
}

TEST(HostileIpc, ThreadsThatImportOneHandleAtOnceHaveOneImport) {
  Bytes handle = true_handle_of_memory();
  const Impostor impostor{&handle};
  const int file = memfd_create("memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  ASSERT_EQ(ftruncate(file, 8192), 0);
  ASSERT_EQ(fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK), 0);
  Machine machine("ipc_answer_ms=3600000");
  const xhal_device_t device = machine.device();
  void* pointers[2] = {};
  std::vector<std::thread> threads;
  for (void*& pointer : pointers) {
    threads.emplace_back(
        [&] { EXPECT_EQ(import_memory(device, handle, pointer), XHAL_SUCCESS) << last_text; });
  }
  // Both ask before either has an answer.
  const int lines[] = {impostor.accept(), impostor.accept()};
  const Reply reply = {1, 0, 8192, kSize};
  for (const int line : lines) EXPECT_EQ(receive(line).size(), handle.size());
  for (const int line : lines) send_reply(line, &reply, sizeof(reply), {file});
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(pointers[0], pointers[1]);
  // One connection stands for the import, the other one was closed.
  pollfd ends[] = {{lines[0], POLLIN, 0}, {lines[1], POLLIN, 0}};
  EXPECT_EQ(poll(ends, 2, -1), 1);
  EXPECT_EQ(call().ipc_close_memory(device, pointers[0]), XHAL_SUCCESS) << last_text;
  const xhal_stream_t stream = make_stream(device);
  fill(stream, pointers[0], 0x5A, kSize);
  EXPECT_EQ(call().ipc_close_memory(device, pointers[0]), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(call().ipc_close_memory(device, pointers[0]), XHAL_ERROR_INVALID_POINTER);
  for (const int line : lines) EXPECT_TRUE(receive(line).empty());
  for (const int fd : {lines[0], lines[1], file}) close(fd);
}

// What whoever has the handle of an event is given: its page and its bell, and the connection.
struct Given {
  explicit Given(const Bytes& handle) : line(connect_to_exporter(handle)) {
    send(line, handle);
    Reply reply = {};
    iovec place = {&reply, sizeof(reply)};
    alignas(cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {};
    msghdr message = {};
    message.msg_iov = &place;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    EXPECT_EQ(recvmsg(line, &message, MSG_CMSG_CLOEXEC), static_cast<ssize_t>(sizeof(reply)));
    int files[2] = {-1, -1};
    if (CMSG_FIRSTHDR(&message) != nullptr)
      std::memcpy(files, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(files));
    page = files[0];
    bell = files[1];
  }
  ~Given() {
    for (const int fd : {line, page, bell}) close(fd);
  }
  Given(const Given&) = delete;
  Given& operator=(const Given&) = delete;

  int line = -1;
  int page = -1;
  int bell = -1;
};

// The page is shared with whoever has the handle. Its numbers are checked: waits may end too early or be given up, and nothing else happens.
TEST(HostileIpc, AScribbledPageOfAnEventCrashesNobody) {
  Machine machine;
  const xhal_device_t device = machine.device();
  const xhal_event_t event = make_event(device, XHAL_EVENT_IPC);
  const Given given(export_event(device, event));
  auto* const page = static_cast<std::atomic<uint64_t>*>(
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, given.page, 0));
  ASSERT_NE(static_cast<void*>(page), MAP_FAILED);
  std::mt19937_64 random(3);
  const xhal_stream_t stream = make_stream(device);
  for (int round = 0; round < 2000; ++round) {
    for (uint64_t words = random() % 4; words != 0; --words) {
      std::atomic<uint64_t>& word = page[1 + random() % 511];
      word.store(random() % 2 == 0 ? random() : word.load() + random() % 3 - 1);
    }
    const xhal_result_t recorded = call().event_record(event, stream, 0);
    ASSERT_TRUE(recorded == XHAL_SUCCESS || recorded == XHAL_ERROR_LIMIT_EXCEEDED) << last_text;
    static_cast<void>(call().event_query(event));
    static_cast<void>(call().event_synchronize(event, 0));
    expect_synchronized(stream);
  }
  munmap(page, 4096);
  EXPECT_EQ(call().event_destroy(event), XHAL_SUCCESS);
}

// The bell is an open file that whoever has the handle may do anything to.
void let_block(int fd) { EXPECT_EQ(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK), 0); }
void fill_up(int eventfd) {
  EXPECT_EQ(fcntl(eventfd, F_SETFL, fcntl(eventfd, F_GETFL) | O_NONBLOCK), 0);
  for (uint64_t amount = uint64_t{1} << 63; amount != 0; amount /= 2) {
    while (write(eventfd, &amount, sizeof(amount)) == sizeof(amount)) {
    }
  }
  let_block(eventfd);
}

TEST(HostileIpc, ABellThatIsSpoiltHoldsNobodyUp) {
  Machine machine;
  const xhal_device_t device = machine.device();
  const xhal_event_t event = make_event(device, XHAL_EVENT_IPC);
  const Given given(export_event(device, event));
  fill_up(given.bell);
  const xhal_stream_t stream = make_stream(device);
  ASSERT_EQ(call().event_record(event, stream, 0), XHAL_SUCCESS) << last_text;
  expect_synchronized(stream);
  EXPECT_EQ(call().event_query(event), XHAL_SUCCESS) << last_text;
}

// Waits would end without it, only later.
TEST(HostileIpc, ABellRingsWhateverThePeersSayOfBlocking) {
  const int probe = eventfd(1, EFD_CLOEXEC);
  uint64_t count = 0;
  const iovec place = {&count, sizeof(count)};
  const bool is_supported = preadv2(probe, &place, 1, -1, RWF_NOWAIT) == static_cast<ssize_t>(sizeof(count));
  close(probe);
  if (!is_supported) GTEST_SKIP() << "the system rings no bell without a risk to wait";
  Machine machine;
  const xhal_device_t device = machine.device();
  const xhal_event_t event = make_event(device, XHAL_EVENT_IPC);
  const Given given(export_event(device, event));
  let_block(given.bell);
  const int ears = epoll_create1(EPOLL_CLOEXEC);
  epoll_event heard = {};
  heard.events = EPOLLOUT | EPOLLET;
  ASSERT_EQ(epoll_ctl(ears, EPOLL_CTL_ADD, given.bell, &heard), 0);
  ASSERT_EQ(epoll_wait(ears, &heard, 1, -1), 1) << "that there is room";
  EXPECT_EQ(epoll_wait(ears, &heard, 1, 0), 0) << "and nothing new";
  const xhal_stream_t stream = make_stream(device);
  ASSERT_EQ(call().event_record(event, stream, 0), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(epoll_wait(ears, &heard, 1, -1), 1);
  close(ears);
}

class BellOfAPeer {
 public:
  // INVALID_ARGUMENT, or an event that rings `bell`.
  xhal_result_t import(int bell, xhal_event_t& out) {
    constexpr uint64_t kMagic = 0x31746e6576656d73;
    const int page = memfd_create("page", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    EXPECT_EQ(write(page, &kMagic, sizeof(kMagic)), static_cast<ssize_t>(sizeof(kMagic)));
    EXPECT_EQ(ftruncate(page, 4096), 0);
    EXPECT_EQ(fcntl(page, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    std::thread peer([&] {
      const int line = impostor_.accept();
      receive(line);
      const Reply reply = {1, 0, 0, 0};
      send_reply(line, &reply, sizeof(reply), {page, bell});
      close(line);
    });
    last_text.clear();
    const xhal_result_t result =
        call().ipc_import_event(machine.device(), handle_.data(), handle_.size(), &out);
    peer.join();
    close(page);
    return result;
  }
  Machine machine;

 private:
  Bytes handle_ = export_event(machine.device(), make_event(machine.device(), XHAL_EVENT_IPC));
  const Impostor impostor_{&handle_};
};

TEST(HostileIpc, ABellThatAPeerMadeHoldsNobodyUp) {
  for (const bool is_full : {false, true}) {
    BellOfAPeer peer;
    const int bell = eventfd(0, EFD_CLOEXEC);
    if (is_full) fill_up(bell);
    xhal_event_t event = nullptr;
    ASSERT_EQ(peer.import(bell, event), XHAL_SUCCESS) << last_text;
    const xhal_stream_t stream = make_stream(peer.machine.device());
    ASSERT_EQ(call().event_record(event, stream, 0), XHAL_SUCCESS) << last_text;
    expect_synchronized(stream);
    EXPECT_EQ(call().event_query(event), XHAL_SUCCESS) << last_text;
    close(bell);
  }
}

TEST(HostileIpc, WhatIsNoBellIsRefused) {
  BellOfAPeer peer;
  int pipe_ends[2];
  ASSERT_EQ(pipe2(pipe_ends, O_CLOEXEC), 0);
  int sockets[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
  const int file = memfd_create("anon_inode:[eventfd]", MFD_CLOEXEC);
  const int queue = epoll_create1(EPOLL_CLOEXEC);
  for (const int bell : {pipe_ends[0], pipe_ends[1], sockets[0], file, queue}) {
    xhal_event_t event = nullptr;
    EXPECT_EQ(peer.import(bell, event), XHAL_ERROR_INVALID_ARGUMENT) << bell;
    EXPECT_NE(last_text.find("bell"), std::string::npos) << last_text;
  }
  for (const int fd : {pipe_ends[0], pipe_ends[1], sockets[0], sockets[1], file, queue}) close(fd);
}

}  // namespace
}  // namespace xhal::sim_test
