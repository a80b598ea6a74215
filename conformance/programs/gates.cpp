// SPDX-License-Identifier: Apache-2.0
#include "programs/gates.h"

#include <algorithm>

#include "programs/order.h"
#include "xhal/device.h"

namespace xhal::programs {

namespace {

// The bit of a device's copy_blocks for this copy.
uint32_t direction_of(const Memory& source, const Memory& destination) {
  if (source.place == Place::kDevice && destination.place == Place::kDevice)
    return source.device == destination.device ? XHAL_COPY_DEVICE_TO_DEVICE : XHAL_COPY_DEVICE_TO_PEER;
  if (source.place == Place::kDevice)
    return destination.place == Place::kPinned ? XHAL_COPY_DEVICE_TO_PINNED : XHAL_COPY_DEVICE_TO_PAGEABLE;
  if (destination.place == Place::kDevice)
    return source.place == Place::kPinned ? XHAL_COPY_PINNED_TO_DEVICE : XHAL_COPY_PAGEABLE_TO_DEVICE;
  return XHAL_COPY_HOST_TO_HOST;
}

bool may_wait_for(const World& world, const Program& program, const Order& order, const Op& op,
                  uint32_t stream, uint32_t stamp) {
  if (waits_on_host(op.kind)) return order.waits_for(op, stream, stamp);
  if (op.kind == Kind::kFree) return world.devices[program.memories[op.destination].device].free_waits;
  if (op.kind != Kind::kCopy || !order.is_behind(op.stream, stream, stamp)) return false;
  const uint32_t direction = direction_of(program.memories[op.source], program.memories[op.destination]);
  return (world.devices[program.streams[op.stream]].copy_blocks & direction) != 0;
}

}  // namespace

std::vector<NecessaryWait> necessary_waits(const Program& program) {
  std::vector<NecessaryWait> out;
  std::vector<Race> races;
  for (uint32_t w = 0; w < program.ops.size(); ++w) {
    if (program.ops[w].kind != Kind::kWait) continue;
    // A driver may put launches of one graph in order: what only that would hide is not counted.
    Order order(program, true);
    for (uint32_t i = 0; i < program.ops.size(); ++i) {
      order.prepare(program.ops[i], races);
      uint32_t producer = kNone;
      for (const Race& race : races) {
        if (!race.lifetime && race.stream != kNone && (producer == kNone || race.op > producer))
          producer = race.op;
      }
      if (producer != kNone) {
        out.push_back({w, producer, i});
        break;
      }
      order.commit(program.ops[i], i, i != w);
    }
  }
  return out;
}

std::optional<Program> gated(const World& world, const Program& program, const NecessaryWait& wait) {
  Program out = program;
  Op gate;
  gate.kind = Kind::kGate;
  gate.thread = program.ops[wait.producer].thread;
  gate.stream = program.ops[wait.producer].stream;
  gate.object = out.gates++;
  out.ops.insert(out.ops.begin() + wait.producer, gate);
  const uint32_t consumer = wait.consumer + 1;
  Order order(out, true);
  std::vector<Race> races;
  uint32_t stamp = 0;
  for (uint32_t i = 0; i <= consumer; ++i) {
    const Op& op = out.ops[i];
    // Behind its joins: they may have brought what the call waits for.
    order.prepare(op, races);
    if (i == wait.producer) stamp = order.count(gate.stream) + 1;
    const bool waits = i > wait.producer && may_wait_for(world, program, order, op, gate.stream, stamp);
    if (waits && i < consumer) return {};
    order.commit(op, i);
    if (i < consumer) continue;
    Op open;
    open.kind = Kind::kOpen;
    open.thread = op.thread;
    open.object = gate.object;
    open.stream = op.stream;
    open.width = waits;
    out.ops.insert(out.ops.begin() + (waits ? i : i + 1), open);
    return out;
  }
  return {};
}

std::optional<Program> held(const World& world, const Program& program, uint32_t op) {
  if (!is_stream_op(program.ops[op].kind)) return {};
  Program out = program;
  Op gate;
  gate.kind = Kind::kGate;
  gate.thread = program.ops[op].thread;
  gate.stream = program.ops[op].stream;
  gate.object = out.gates++;
  out.ops.insert(out.ops.begin() + op, gate);
  Op open;
  open.kind = Kind::kOpen;
  open.thread = gate.thread;
  open.object = gate.object;
  open.stream = gate.stream;
  Order order(out, true);
  std::vector<Race> races;
  uint32_t stamp = 0;
  for (uint32_t i = 0; i < out.ops.size(); ++i) {
    const Op& next = out.ops[i];
    order.prepare(next, races);
    if (i == op) stamp = order.count(gate.stream) + 1;
    if (i > op && may_wait_for(world, program, order, next, gate.stream, stamp)) {
      open.thread = next.thread;
      open.width = 1;
      out.ops.insert(out.ops.begin() + i, open);
      return out;
    }
    if (next.kind == Kind::kDestroyStream) {
      if (next.stream == open.stream) open.stream = kNone;
    } else if (i > op && is_stream_op(next.kind) && next.stream != gate.stream) {
      open.stream = next.stream;
    }
    order.commit(next, i);
  }
  out.ops.push_back(open);
  return out;
}

}  // namespace xhal::programs
