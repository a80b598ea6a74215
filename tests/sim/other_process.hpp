// SPDX-License-Identifier: Apache-2.0
// Another process, and what is said between processes about memory and events.
#pragma once

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>

#include "harness.hpp"

namespace xhal::sim_test {

using Bytes = std::vector<uint8_t>;

// Another process, which runs body(line) and then nothing more. Gone with this.
class Other {
 public:
  template <class Body>
  explicit Other(Body&& body) {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    pid_ = fork();
    if (pid_ == 0) {
      close(ends[0]);
      body(ends[1]);
      _exit(::testing::Test::HasFailure() ? 1 : 0);
    }
    close(ends[1]);
    line = ends[0];
  }
  ~Other() {
    kill();
    close(line);
  }
  Other(const Other&) = delete;
  Other& operator=(const Other&) = delete;
  // All its threads have stopped when this returns.
  void stop() const {
    ::kill(pid_, SIGSTOP);
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, WUNTRACED), pid_);
    EXPECT_TRUE(WIFSTOPPED(status));
  }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    waitpid(std::exchange(pid_, -1), nullptr, 0);
  }
  int line = -1;

 private:
  pid_t pid_ = -1;
};

inline void send(int line, const Bytes& bytes) {
  EXPECT_EQ(::send(line, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
}
inline void send(int line) { send(line, Bytes(1, 0)); }
inline Bytes receive(int line) {
  Bytes bytes(4096);
  const ssize_t got = recv(line, bytes.data(), bytes.size(), 0);
  bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return bytes;
}

inline uint32_t handle_bytes(xhal_device_t device) {
  auto properties = sized<xhal_device_properties_t>();
  EXPECT_EQ(call().device_get_properties(device, &properties), XHAL_SUCCESS);
  return properties.ipc_handle_bytes;
}
inline Bytes export_memory(xhal_device_t device, const void* pointer) {
  Bytes bytes(handle_bytes(device));
  EXPECT_EQ(call().ipc_export_memory(device, pointer, bytes.size(), bytes.data()), XHAL_SUCCESS) << last_text;
  return bytes;
}
inline Bytes export_event(xhal_device_t device, xhal_event_t event) {
  Bytes bytes(handle_bytes(device));
  EXPECT_EQ(call().ipc_export_event(event, bytes.size(), bytes.data()), XHAL_SUCCESS) << last_text;
  return bytes;
}
inline xhal_result_t import_memory(xhal_device_t device, const Bytes& bytes, void*& out) {
  last_text.clear();
  return call().ipc_import_memory(device, bytes.data(), bytes.size(), &out);
}
inline void fill(xhal_stream_t stream, void* pointer, uint8_t value, uint64_t size) {
  EXPECT_EQ(call().memory_fill(stream, pointer, value, 1, size), XHAL_SUCCESS) << last_text;
  expect_synchronized(stream);
}

inline constexpr uint64_t kSize = 5000;

// The socket's name stands in the handle. With SOCK_NONBLOCK -1 when no more can wait to be accepted.
inline int connect_to_exporter(const Bytes& handle, int flags = 0) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  char name[64];
  int length = std::snprintf(name, sizeof(name), "xhal-sim-");
  for (size_t i = 32; i < 48; ++i)
    length += std::snprintf(name + length, sizeof(name) - static_cast<size_t>(length), "%02x", handle[i]);
  std::memcpy(address.sun_path + 1, name, static_cast<size_t>(length));
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + static_cast<size_t>(length));
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), size) == 0) return fd;
  EXPECT_TRUE((flags & SOCK_NONBLOCK) != 0 && errno == EAGAIN) << std::strerror(errno);
  close(fd);
  return -1;
}

}  // namespace xhal::sim_test
