// SPDX-License-Identifier: Apache-2.0
// Ways of the simulator that the contract allows and that no program should count on: chosen by the option `odd`, to see who does.
// Each counts how often it made a difference; xhal/ext/oddness.h tells the numbers.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace xhal::sim {

struct Op;

enum class Oddity : uint32_t {
  kOneWorker,         // one thread for all streams of a device: what blocks, blocks them all
  kLazy,              // nothing starts before somebody asks or waits
  kLastFirst,         // of the streams that are ready, the last one goes first
  kReuse,             // what was freed last is given out first, at the same address
  kForeignCallbacks,  // host functions run on threads of nobody's, and late
  kFlushDenormals,    // kernels flush subnormal numbers to zero
  kSlow,              // the option `slow`
  kScarce,            // an allocation was refused because the device's memory is used up
  kSplitFloats,       // the option `level`: a module was loaded whose code rounds between multiply and add
  kFusedFloats,       // the same: whose code does not
};
inline constexpr size_t kOddities = 10;
inline constexpr std::array<std::string_view, kOddities> kOddityNames = {
    "one_worker",      "lazy", "last_first", "reuse",        "foreign_callbacks",
    "flush_denormals", "slow", "scarce",     "split_floats", "fused_floats"};
// The option `odd` chooses among the first ones; the rest follow from other options.
inline constexpr size_t kChosenOddities = 6;

struct Oddness {
  uint32_t chosen = 0;  // bit 1 << Oddity
  // 0: as fast as it can. Else every operation takes so many microseconds longer, and so many times the time of 10 GB/s for its bytes.
  uint32_t slow = 0;

  [[nodiscard]] bool has(Oddity one) const { return (chosen >> static_cast<uint32_t>(one) & 1) != 0; }
};

// Empty when all is well, else what is wrong with names joined by '+'.
std::string read_oddities(std::string_view text, uint32_t& out_chosen);

// Of all instances of the process.
extern std::array<std::atomic<uint64_t>, kOddities> g_oddness_counts;
inline void count(Oddity one) {
  g_oddness_counts[static_cast<size_t>(one)].fetch_add(1, std::memory_order_relaxed);
}

// Sleeps as long as Oddness::slow asks for; until `abandoned` at most.
void dawdle(uint32_t slow, const Op& op, const std::atomic<bool>& abandoned);

// Runs it on a thread of its own, somewhat later, and waits for that. Here, where the system gives no thread.
void call_elsewhere(const std::function<void()>& function);

// While it lives, subnormal floats of the calling thread are flushed, if it is told to.
class Denormals {
 public:
  explicit Denormals(bool flush) : flush_(flush) {
    if (flush_) [[unlikely]]
      begin();
  }
  ~Denormals() {
    if (flush_) [[unlikely]]
      end();
  }
  Denormals(const Denormals&) = delete;
  Denormals& operator=(const Denormals&) = delete;

 private:
  void begin();
  void end() const;

  const bool flush_;
  uint32_t former_ = 0;
};

}  // namespace xhal::sim
