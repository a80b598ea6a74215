// SPDX-License-Identifier: Apache-2.0
#include "programs/shrink.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "programs/order.h"

namespace xhal::programs {

namespace {

bool names_event(Kind kind) {
  return kind == Kind::kRecord || kind == Kind::kWait || kind == Kind::kQueryEvent ||
         kind == Kind::kSyncEvent || kind == Kind::kPollEvent || kind == Kind::kRenewEvent;
}

// Which of `count` objects something uses, as new numbers; the others have none.
class Numbers {
 public:
  explicit Numbers(size_t count) : used_(count, false), numbers_(count, kNone) {}
  void use(uint32_t i) {
    if (i != kNone) used_[i] = true;
  }
  template <class T>
  void settle(std::vector<T>& objects) {
    std::vector<T> kept;
    for (uint32_t i = 0; i < used_.size(); ++i) {
      if (!used_[i]) continue;
      numbers_[i] = static_cast<uint32_t>(kept.size());
      kept.push_back(objects[i]);
    }
    objects = std::move(kept);
  }
  void renumber(uint32_t& i) const {
    if (i != kNone) i = numbers_[i];
  }

 private:
  std::vector<bool> used_;
  std::vector<uint32_t> numbers_;
};

template <class F>
void for_each_op(Program& program, F action) {
  for (Op& op : program.ops) action(op);
  for (Graph& graph : program.graphs)
    for (Op& op : graph.body) action(op);
}

class Shrinker {
 public:
  Shrinker(Program program, const StillFails& fails) : best_(std::move(program)), fails_(fails) {}

  Program run() {
    // With the threads gone, most of what follows is quicker.
    one_thread();
    for (bool smaller = true; smaller;) {
      smaller = without_objects();
      smaller |= without_ops();
      smaller |= fewer_streams();
      smaller |= without_nodes();
      smaller |= smaller_parameters();
      try_one(compacted(best_));
    }
    return best_;
  }

 private:
  bool try_one(Program candidate) {
    mark_queries(candidate);
    if (!defect_of(candidate).empty() || !fails_(candidate)) return false;
    best_ = std::move(candidate);
    return true;
  }

  bool one_thread() {
    if (best_.threads == 1) return false;
    Program candidate = best_;
    for (Op& op : candidate.ops) op.thread = 0;
    candidate.threads = 1;
    return try_one(std::move(candidate));
  }

  template <class F>
  bool without_if(F unwanted) {
    Program candidate = best_;
    if (std::erase_if(candidate.ops, unwanted) == 0) return false;
    return try_one(std::move(candidate));
  }

  bool without_objects() {
    bool smaller = false;
    for (uint32_t g = 0; g < best_.graphs.size(); ++g)
      smaller |= without_if([g](const Op& op) { return op.kind == Kind::kLaunch && op.object == g; });
    for (uint32_t s = 0; s < best_.streams.size(); ++s)
      smaller |= without_if([s](const Op& op) { return op.stream == s; });
    for (uint32_t m = 0; m < best_.memories.size(); ++m)
      smaller |= without_if([m](const Op& op) { return op.destination == m || op.source == m; });
    for (uint32_t e = 0; e < best_.events.size(); ++e)
      smaller |= without_if([e](const Op& op) { return names_event(op.kind) && op.object == e; });
    return smaller;
  }

  // Runs of operations, from halves of the program down to single ones and pairs that belong together.
  bool without_ops() {
    bool smaller = false;
    for (size_t length = std::max<size_t>(1, best_.ops.size() / 2);; length /= 2) {
      for (size_t end = best_.ops.size(); end > 0;) {
        const size_t begin = end > length ? end - length : 0;
        Program candidate = best_;
        candidate.ops.erase(candidate.ops.begin() + static_cast<std::ptrdiff_t>(begin),
                            candidate.ops.begin() + static_cast<std::ptrdiff_t>(end));
        smaller |= try_one(std::move(candidate));
        end = std::min(begin, best_.ops.size());
      }
      if (length == 1) break;
    }
    for (size_t second = best_.ops.size(); second-- > 1;) {
      for (size_t first = second; first-- > 0;) {
        if (second >= best_.ops.size() || !belong_together(best_.ops[first], best_.ops[second])) continue;
        Program candidate = best_;
        candidate.ops.erase(candidate.ops.begin() + static_cast<std::ptrdiff_t>(second));
        candidate.ops.erase(candidate.ops.begin() + static_cast<std::ptrdiff_t>(first));
        smaller |= try_one(std::move(candidate));
      }
    }
    return smaller;
  }

  static bool belong_together(const Op& first, const Op& second) {
    if (first.kind == Kind::kGate) return second.kind == Kind::kOpen && first.object == second.object;
    return (first.kind == Kind::kAllocate && second.kind == Kind::kFree &&
            first.destination == second.destination) ||
           (first.kind == Kind::kPoolAllocate && second.kind == Kind::kPoolFree &&
            first.destination == second.destination);
  }

  bool fewer_streams() {
    bool smaller = false;
    for (uint32_t from = static_cast<uint32_t>(best_.streams.size()); from-- > 1;) {
      for (uint32_t to = 0; to < from; ++to) {
        if (best_.streams[to] != best_.streams[from]) continue;
        Program candidate = best_;
        bool used = false;
        for (Op& op : candidate.ops) {
          used |= op.stream == from;
          if (op.stream == from) op.stream = to;
        }
        if (used && try_one(std::move(candidate))) {
          smaller = true;
          break;
        }
      }
    }
    return smaller;
  }

  bool without_nodes() {
    bool smaller = false;
    for (size_t g = 0; g < best_.graphs.size(); ++g) {
      for (size_t i = best_.graphs[g].body.size(); i-- > 0 && best_.graphs[g].body.size() > 1;) {
        Program candidate = best_;
        auto& body = candidate.graphs[g].body;
        body.erase(body.begin() + static_cast<std::ptrdiff_t>(i));
        smaller |= try_one(std::move(candidate));
      }
      Program candidate = best_;
      candidate.graphs[g].forks = false;
      for (Op& op : candidate.graphs[g].body) op.stream = 0;
      if (best_.graphs[g].forks) smaller |= try_one(std::move(candidate));
    }
    return smaller;
  }

  bool smaller_parameters() {
    bool smaller = false;
    for (size_t i = 0; i < best_.ops.size(); ++i) {
      const uint32_t unit = best_.ops[i].kind == Kind::kFill ? best_.ops[i].width : 8;
      while (best_.ops[i].bytes >= 2 * unit) {
        Program candidate = best_;
        Op& op = candidate.ops[i];
        op.bytes = op.bytes / 2 / unit * unit;
        if (!try_one(std::move(candidate))) break;
        smaller = true;
      }
    }
    // Memories end behind what is used of them, and begin with it where one step does it for all.
    Program candidate = best_;
    std::vector<uint32_t> used(candidate.memories.size(), 8);
    for_each_op(candidate, [&](Op& op) {
      if (op.destination != kNone)
        used[op.destination] = std::max(used[op.destination], op.destination_offset + op.bytes);
      if (op.source != kNone) used[op.source] = std::max(used[op.source], op.source_offset + op.bytes);
    });
    bool any = false;
    for (size_t m = 0; m < used.size(); ++m) {
      const uint32_t bytes = std::min(candidate.memories[m].bytes, (used[m] + 7) / 8 * 8);
      any |= bytes < candidate.memories[m].bytes;
      candidate.memories[m].bytes = bytes;
    }
    if (any) smaller |= try_one(std::move(candidate));
    return smaller;
  }

  Program best_;
  const StillFails& fails_;
};

}  // namespace

Program compacted(const Program& program) {
  Program out = program;
  Numbers streams(out.streams.size());
  Numbers events(out.events.size());
  Numbers memories(out.memories.size());
  Numbers graphs(out.graphs.size());
  Numbers pools(out.pools.size());
  Numbers gates(out.gates);
  std::vector<uint32_t> gate_list(out.gates);
  for (const Op& op : out.ops) {
    if (op.kind == Kind::kLaunch) graphs.use(op.object);
    if (op.kind == Kind::kGate || op.kind == Kind::kOpen) gates.use(op.object);
    if (names_event(op.kind)) events.use(op.object);
    streams.use(op.stream);
  }
  // A driver's state is not touched by graphs that are never launched; they go, with what only they use.
  graphs.settle(out.graphs);
  for_each_op(out, [&](Op& op) {
    memories.use(op.destination);
    memories.use(op.source);
  });
  for (uint32_t m = 0; m < out.memories.size(); ++m)
    if (out.memories[m].origin == Origin::kPool) pools.use(out.memories[m].pool);
  streams.settle(out.streams);
  events.settle(out.events);
  memories.settle(out.memories);
  pools.settle(out.pools);
  gates.settle(gate_list);
  out.gates = static_cast<uint32_t>(gate_list.size());
  for (Memory& memory : out.memories)
    if (memory.origin == Origin::kPool) pools.renumber(memory.pool);
  for_each_op(out, [&](Op& op) {
    memories.renumber(op.destination);
    memories.renumber(op.source);
  });
  uint32_t devices = 1;
  for (Op& op : out.ops) {
    streams.renumber(op.stream);
    if (op.kind == Kind::kLaunch) graphs.renumber(op.object);
    if (op.kind == Kind::kGate || op.kind == Kind::kOpen) gates.renumber(op.object);
    if (names_event(op.kind)) events.renumber(op.object);
    if (op.kind == Kind::kSyncDevice) devices = std::max(devices, op.object + 1);
  }
  for (const uint32_t d : out.streams) devices = std::max(devices, d + 1);
  for (const uint32_t d : out.events) devices = std::max(devices, d + 1);
  for (const Memory& memory : out.memories) devices = std::max(devices, memory.device + 1);
  out.devices = devices;
  return out;
}

Program shrink(const Program& program, const StillFails& fails) { return Shrinker(program, fails).run(); }

}  // namespace xhal::programs
