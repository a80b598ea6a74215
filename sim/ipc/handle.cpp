// SPDX-License-Identifier: Apache-2.0
#include "ipc/handle.hpp"

#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstddef>
#include <cstring>

#include "engine/futex.hpp"
#include "ipc/socket.hpp"
#include "memory/text.hpp"

namespace xhal::sim {
namespace {

constexpr std::array<char, 8> kMagic = {'x', 'h', 'a', 'l', 's', 'i', 'm', '\n'};
constexpr uint32_t kVersion = 1;

uint64_t check_of(const ShareHandle& handle) {
  const auto* const bytes = reinterpret_cast<const unsigned char*>(&handle);
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < offsetof(ShareHandle, check); ++i) hash = (hash ^ bytes[i]) * 0x100000001b3u;
  return hash;
}

// The descriptors of a message, none of which is lost whatever else is wrong with it.
int take_files(const msghdr& message, Descriptor (&files)[kMostShareFiles]) {
  int count = 0;
  for (const cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(const_cast<msghdr*>(&message), const_cast<cmsghdr*>(part))) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t given = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < given; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(fd));
      Descriptor file(fd);
      if (count < kMostShareFiles) files[count++] = std::move(file);
    }
  }
  return count;
}

// One time for all that is asked over a socket, however often a signal interrupts it: the socket's own timeout begins anew with every call.
class Deadline {
 public:
  Deadline(int socket, uint32_t ms) : socket_(socket), end_ns_(monotonic_ns() + uint64_t{ms} * 1'000'000) {}

  // `option` is the timeout that `call` obeys. EAGAIN once the time is over.
  template <class Call>
  auto keep(int option, const Call& call) const {
    for (;;) {
      const uint64_t now = monotonic_ns();
      // None at all would be for ever.
      const uint64_t left_us = std::max<uint64_t>((end_ns_ - std::min(end_ns_, now)) / 1000, 1);
      const timeval most = {static_cast<time_t>(left_us / 1'000'000),
                            static_cast<suseconds_t>(left_us % 1'000'000)};
      setsockopt(socket_, SOL_SOCKET, option, &most, sizeof(most));
      const auto result = call();
      if (result >= 0 || errno != EINTR) return result;
      if (monotonic_ns() < end_ns_) continue;
      errno = EAGAIN;
      return result;
    }
  }

 private:
  const int socket_;
  const uint64_t end_ns_;
};

}  // namespace

bool fill_randomly(void* bytes, size_t size) {
  return getrandom(bytes, size, 0) == static_cast<ssize_t>(size);  // as many as these come at once
}

bool make_handle(ShareKind kind, uint32_t device, const std::array<uint8_t, 16>& name, ShareHandle& out) {
  out = {kMagic, kVersion, static_cast<uint32_t>(kind), device, 0, ProcessId::own().word(), name, {}, 0};
  if (!fill_randomly(out.secret.data(), out.secret.size())) return false;
  out.check = check_of(out);
  return true;
}

xhal_result_t read_handle(const void* bytes, uint64_t size, ShareKind kind, ShareHandle& out,
                          std::string& why) {
  const auto refuse = [&](const char* problem) {
    why = problem;
    return XHAL_ERROR_INVALID_ARGUMENT;
  };
  if (size != sizeof(out)) {
    why = text("size is %" PRIu64 ", a handle has %zu bytes", size, sizeof(out));
    return XHAL_ERROR_INVALID_ARGUMENT;
  }
  std::memcpy(&out, bytes, sizeof(out));
  if (out.magic != kMagic) return refuse("the bytes are no handle of the simulator's");
  if (out.version != kVersion) return refuse("the handle is of another version of the simulator");
  if (out.check != check_of(out))
    return refuse("the handle's bytes are damaged; send them as they were exported");
  if (out.kind == static_cast<uint32_t>(kind)) return XHAL_SUCCESS;
  return refuse(kind == ShareKind::kMemory ? "the handle is not one of memory"
                                           : "the handle is not one of an event");
}

bool same_handle(const ShareHandle& a, const ShareHandle& b) {
  const auto* const left = reinterpret_cast<const volatile unsigned char*>(&a);
  const auto* const right = reinterpret_cast<const volatile unsigned char*>(&b);
  unsigned difference = 0;
  for (size_t i = 0; i < sizeof(a); ++i) difference |= static_cast<unsigned>(left[i]) ^ right[i];
  return difference == 0;
}

xhal_result_t fetch(const ShareHandle& handle, uint32_t answer_ms, Fetched& out, std::string& why) {
  const int exporter = static_cast<int>(ProcessId(handle.exporter).pid());
  const auto no_answer = [&] {
    if (errno == EAGAIN || errno == EINPROGRESS) {
      why = text("process %d, which exported it, does not answer within %u ms; is it stopped?", exporter,
                 answer_ms);
    } else {
      why = text("asking process %d, which exported it, failed: %s", exporter, std::strerror(errno));
    }
    return XHAL_ERROR_IO;
  };
  Descriptor connection(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!connection) return no_answer();
  const Deadline deadline(connection.get(), answer_ms);
  const SocketName name(handle.name);
  const int connected =
      deadline.keep(SO_SNDTIMEO, [&] { return connect(connection.get(), name.address(), name.size()); });
  if (connected != 0 && errno == ECONNREFUSED) {
    why = text("process %d, which exported it, is gone or has destroyed its instance", exporter);
    return XHAL_ERROR_INVALID_ARGUMENT;
  }
  if (connected != 0) return no_answer();
  if (!is_of_own_user(connection.get())) {
    why = text("process %d, which exported it, is another user's", exporter);
    return XHAL_ERROR_INVALID_ARGUMENT;
  }
  const auto unknown = [&] {
    why = text("process %d knows no such handle: altered bytes, or what it exported is gone", exporter);
    return XHAL_ERROR_INVALID_ARGUMENT;
  };
  const ssize_t sent = deadline.keep(
      SO_SNDTIMEO, [&] { return send(connection.get(), &handle, sizeof(handle), MSG_NOSIGNAL); });
  if (sent != sizeof(handle)) return errno == EPIPE || errno == ECONNRESET ? unknown() : no_answer();

  iovec place = {&out.reply, sizeof(out.reply)};
  alignas(cmsghdr) char control[CMSG_SPACE(kMostShareFiles * sizeof(int))];
  msghdr message = {};
  message.msg_iov = &place;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  const ssize_t got =
      deadline.keep(SO_RCVTIMEO, [&] { return recvmsg(connection.get(), &message, MSG_CMSG_CLOEXEC); });
  if (got < 0 && errno != ECONNRESET) return no_answer();
  const int wanted = handle.kind == static_cast<uint32_t>(ShareKind::kEvent) ? 2 : 1;
  const int files = got > 0 ? take_files(message, out.files) : 0;
  if (got != sizeof(out.reply) || out.reply.is_granted != 1 || (message.msg_flags & MSG_CTRUNC) != 0 ||
      files != wanted)
    return unknown();
  out.connection = std::move(connection);
  return XHAL_SUCCESS;
}

}  // namespace xhal::sim
