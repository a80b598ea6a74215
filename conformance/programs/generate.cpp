// SPDX-License-Identifier: Apache-2.0
#include "programs/generator.h"

#include <algorithm>
#include <utility>

namespace xhal::programs {

// ---- Objects ----

void Generator::make_objects(const Wish& wish) {
  program_.seed = wish.seed;
  program_.threads = chance(2) ? 1 : 1 + below(std::clamp(wish.threads, 1u, kMostThreads));
  program_.devices =
      chance(3) ? 1 + below(std::min<uint32_t>(3, static_cast<uint32_t>(world_.devices.size()))) : 1;
  const uint32_t streams = program_.devices + 1 + below(4);
  for (uint32_t s = 0; s < streams; ++s)
    program_.streams.push_back(s < program_.devices ? s : below(program_.devices));
  const uint32_t events = program_.devices + 1 + below(5);
  for (uint32_t e = 0; e < events; ++e)
    program_.events.push_back(e < program_.devices ? e : below(program_.devices));
  for (uint32_t d = 0; d < program_.devices; ++d) {
    const uint32_t count = 2 + below(2);
    for (uint32_t i = 0; i < count; ++i) add_memory({Place::kDevice, Origin::kPermanent, d, some_size(), 0});
    add_memory({Place::kPinned, Origin::kPermanent, d, some_size(), 0});
    if (chance(2)) add_memory({Place::kPinned, Origin::kPermanent, d, some_size(), 0});
    if (world_.devices[d].pool && chance(2)) program_.pools.push_back(d);
  }
  add_memory({Place::kPageable, Origin::kPermanent, 0, some_size(), 0});
  if (chance(2)) add_memory({Place::kPageable, Origin::kPermanent, 0, some_size(), 0});
  usual_ = static_cast<uint32_t>(program_.memories.size());
  for (uint32_t s = 0; s < streams; ++s) {
    const uint32_t device = program_.streams[s];
    sinks_.push_back(world_.devices[device].kernels
                         ? add_memory({Place::kDevice, Origin::kPermanent, device, kSinkBytes, 0}, false)
                         : kNone);
  }
  for (const Place place : {Place::kPinned, Place::kPageable, Place::kPageable})
    logs_.push_back({add_memory({place, Origin::kPermanent, 0, 0, 0}, false), 0});
  for (uint32_t d = 0; d < program_.devices; ++d) {
    if (world_.devices[d].graph && chance(2)) make_graph(d);
  }
}

uint32_t Generator::add_memory(const Memory& memory, bool usable) {
  const auto m = static_cast<uint32_t>(program_.memories.size());
  program_.memories.push_back(memory);
  unseen_.emplace_back();
  if (usable) live_.push_back(m);
  return m;
}

uint32_t Generator::some_size() {
  const uint32_t dice = below(20);
  const uint32_t most = dice == 0 ? 16384 : dice < 5 ? 2048 : 384;
  const uint32_t bytes = 32 + below(most);
  return chance(4) ? bytes : (bytes + 7) / 8 * 8;
}

void Generator::make_graph(uint32_t device) {
  Graph graph;
  graph.device = device;
  graph.forks = chance(2);
  const uint32_t nodes = 1 + below(5);
  std::vector<Access> mine;
  std::vector<Access> earlier[2];
  for (uint32_t i = 0; i < nodes; ++i) {
    auto op = some_work(device, true);
    if (!op) continue;
    // What a node has written no other one overwrites: nothing could look at it in between.
    const bool adds = op->kind == Kind::kFold || op->kind == Kind::kFold2 || op->kind == Kind::kHostFold;
    if (!adds && std::any_of(graph.body.begin(), graph.body.end(),
                             [&](const Op& other) { return other.destination == op->destination; }))
      continue;
    mine.clear();
    append_accesses(program_, *op, mine);
    const auto meets = [&](const std::vector<Access>& others) {
      return std::any_of(mine.begin(), mine.end(), [&](const Access& a) {
        return std::any_of(others.begin(), others.end(), [&](const Access& b) {
          return a.memory == b.memory && a.begin < b.end && b.begin < a.end && (a.write || b.write);
        });
      });
    };
    uint32_t branch = graph.forks ? below(2) : 0;
    if (meets(earlier[1 - branch])) branch = 1 - branch;
    if (meets(earlier[1 - branch])) continue;
    op->stream = branch;
    earlier[branch].insert(earlier[branch].end(), mine.begin(), mine.end());
    graph.body.push_back(*op);
  }
  if (graph.body.empty()) return;
  program_.graphs.push_back(std::move(graph));
}

// ---- Choosing operations ----

Span Generator::some_span(uint32_t memory, bool cells, uint32_t most) {
  const uint32_t size = program_.memories[memory].bytes;
  if (cells) {
    const uint32_t all = size / 8;
    const uint32_t count = 1 + below(std::min(all, most / 8));
    return {below(all - count + 1) * 8, count * 8};
  }
  const uint32_t bytes = 1 + below(std::min(size, most));
  return {below(size - bytes + 1), bytes};
}

template <class F>
uint32_t Generator::some_memory(F fits) {
  uint32_t chosen = kNone;
  uint32_t count = 0;
  for (const uint32_t m : live_) {
    if (fits(program_.memories[m]) && below(++count) == 0) chosen = m;
  }
  return chosen;
}

std::optional<Op> Generator::some_work(uint32_t device, bool in_graph) {
  const auto reachable = [&](const Memory& memory) {
    return memory.place != Place::kPageable && memory.device == device &&
           (!in_graph || memory.origin == Origin::kPermanent);
  };
  const bool kernels = world_.devices[device].kernels;
  Op op;
  const uint32_t dice = below(kernels ? 20 : 9);
  if (dice < 4) {
    op.kind = Kind::kCopy;
    op.source = some_memory([&](const Memory& memory) {
      return !in_graph || (memory.place != Place::kPageable && memory.origin == Origin::kPermanent);
    });
    op.destination = some_memory([&](const Memory& memory) {
      return &memory != &program_.memories[op.source] && (in_graph ? reachable(memory) : true);
    });
    if (op.destination == kNone) return {};
    const uint32_t most =
        std::min(program_.memories[op.source].bytes, program_.memories[op.destination].bytes);
    const Span span = some_span(op.source, false, most);
    op.source_offset = span.offset;
    op.bytes = span.bytes;
    op.destination_offset = below(program_.memories[op.destination].bytes - span.bytes + 1);
    return op;
  }
  if (dice < 7) {
    op.kind = Kind::kFill;
    op.destination = some_memory(reachable);
    if (op.destination == kNone) return {};
    op.width = static_cast<uint8_t>(1u << below(4));
    const Span span = some_span(op.destination, false, UINT32_MAX);
    op.destination_offset = span.offset / op.width * op.width;
    op.bytes = std::max<uint32_t>(op.width, span.bytes / op.width * op.width);
    if (op.destination_offset + op.bytes > program_.memories[op.destination].bytes) return {};
    op.value = next();
    if (op.width < 8) op.value &= (uint64_t{1} << (8 * op.width)) - 1;
    return op;
  }
  op.value = next();
  if (dice < 9) {
    op.kind = Kind::kHostFold;
    op.destination = some_memory([&](const Memory& memory) {
      return reachable(memory) && memory.place == Place::kPinned && memory.bytes >= 8;
    });
    if (op.destination == kNone) return {};
    set_destination(op, some_span(op.destination, true, 1024));
    return op;
  }
  op.destination = some_memory(reachable);
  if (op.destination == kNone) return {};
  if (dice < 13) {
    op.kind = Kind::kFold;
    set_destination(op, some_span(op.destination, true, UINT32_MAX));
    return op;
  }
  op.kind = dice < 17 ? Kind::kFold2 : dice < 18 ? Kind::kAxpy : Kind::kCopyKernel;
  // Two sums in a row are the same in either order: nothing would tell.
  if (op.kind == Kind::kAxpy && std::exchange(last_sum_, op.destination) == op.destination)
    op.kind = Kind::kFold2;
  op.source = some_memory([&](const Memory& memory) {
    return reachable(memory) && &memory != &program_.memories[op.destination];
  });
  if (op.source == kNone) return {};
  const uint32_t most = std::min(program_.memories[op.source].bytes, program_.memories[op.destination].bytes);
  set_destination(op, some_span(op.destination, true, most));
  op.source_offset = 8 * below(program_.memories[op.source].bytes / 8 - op.bytes / 8 + 1);
  return op;
}

uint32_t Generator::some_stream(uint32_t device) {
  uint32_t chosen = kNone;
  uint32_t count = 0;
  for (uint32_t s = 0; s < program_.streams.size(); ++s) {
    if ((device == kNone || program_.streams[s] == device) && !gone(s) && below(++count) == 0) chosen = s;
  }
  return chosen;
}

uint8_t Generator::thread_of(uint32_t stream) {
  return static_cast<uint8_t>(chance(8) ? below(program_.threads) : stream % program_.threads);
}

Op Generator::on_stream(Kind kind, uint32_t stream) {
  Op op;
  op.kind = kind;
  op.stream = stream;
  op.thread = thread_of(stream);
  return op;
}

void Generator::step() {
  const uint32_t dice = below(100);
  const uint32_t stream = some_stream();
  const uint32_t device = program_.streams[stream];
  if (dice < 66) {
    auto op = some_work(device, false);
    if (!op) return;
    op->stream = stream;
    op->thread = thread_of(stream);
    submit(*op);
    if (op->kind == Kind::kCopy && program_.memories[op->source].place == Place::kPageable && chance(2))
      change_source(*op);
  } else if (dice < 72) {
    host_access(chance(3));
  } else if (dice < 78) {
    Op op = on_stream(Kind::kRecord, stream);
    op.object = some_event(device);
    submit(op);
  } else if (dice < 80) {
    Op op = on_stream(Kind::kWait, stream);
    op.object = below(static_cast<uint32_t>(program_.events.size()));
    submit(op);
  } else if (dice < 85) {
    ask(stream);
  } else if (dice < 86) {
    Op op;
    op.kind = Kind::kRenewEvent;
    op.object = below(static_cast<uint32_t>(program_.events.size()));
    op.thread = static_cast<uint8_t>(below(program_.threads));
    submit(op);
  } else if (dice < 91) {
    launch_graph(stream);
  } else if (dice < 95) {
    change_allocations(stream);
  } else if (dice < 99) {
    change_pools(stream);
  } else if (chance(4) && program_.streams.size() > program_.devices + 2) {
    destroy(stream);
  }
}

void Generator::change_source(const Op& copy) {
  Op op;
  op.kind = Kind::kHostWrite;
  op.thread = copy.thread;
  op.destination = copy.source;
  op.destination_offset = copy.source_offset;
  op.bytes = copy.bytes;
  op.value = next();
  submit(op);
}

void Generator::host_access(bool read) {
  Op op;
  op.thread = static_cast<uint8_t>(below(program_.threads));
  const uint32_t memory = some_memory([](const Memory& one) { return one.place != Place::kDevice; });
  const Span span = some_span(memory, false, 512);
  if (read) {
    log(op, memory, span, 2);
    return;
  }
  op.kind = Kind::kHostWrite;
  op.destination = memory;
  set_destination(op, span);
  op.value = next();
  submit(op);
}

void Generator::ask(uint32_t stream) {
  static constexpr Kind kQuestions[] = {Kind::kQueryStream, Kind::kQueryEvent, Kind::kQueryStream,
                                        Kind::kQueryEvent,  Kind::kSyncStream, Kind::kSyncEvent,
                                        Kind::kPollEvent,   Kind::kSyncDevice};
  Op op;
  op.kind = kQuestions[below(below(3) == 0 ? 8 : 4)];
  op.thread = static_cast<uint8_t>(below(program_.threads));
  if (op.kind == Kind::kQueryStream || op.kind == Kind::kSyncStream) {
    op.stream = stream;
  } else if (op.kind == Kind::kSyncDevice) {
    op.object = program_.streams[stream];
  } else {
    op.object = below(static_cast<uint32_t>(program_.events.size()));
  }
  submit(op);
}

void Generator::launch_graph(uint32_t stream) {
  if (program_.graphs.empty()) return;
  Op op = on_stream(Kind::kLaunch, stream);
  op.object = below(static_cast<uint32_t>(program_.graphs.size()));
  if (program_.graphs[op.object].device != program_.streams[stream]) {
    op.stream = some_stream(program_.graphs[op.object].device);
    if (op.stream == kNone) return;
    op.thread = thread_of(op.stream);
  }
  // A node that overwrites does the same again, and nothing would tell when: what it writes is changed before.
  for (const Op& node : program_.graphs[op.object].body) {
    if (node.kind != Kind::kCopy && node.kind != Kind::kFill && node.kind != Kind::kCopyKernel) continue;
    Op fill = on_stream(Kind::kFill, op.stream);
    fill.destination = node.destination;
    fill.destination_offset = node.destination_offset;
    fill.bytes = node.bytes;
    fill.width = node.destination_offset % 8 == 0 && node.bytes % 8 == 0 ? 8 : 1;
    fill.value = fill.width == 8 ? next() : next() % 256;
    submit(fill);
  }
  submit(op);
}

void Generator::change_allocations(uint32_t stream) {
  const uint32_t device = program_.streams[stream];
  const uint32_t old = some_memory([](const Memory& memory) { return memory.origin == Origin::kAllocated; });
  Op op;
  op.thread = static_cast<uint8_t>(below(program_.threads));
  uint32_t bytes = some_size();
  if (old != kNone && chance(2)) {
    bytes = program_.memories[old].bytes;
    op.kind = Kind::kFree;
    op.destination = old;
    submit(op);
    end(old);
    if (chance(2)) return;
  }
  // Often of the size that has just been freed: its place is then free for the next.
  op.kind = Kind::kAllocate;
  op.destination =
      add_memory({chance(4) ? Place::kPinned : Place::kDevice, Origin::kAllocated, device, bytes, 0});
  submit(op);
  initialise(op.destination, stream);
}

void Generator::change_pools(uint32_t stream) {
  const uint32_t device = program_.streams[stream];
  const auto pool = std::find(program_.pools.begin(), program_.pools.end(), device);
  if (pool == program_.pools.end()) return;
  const uint32_t old = some_memory(
      [&](const Memory& memory) { return memory.origin == Origin::kPool && memory.device == device; });
  uint32_t bytes = some_size();
  if (old != kNone && chance(2)) {
    bytes = program_.memories[old].bytes;
    Op op = on_stream(Kind::kPoolFree, stream);
    op.destination = old;
    submit(op);
    end(old);
    if (chance(3)) return;
  }
  Op op = on_stream(Kind::kPoolAllocate, stream);
  op.destination = add_memory(
      {Place::kDevice, Origin::kPool, device, bytes, static_cast<uint32_t>(pool - program_.pools.begin())});
  submit(op);
  initialise(op.destination, stream);
}

void Generator::initialise(uint32_t memory, uint32_t stream) {
  Op op = on_stream(Kind::kFill, stream);
  op.destination = memory;
  op.bytes = program_.memories[memory].bytes;
  op.width = op.bytes % 8 == 0 ? 8 : 1;
  op.value = op.width == 8 ? next() : next() % 256;
  submit(op);
}

void Generator::end(uint32_t memory) {
  std::erase(live_, memory);
  unseen_[memory] = {};
}

void Generator::destroy(uint32_t stream) {
  uint32_t others = 0;
  for (uint32_t s = 0; s < program_.streams.size(); ++s)
    others += s != stream && program_.streams[s] == program_.streams[stream] && !gone(s);
  if (others == 0) return;
  submit(on_stream(Kind::kDestroyStream, stream));
  gone_.push_back(stream);
}

Program generate(const World& world, const Wish& wish) { return Generator(world, wish).take(); }

}  // namespace xhal::programs
