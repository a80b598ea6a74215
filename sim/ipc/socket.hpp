// SPDX-License-Identifier: Apache-2.0
// The sockets of exporters: names that no file stands for, and who is at the other end.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace xhal::sim {

// In Linux's abstract namespace, which is the network namespace's; gone with its socket.
class SocketName {
 public:
  explicit SocketName(const std::array<uint8_t, 16>& name) {
    address_.sun_family = AF_UNIX;
    char* out = address_.sun_path;
    *out++ = '\0';
    std::memcpy(out, kPrefix, sizeof(kPrefix) - 1);
    out += sizeof(kPrefix) - 1;
    for (const uint8_t byte : name) {
      *out++ = "0123456789abcdef"[byte >> 4];
      *out++ = "0123456789abcdef"[byte & 15];
    }
    size_ = static_cast<socklen_t>(out - reinterpret_cast<char*>(&address_));
  }
  [[nodiscard]] const sockaddr* address() const { return reinterpret_cast<const sockaddr*>(&address_); }
  [[nodiscard]] socklen_t size() const { return size_; }

 private:
  static constexpr char kPrefix[] = "xhal-sim-";
  sockaddr_un address_ = {};
  socklen_t size_ = 0;
};

inline bool is_of_own_user(int connection) {
  ucred peer = {};
  socklen_t size = sizeof(peer);
  return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid();
}

}  // namespace xhal::sim
