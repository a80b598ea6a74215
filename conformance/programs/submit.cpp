// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "programs/generator.h"

namespace xhal::programs {

namespace {

// What was in the destination before is lost, also to who would look for a wrong order.
bool overwrites(Kind kind) {
  return kind == Kind::kCopy || kind == Kind::kFill || kind == Kind::kCopyKernel || kind == Kind::kHostWrite;
}

}  // namespace

Generator::Generator(const World& world, const Wish& wish) : world_(world), state_(wish.seed) {
  next();
  make_objects(wish);
  order_.emplace(program_);
  const uint32_t ops = std::min(wish.ops, kMostOps / 8);
  program_.ops.reserve(ops + 64);
  races_.resize(8);
  while (program_.ops.size() < ops) step();
  for (const Log& log : logs_) program_.memories[log.memory].bytes = std::max(8u, (log.used + 7) / 8 * 8);
  mark_queries(program_);
}

void Generator::append(const Op& op) {
  order_->commit(op, static_cast<uint32_t>(program_.ops.size()));
  program_.ops.push_back(op);
  note_writes(op);
}

void Generator::submit(const Op& op) {
  keep_traces(op);
  std::vector<Race>& races = races_[depth_];
  ++depth_;
  for (;;) {
    order_->prepare(op, races);
    if (races.empty()) break;
    order_behind(races.front(), op);
  }
  --depth_;
  append(op);
}

uint32_t Generator::some_event(uint32_t device) {
  uint32_t chosen = kNone;
  uint32_t count = 0;
  for (uint32_t e = 0; e < program_.events.size(); ++e) {
    if (program_.events[e] == device && below(++count) == 0) chosen = e;
  }
  return chosen;
}

void Generator::order_behind(const Race& race, const Op& op) {
  if (!is_stream_op(op.kind) || race.at_call || chance(8)) {
    wait_on_host(race, op.thread);
    return;
  }
  // An event that was recorded before for whatever reason, or a new record.
  uint32_t event = kNone;
  uint32_t count = 0;
  for (uint32_t e = 0; e < program_.events.size(); ++e) {
    if (order_->covers(e, race) && below(++count) == 0) event = e;
  }
  if (event == kNone && gone(race.stream)) {
    wait_on_host(race, op.thread);
    return;
  }
  if (event == kNone || (!gone(race.stream) && chance(4))) {
    Op record;
    record.kind = Kind::kRecord;
    record.thread = op.thread;
    record.stream = race.stream;
    record.object = event = some_event(program_.streams[race.stream]);
    submit(record);
  }
  Op wait;
  wait.kind = Kind::kWait;
  wait.thread = op.thread;
  wait.stream = op.stream;
  wait.object = event;
  submit(wait);
}

void Generator::wait_on_host(const Race& race, uint8_t thread) {
  Op op;
  op.thread = thread;
  const uint32_t dice = below(8);
  for (uint32_t e = 0; e < program_.events.size() && dice < 4; ++e) {
    if (!order_->covers(e, race)) continue;
    op.kind = dice == 0 ? Kind::kPollEvent : Kind::kSyncEvent;
    op.object = e;
    submit(op);
    return;
  }
  if (gone(race.stream) || dice == 7) {
    op.kind = Kind::kSyncDevice;
    op.object = program_.streams[race.stream];
  } else {
    op.kind = Kind::kSyncStream;
    op.stream = race.stream;
  }
  submit(op);
}

void Generator::keep_traces(const Op& op) {
  if (op.kind == Kind::kFree || op.kind == Kind::kPoolFree) {
    keep_trace(op, op.destination, {0, program_.memories[op.destination].bytes});
  } else if (overwrites(op.kind)) {
    keep_trace(op, op.destination, {op.destination_offset, op.bytes});
  } else if (op.kind == Kind::kLaunch) {
    for (const Op& node : program_.graphs[op.object].body) {
      if (overwrites(node.kind)) keep_trace(op, node.destination, {node.destination_offset, node.bytes});
    }
  }
}

void Generator::keep_trace(const Op& op, uint32_t memory, Span span) {
  const Span unseen = unseen_[memory];
  if (unseen.bytes == 0 || unseen.offset >= span.offset + span.bytes ||
      span.offset >= unseen.offset + unseen.bytes)
    return;
  unseen_[memory] = {};
  const Memory& one = program_.memories[memory];
  Op trace;
  trace.thread = op.thread;
  trace.stream = op.stream;
  if (op.stream == kNone && one.place != Place::kDevice && log(trace, memory, unseen, 2)) return;
  if (trace.stream == kNone) trace.stream = some_stream(one.device);
  const uint32_t begin = unseen.offset / 8 * 8;
  const uint32_t end = std::min((unseen.offset + unseen.bytes + 7) / 8 * 8, one.bytes / 8 * 8);
  const bool whole = unseen.offset + unseen.bytes <= end;
  if (sinks_[trace.stream] != kNone && one.place != Place::kPageable &&
      one.device == program_.streams[trace.stream] && whole && end - begin <= kSinkBytes &&
      !(one.origin != Origin::kPermanent && chance(3))) {
    trace.kind = Kind::kFold2;
    trace.destination = sinks_[trace.stream];
    trace.source = memory;
    trace.source_offset = begin;
    trace.bytes = end - begin;
    trace.value = next();
    submit(trace);
    return;
  }
  // Copies into pageable memory may wait, so that a gate before them would have to open.
  const bool pageable = one.place == Place::kPageable ||
                        below(world_.devices[program_.streams[trace.stream]].copy_blocks != 0 ? 8 : 2) == 0;
  log(trace, memory, unseen, pageable ? 1 : 0);
}

bool Generator::log(Op op, uint32_t memory, Span span, size_t which) {
  Log& log = logs_[which];
  if (log.used + span.bytes > kLogBytes) return false;
  op.kind = which == 2 ? Kind::kHostRead : Kind::kCopy;
  if (which == 2) op.stream = kNone;
  op.source = memory;
  op.source_offset = span.offset;
  op.destination = log.memory;
  op.destination_offset = log.used;
  op.bytes = span.bytes;
  log.used += span.bytes;
  program_.memories[log.memory].bytes = log.used;
  submit(op);
  return true;
}

void Generator::note_writes(const Op& op) {
  accesses_.clear();
  append_accesses(program_, op, accesses_);
  for (const Access& access : accesses_) {
    if (!access.write || access.lifetime) continue;
    // Sinks and logs are looked at when the program has ended.
    if (access.memory >= usual_ && program_.memories[access.memory].origin == Origin::kPermanent) continue;
    Span& unseen = unseen_[access.memory];
    if (unseen.bytes == 0) {
      unseen = {access.begin, access.end - access.begin};
    } else {
      const uint32_t end = std::max(unseen.offset + unseen.bytes, access.end);
      unseen.offset = std::min(unseen.offset, access.begin);
      unseen.bytes = end - unseen.offset;
    }
  }
}

}  // namespace xhal::programs
