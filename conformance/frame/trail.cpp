// SPDX-License-Identifier: Apache-2.0
#include "frame/trail.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <new>
#include <system_error>
#include <type_traits>

namespace xhal::conformance {

namespace {

std::mutex& trail_mutex() {
  static auto* mutex = new std::mutex;
  return *mutex;
}

// Of this process, until a worker gets one that its parent can read.
TrailBlock*& trail_block() {
  static_assert(std::is_trivially_destructible_v<TrailBlock>,
                "a crash may note calls while the process ends");
  static TrailBlock own;
  static TrailBlock* block = &own;
  return block;
}

void set_text(std::array<char, TrailBlock::kText>& out, std::string_view text) {
  const size_t length = std::min(text.size(), out.size() - 1);
  std::memcpy(out.data(), text.data(), length);
  std::memset(out.data() + length, 0, out.size() - length);
}

std::string printable(const std::array<char, TrailBlock::kText>& text) {
  std::string out;
  for (const char c : text) {
    if (c == 0) break;
    out += c >= ' ' && c <= '~' ? c : '?';
  }
  return out;
}

}  // namespace

void attach_trail(int memory_fd) {
  void* memory = mmap(nullptr, sizeof(TrailBlock), PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
  if (memory == MAP_FAILED) return;
  const std::lock_guard lock(trail_mutex());
  trail_block() = static_cast<TrailBlock*>(memory);
}

void detach_trail() {
  const std::lock_guard lock(trail_mutex());
  trail_block() = new TrailBlock;
}

void begin_stage(std::string_view stage) {
  const std::lock_guard lock(trail_mutex());
  trail_block()->count.store(0, std::memory_order_release);
  set_text(trail_block()->stage, stage);
}

void note_call(std::string_view expression) {
  const std::lock_guard lock(trail_mutex());
  TrailBlock& block = *trail_block();
  const uint64_t number = block.count.load(std::memory_order_relaxed);
  set_text(block.calls.at(number % TrailBlock::kCalls), expression);
  block.count.store(number + 1, std::memory_order_release);
}

TrailReader::TrailReader() : fd_(memfd_create("xhal-conform-trail", MFD_CLOEXEC)) {
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "memfd_create");
  if (ftruncate(fd_, sizeof(TrailBlock)) != 0)
    throw std::system_error(errno, std::generic_category(), "ftruncate");
  void* memory = mmap(nullptr, sizeof(TrailBlock), PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  block_ = new (memory) TrailBlock;
}

TrailReader::~TrailReader() {
  if (block_ != nullptr) munmap(block_, sizeof(TrailBlock));
  if (fd_ >= 0) close(fd_);
}

std::string TrailReader::stage() const { return printable(block_->stage); }

std::vector<std::string> TrailReader::last_calls() const {
  const uint64_t count = block_->count.load(std::memory_order_acquire);
  const uint64_t shown = std::min<uint64_t>(count, TrailBlock::kCalls);
  std::vector<std::string> out;
  for (uint64_t i = 0; i < shown; ++i)
    out.push_back(printable(block_->calls.at((count - shown + i) % TrailBlock::kCalls)));
  return out;
}

}  // namespace xhal::conformance
