// SPDX-License-Identifier: Apache-2.0
// The generator's own: what it knows while a program grows.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "programs/generate.h"
#include "programs/order.h"

namespace xhal::programs {

struct Span {
  uint32_t offset = 0, bytes = 0;
};

class Generator {
 public:
  Generator(const World& world, const Wish& wish);
  Program take() { return std::move(program_); }

 private:
  static constexpr uint32_t kSinkBytes = 384;
  static constexpr uint32_t kLogBytes = 1 << 16;

  // ---- generate.cpp: which objects, which operation next ----
  void make_objects(const Wish& wish);
  void make_graph(uint32_t device);
  uint32_t add_memory(const Memory& memory, bool usable = true);
  void step();
  std::optional<Op> some_work(uint32_t device, bool in_graph);
  template <class F>
  uint32_t some_memory(F fits);
  uint32_t some_size();
  uint32_t some_stream(uint32_t device = kNone);
  Span some_span(uint32_t memory, bool cells, uint32_t most);
  Op on_stream(Kind kind, uint32_t stream);
  uint8_t thread_of(uint32_t stream);
  void change_source(const Op& copy);
  void host_access(bool read);
  void ask(uint32_t stream);
  void launch_graph(uint32_t stream);
  void change_allocations(uint32_t stream);
  void change_pools(uint32_t stream);
  void initialise(uint32_t memory, uint32_t stream);
  void end(uint32_t memory);
  void destroy(uint32_t stream);
  [[nodiscard]] bool gone(uint32_t stream) const {
    return std::find(gone_.begin(), gone_.end(), stream) != gone_.end();
  }
  static void set_destination(Op& op, Span span) {
    op.destination_offset = span.offset;
    op.bytes = span.bytes;
  }

  // ---- submit.cpp: what orders it, what keeps what it would hide ----
  // Appends the operation behind all that it needs.
  void submit(const Op& op);
  void append(const Op& op);
  void order_behind(const Race& race, const Op& op);
  void wait_on_host(const Race& race, uint8_t thread);
  void keep_traces(const Op& op);
  void keep_trace(const Op& op, uint32_t memory, Span span);
  // A copy of the span into a log, by `op` whose thread and stream are set.
  bool log(Op op, uint32_t memory, Span span, size_t which);
  void note_writes(const Op& op);
  uint32_t some_event(uint32_t device);

  uint64_t next() {
    state_ += 0x9E3779B97F4A7C15u;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  uint32_t below(uint32_t bound) { return static_cast<uint32_t>(((next() >> 32) * bound) >> 32); }
  // One time in n.
  bool chance(uint32_t n) { return below(n) == 0; }

  struct Log {
    uint32_t memory;
    uint32_t used;
  };

  const World& world_;
  uint64_t state_;
  Program program_;
  uint32_t usual_ = 0;
  std::vector<uint32_t> live_;   // memories that operations choose from
  std::vector<uint32_t> sinks_;  // of each stream, or kNone
  std::vector<Log> logs_;        // pinned, pageable, and one for the host alone
  std::vector<uint32_t> gone_;   // destroyed streams
  std::vector<Span> unseen_;     // of each memory: around all writes that nothing has looked at
  uint32_t last_sum_ = kNone;
  std::optional<Order> order_;
  std::vector<std::vector<Race>> races_;  // one a depth of submit
  size_t depth_ = 0;
  std::vector<Access> accesses_;
};

}  // namespace xhal::programs
