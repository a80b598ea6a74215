// SPDX-License-Identifier: Apache-2.0
// Hands out what an instance exports, to processes of the same user that have its handle: a socket, and a thread that is started with the
// first export and sleeps until somebody asks.
//
// Who was given memory keeps the connection open until it needs it no more, so that its death tells the same as its close.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "ipc/handle.hpp"

namespace xhal::sim {

class Exporter {
 public:
  // `answer_ms`: how long who connects may take to ask. `released(key)`: nobody else has it any more. By the exporter's thread, with no lock of its held.
  Exporter(uint32_t answer_ms, std::function<void(uint64_t key)> released)
      : answer_ns_(uint64_t{answer_ms} * 1'000'000), released_(std::move(released)) {}
  Exporter(const Exporter&) = delete;
  Exporter& operator=(const Exporter&) = delete;
  // Everything is withdrawn, and no `released` comes any more.
  ~Exporter();
  // Afterwards nobody is answered and released() is not called any more.
  void stop();

  struct Offer {
    ShareReply reply;
    int files[kMostShareFiles] = {-1, -1};  // open as long as it is offered
  };
  // `key` is used once.
  xhal_result_t offer(uint64_t key, ShareKind kind, uint32_t device, const Offer& offer, ShareHandle& out,
                      std::string& why);
  // The handle opens nothing any more. Returns how many have it; if any, released() tells when none has.
  size_t withdraw(uint64_t key);
  // The key of a handle that was made here; false for all others.
  [[nodiscard]] bool find(const ShareHandle& handle, uint64_t& out_key);
  // Whether the handle was made here, by what it says of itself.
  [[nodiscard]] bool is_own(const ShareHandle& handle);

 private:
  struct Entry {
    ShareHandle handle;
    Offer offer;
    bool withdrawn = false;
    size_t holders = 0;
  };
  struct Connection {
    Descriptor socket;
    uint64_t key = 0;  // 0: has not asked yet
    uint64_t deadline_ns = 0;
  };

  xhal_result_t start(std::string& why);
  void serve();
  // Until when it may sleep.
  uint64_t drop_late(uint64_t now_ns);
  void accept_all(uint64_t now_ns);
  // False when the connection is to be closed.
  bool answer(Connection& connection);
  void end(const Connection& connection);

  const uint64_t answer_ns_;
  const std::function<void(uint64_t)> released_;
  std::mutex mutex_;
  std::array<uint8_t, 16> name_ = {};
  std::unordered_map<uint64_t, Entry> entries_;  // by key
  Descriptor listener_;
  Descriptor wake_;
  bool stopping_ = false;
  std::thread thread_;
  // Of the thread alone.
  std::list<Connection> connections_;
  size_t unasked_ = 0;
  uint64_t accept_from_ns_ = 0;
};

}  // namespace xhal::sim
