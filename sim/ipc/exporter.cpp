// SPDX-License-Identifier: Apache-2.0
#include "ipc/exporter.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "engine/futex.hpp"
#include "ipc/socket.hpp"

namespace xhal::sim {
namespace {

constexpr uint64_t kNsOfMs = 1'000'000;
// Connections that ask nothing.
constexpr size_t kMostUnasked = 128;
// When no descriptor is left for a new connection.
constexpr uint64_t kPauseNs = 100 * kNsOfMs;

bool send_reply(int socket, const ShareReply& reply, const int (&files)[kMostShareFiles]) {
  iovec place = {const_cast<ShareReply*>(&reply), sizeof(reply)};
  alignas(cmsghdr) char control[CMSG_SPACE(kMostShareFiles * sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &place;
  message.msg_iovlen = 1;
  const size_t count = files[1] >= 0 ? 2 : 1;
  message.msg_control = control;
  message.msg_controllen = CMSG_SPACE(count * sizeof(int));
  cmsghdr* const rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(count * sizeof(int));
  std::memcpy(CMSG_DATA(rights), files, count * sizeof(int));
  return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(reply);
}

}  // namespace

Exporter::~Exporter() { stop(); }

void Exporter::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  if (!thread_.joinable()) return;
  eventfd_write(wake_.get(), 1);
  thread_.join();
}

xhal_result_t Exporter::start(std::string& why) {
  if (thread_.joinable()) return XHAL_SUCCESS;
  Descriptor listener(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  Descriptor wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  std::array<uint8_t, 16> name = {};
  const bool is_named = fill_randomly(name.data(), name.size());
  const SocketName address(name);
  if (!listener || !wake || !is_named || bind(listener.get(), address.address(), address.size()) != 0 ||
      listen(listener.get(), 128) != 0) {
    why = std::string("the system gives no socket to hand memory out: ") + std::strerror(errno);
    return XHAL_ERROR_OUT_OF_HOST_MEMORY;
  }
  name_ = name;
  listener_ = std::move(listener);
  wake_ = std::move(wake);
  // The application's signals are not for this thread.
  sigset_t all, former;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &former);
  try {
    thread_ = std::thread([this] { serve(); });
  } catch (const std::exception& error) {
    why = std::string("no thread can be had to hand memory out: ") + error.what();
  }
  pthread_sigmask(SIG_SETMASK, &former, nullptr);
  return thread_.joinable() ? XHAL_SUCCESS : XHAL_ERROR_OUT_OF_HOST_MEMORY;
}

xhal_result_t Exporter::offer(uint64_t key, ShareKind kind, uint32_t device, const Offer& offer,
                              ShareHandle& out, std::string& why) {
  const std::lock_guard lock(mutex_);
  if (const xhal_result_t result = start(why); result < 0) return result;
  Entry entry = {{}, offer, false, 0};
  entry.offer.reply.is_granted = 1;
  if (!make_handle(kind, device, name_, entry.handle)) {
    why = std::string("the system gives no random bytes: ") + std::strerror(errno);
    return XHAL_ERROR_OUT_OF_HOST_MEMORY;
  }
  entries_.emplace(key, entry);
  out = entry.handle;
  return XHAL_SUCCESS;
}

size_t Exporter::withdraw(uint64_t key) {
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(key);
  if (it == entries_.end()) return 0;
  const size_t holders = it->second.holders;
  if (holders == 0) {
    entries_.erase(it);
  } else {
    it->second.withdrawn = true;
  }
  return holders;
}

bool Exporter::is_own(const ShareHandle& handle) {
  const std::lock_guard lock(mutex_);
  return thread_.joinable() && handle.name == name_;
}

bool Exporter::find(const ShareHandle& handle, uint64_t& out_key) {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, entry] : entries_) {
    if (entry.withdrawn || !same_handle(entry.handle, handle)) continue;
    out_key = key;
    return true;
  }
  return false;
}

// ---- The thread ----------------------------------------------------------------------------------------------------------------

void Exporter::serve() {
  pthread_setname_np(pthread_self(), "xhal-sim-ipc");
  std::vector<pollfd> waited;
  waited.reserve(16);
  for (;;) {
    const uint64_t now = monotonic_ns();
    const uint64_t until = drop_late(now);
    const int timeout = until == kNever ? -1 : static_cast<int>((until - std::min(until, now)) / kNsOfMs + 1);
    waited.clear();
    try {
      waited.reserve(connections_.size() + 2);
    } catch (const std::bad_alloc&) {
      connections_.clear();  // who asked must ask again, and what they have stays withheld
      unasked_ = 0;
    }
    waited.push_back({wake_.get(), POLLIN, 0});
    waited.push_back({now < accept_from_ns_ ? -1 : listener_.get(), POLLIN, 0});
    for (const Connection& connection : connections_) waited.push_back({connection.socket.get(), POLLIN, 0});
    if (poll(waited.data(), waited.size(), timeout) < 0) continue;
    if (waited[0].revents != 0) {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
    }
    auto place = waited.begin() + 2;
    for (auto it = connections_.begin(); it != connections_.end(); ++place) {
      if (place->revents == 0 || answer(*it)) {
        ++it;
        continue;
      }
      end(*it);
      it = connections_.erase(it);
    }
    if (waited[1].revents != 0) accept_all(monotonic_ns());
  }
}

uint64_t Exporter::drop_late(uint64_t now_ns) {
  uint64_t until = now_ns < accept_from_ns_ ? accept_from_ns_ : kNever;
  for (auto it = connections_.begin(); it != connections_.end();) {
    if (it->key == 0 && it->deadline_ns <= now_ns) {
      --unasked_;
      it = connections_.erase(it);
      continue;
    }
    if (it->key == 0) until = std::min(until, it->deadline_ns);
    ++it;
  }
  return until;
}

void Exporter::accept_all(uint64_t now_ns) {
  for (;;) {
    const int fd = accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
      if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) accept_from_ns_ = now_ns + kPauseNs;
      return;
    }
    try {
      Descriptor socket(fd);
      if (unasked_ >= kMostUnasked || !is_of_own_user(fd)) continue;
      connections_.push_back({std::move(socket), 0, now_ns + answer_ns_});
      ++unasked_;
    } catch (const std::bad_alloc&) {
      accept_from_ns_ = now_ns + kPauseNs;
      return;
    }
  }
}

bool Exporter::answer(Connection& connection) {
  // One that was answered says nothing more: it has closed.
  if (connection.key != 0) return false;
  ShareHandle asked;
  const ssize_t got = recv(connection.socket.get(), &asked, sizeof(asked), MSG_DONTWAIT | MSG_TRUNC);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (got != sizeof(asked)) return false;
  const std::lock_guard lock(mutex_);
  if (stopping_) return false;
  for (auto& [key, entry] : entries_) {
    if (!same_handle(entry.handle, asked)) continue;
    if (entry.withdrawn || !send_reply(connection.socket.get(), entry.offer.reply, entry.offer.files))
      return false;
    connection.key = key;
    ++entry.holders;
    --unasked_;
    return true;
  }
  return false;
}

void Exporter::end(const Connection& connection) {
  if (connection.key == 0) {
    --unasked_;
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    const auto it = entries_.find(connection.key);
    if (it == entries_.end() || --it->second.holders != 0 || !it->second.withdrawn) return;
    entries_.erase(it);
  }
  released_(connection.key);
}

}  // namespace xhal::sim
