// SPDX-License-Identifier: Apache-2.0
#include "programs/order.h"

#include <algorithm>

namespace xhal::programs {

Order::Order(const Program& program, bool launches_follow)
    : program_(program),
      streams_(program.streams.size()),
      stamps_(program.streams.size()),
      events_(program.events.size()),
      launches_follow_(launches_follow),
      launches_(program.graphs.size()),
      threads_(program.threads),
      pasts_(program.memories.size()),
      stream_users_(program.streams.size(), std::vector<uint32_t>(program.threads, kNone)),
      event_users_(program.events.size(), std::vector<uint32_t>(program.threads, kNone)),
      gate_users_(program.gates, std::vector<uint32_t>(program.threads, kNone)) {
  returned_.reserve(program.ops.size());
}

void Order::join(uint32_t thread, uint32_t target) {
  const uint32_t other = caller_[target];
  if (other == thread) return;
  const uint32_t lane = thread_lane(other);
  if (caller_clock_.at[lane] >= returned_[target].at[lane]) return;
  caller_clock_.join(returned_[target]);
  targets_.push_back(target);
}

void Order::join_object(uint32_t thread, const std::vector<uint32_t>& last_of_threads) {
  for (const uint32_t last : last_of_threads) {
    if (last != kNone) join(thread, last);
  }
}

template <class F>
void Order::for_each_object(const Op& op, F action) {
  if (op.stream != kNone) action(stream_users_[op.stream]);
  switch (op.kind) {
    case Kind::kRecord:
    case Kind::kWait:
    case Kind::kQueryEvent:
    case Kind::kSyncEvent:
    case Kind::kPollEvent:
    case Kind::kRenewEvent:
      action(event_users_[op.object]);
      break;
    case Kind::kSyncDevice:
      for (size_t s = 0; s < stream_users_.size(); ++s) {
        if (program_.streams[s] == op.object) action(stream_users_[s]);
      }
      break;
    case Kind::kGate:
    case Kind::kOpen:
      action(gate_users_[op.object]);
      break;
    default:
      break;
  }
  // Who waits on the host comes behind the opening that stands before it.
  if (waits_on_host(op.kind)) {
    for (auto& users : gate_users_) action(users);
  }
}

void Order::prepare(const Op& op, std::vector<Race>& races) {
  races.clear();
  targets_.clear();
  caller_clock_ = threads_[op.thread];
  if (pasts_.size() < program_.memories.size())
    pasts_.resize(program_.memories.size());  // a program may grow
  const bool several = program_.threads > 1;
  if (several) for_each_object(op, [&](const auto& users) { join_object(op.thread, users); });
  accesses_.clear();
  append_accesses(program_, op, accesses_);
  // A free may be called while work uses the memory, but not before that work is submitted.
  const bool joins_only = op.kind == Kind::kFree;
  if (several) {
    for (const Access& access : accesses_) {
      for (const Past& past : pasts_[access.memory]) {
        if (past.begin < access.end && access.begin < past.end && (past.write || access.write))
          join(op.thread, past.op);
      }
    }
  }
  if (joins_only) return;
  Clock at_effect = caller_clock_;
  if (op.stream != kNone) at_effect.join(streams_[op.stream]);
  if (launches_follow_ && op.kind == Kind::kLaunch) at_effect.join(launches_[op.object]);
  for (const Access& access : accesses_) {
    const Clock& clock = access.at_call ? caller_clock_ : at_effect;
    for (const Past& past : pasts_[access.memory]) {
      if (past.begin >= access.end || access.begin >= past.end || (!past.write && !access.write)) continue;
      if (clock.at[past.lane] >= past.stamp) continue;
      races.push_back({past.op, past.lane < kMostStreams ? past.lane : kNone, past.stamp, access.at_call,
                       past.lifetime || access.lifetime});
    }
  }
}

void Order::commit(const Op& op, uint32_t index, bool acts) {
  Clock& caller = threads_[op.thread];
  caller = caller_clock_;
  const uint32_t lane = thread_lane(op.thread);
  const auto call = static_cast<uint16_t>(caller.at[lane] + 1);
  if (acts && is_stream_op(op.kind)) {
    Clock& stream = streams_[op.stream];
    // The call itself has not returned when its effect happens: the caller's own lane stays behind.
    stream.join(caller);
    if (op.kind == Kind::kWait) stream.join(events_[op.object]);
    if (launches_follow_ && op.kind == Kind::kLaunch) stream.join(launches_[op.object]);
    stream.at[op.stream] = ++stamps_[op.stream];
    if (op.kind == Kind::kLaunch) launches_[op.object] = stream;
    if (op.kind == Kind::kRecord) events_[op.object] = stream;
  }
  switch (op.kind) {
    case Kind::kSyncStream:
      caller.join(streams_[op.stream]);
      break;
    case Kind::kSyncEvent:
    case Kind::kPollEvent:
      caller.join(events_[op.object]);
      break;
    case Kind::kSyncDevice:
      for (size_t s = 0; s < streams_.size(); ++s) {
        if (program_.streams[s] == op.object) caller.join(streams_[s]);
      }
      break;
    case Kind::kRenewEvent:
      events_[op.object] = Clock();
      break;
    default:
      break;
  }
  caller.at[lane] = call;
  returned_.resize(index + 1);
  caller_.resize(index + 1);
  returned_[index] = caller;
  caller_[index] = op.thread;
  if (program_.threads > 1) {
    for_each_object(op, [&](auto& users) { users[op.thread] = index; });
    for (const uint32_t target : targets_) joins_.push_back({index, target});
  }
  accesses_.clear();
  append_accesses(program_, op, accesses_);
  for (const Access& access : accesses_) {
    auto& pasts = pasts_[access.memory];
    if (op.kind == Kind::kFree) {
      pasts.clear();
      continue;
    }
    const uint32_t at = access.at_call ? lane : op.stream;
    const uint16_t stamp = access.at_call ? call : stamps_[op.stream];
    if (access.write) {
      // What lies wholly below an ordered write is ordered before whatever comes behind the write.
      const Clock& clock = access.at_call ? caller : streams_[op.stream];
      std::erase_if(pasts, [&](const Past& past) {
        return access.begin <= past.begin && past.end <= access.end && clock.at[past.lane] >= past.stamp &&
               past.op != index;
      });
    }
    pasts.push_back({access.begin, access.end, index, at, stamp, access.write, access.lifetime});
  }
}

bool Order::knows_done(uint32_t thread, uint32_t stream) const {
  return threads_[thread].at[stream] >= stamps_[stream];
}

bool Order::knows_event_done(uint32_t thread, uint32_t event) const {
  for (size_t s = 0; s < streams_.size(); ++s) {
    if (events_[event].at[s] > threads_[thread].at[s]) return false;
  }
  return true;
}

bool Order::waits_for(const Op& op, uint32_t stream, uint32_t stamp) const {
  switch (op.kind) {
    case Kind::kSyncStream:
      return streams_[op.stream].at[stream] >= stamp;
    case Kind::kSyncEvent:
    case Kind::kPollEvent:
      return events_[op.object].at[stream] >= stamp;
    case Kind::kSyncDevice:
      for (size_t s = 0; s < streams_.size(); ++s) {
        if (program_.streams[s] == op.object && streams_[s].at[stream] >= stamp) return true;
      }
      return false;
    default:
      return false;
  }
}

void mark_queries(Program& program) {
  Order order(program);
  std::vector<Race> races;
  for (uint32_t i = 0; i < program.ops.size(); ++i) {
    Op& op = program.ops[i];
    order.prepare(op, races);
    if (op.kind == Kind::kQueryStream) op.value = order.knows_done(op.thread, op.stream);
    if (op.kind == Kind::kQueryEvent) op.value = order.knows_event_done(op.thread, op.object);
    order.commit(op, i);
  }
}

std::vector<Join> joins_of(const Program& program) {
  if (program.threads == 1) return {};
  Order order(program);
  std::vector<Race> races;
  for (uint32_t i = 0; i < program.ops.size(); ++i) {
    order.prepare(program.ops[i], races);
    order.commit(program.ops[i], i);
  }
  return order.joins();
}

}  // namespace xhal::programs
