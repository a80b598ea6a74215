// SPDX-License-Identifier: Apache-2.0
// What a worker did last, in memory that it shares with its parent: it outlives the worker's crash.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace xhal::conformance {

struct TrailBlock {
  static constexpr size_t kCalls = 12;
  static constexpr size_t kText = 160;

  std::atomic<uint64_t> count{0};  // calls noted so far; call n is in calls[n % kCalls]
  std::array<char, kText> stage{};
  std::array<std::array<char, kText>, kCalls> calls{};
};

// The worker's side. Until a block is attached, notes go to one that nobody reads.
void attach_trail(int memory_fd);
// A forked child's calls are not its parent's: its notes go nowhere from now on.
void detach_trail();
// Forgets the calls noted so far; `stage` says what is done now ("test event.x", "closing the instance").
void begin_stage(std::string_view stage);
void note_call(std::string_view expression);

// The parent's side.
class TrailReader {
 public:
  TrailReader();  // throws std::system_error
  ~TrailReader();
  TrailReader(const TrailReader&) = delete;
  TrailReader& operator=(const TrailReader&) = delete;

  [[nodiscard]] int fd() const { return fd_; }
  // A worker that corrupts memory may have written anything, so these give printable text whatever the block holds.
  [[nodiscard]] std::string stage() const;
  [[nodiscard]] std::vector<std::string> last_calls() const;  // oldest first

 private:
  int fd_ = -1;
  TrailBlock* block_ = nullptr;
};

}  // namespace xhal::conformance
