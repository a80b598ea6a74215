// SPDX-License-Identifier: Apache-2.0
#include "brute_order.hpp"

#include <algorithm>

namespace xhal::test {

using namespace programs;

namespace {

// Each operation has three moments: its call begins, its effect happens (on its stream), its call has returned.
class Moments {
 public:
  Moments(const Program& program, uint32_t left_out)
      : program_(program), left_out_(left_out), before_(3 * program.ops.size()) {
    for (uint32_t i = 0; i < program.ops.size(); ++i) {
      // What was called is called; it returns.
      edge(begin(i), returned(i));
      if (is_stream_op(op(i).kind)) edge(begin(i), effect(i));
      host_order(i);
      if (is_stream_op(op(i).kind)) stream_order(i);
      host_waits(i);
      close(i);
    }
  }

  // Of two accesses.
  [[nodiscard]] bool ordered(uint32_t a, bool a_at_call, uint32_t b, bool b_at_call) const {
    return reaches(a_at_call ? returned(a) : effect(a), b_at_call ? begin(b) : effect(b));
  }

  static bool conflict(const Program& program, const Op& a, const Op& b) {
    std::vector<Access> first;
    std::vector<Access> second;
    append_accesses(program, a, first);
    append_accesses(program, b, second);
    return std::any_of(first.begin(), first.end(), [&](const Access& x) {
      return std::any_of(second.begin(), second.end(), [&](const Access& y) {
        return x.memory == y.memory && x.begin < y.end && y.begin < x.end && (x.write || y.write);
      });
    });
  }

 private:
  [[nodiscard]] const Op& op(uint32_t i) const { return program_.ops[i]; }
  static uint32_t begin(uint32_t i) { return 3 * i; }
  static uint32_t effect(uint32_t i) { return 3 * i + 1; }
  static uint32_t returned(uint32_t i) { return 3 * i + 2; }
  [[nodiscard]] bool reaches(uint32_t from, uint32_t to) const {
    return from / 3 < before_[to].size() && (before_[to][from / 3] >> (from % 3) & 1) != 0;
  }
  void edge(uint32_t from, uint32_t to) {
    auto& mine = before_[to];
    const auto& theirs = before_[from];
    if (mine.size() < program_.ops.size()) mine.resize(program_.ops.size(), 0);
    for (size_t k = 0; k < theirs.size(); ++k) mine[k] = static_cast<uint8_t>(mine[k] | theirs[k]);
    mine[from / 3] = static_cast<uint8_t>(mine[from / 3] | 1u << (from % 3));
  }
  // Edges into `begin` were made after some out of it.
  void close(uint32_t i) {
    edge(begin(i), returned(i));
    if (is_stream_op(op(i).kind)) edge(begin(i), effect(i));
  }

  static bool speaks_of_event(Kind kind) {
    return kind == Kind::kRecord || kind == Kind::kWait || kind == Kind::kQueryEvent ||
           kind == Kind::kSyncEvent || kind == Kind::kPollEvent || kind == Kind::kRenewEvent;
  }
  [[nodiscard]] bool on_device(const Op& one, uint32_t device) const {
    return one.stream != kNone && program_.streams[one.stream] == device;
  }
  // Calls of two threads that are made in the program's order.
  [[nodiscard]] bool joined(const Op& a, const Op& b) const {
    if (a.stream != kNone && a.stream == b.stream) return true;
    if (speaks_of_event(a.kind) && speaks_of_event(b.kind) && a.object == b.object) return true;
    if (b.kind == Kind::kSyncDevice &&
        (on_device(a, b.object) || (a.kind == Kind::kSyncDevice && a.object == b.object)))
      return true;
    if (a.kind == Kind::kSyncDevice && on_device(b, a.object)) return true;
    return conflict(program_, a, b);
  }
  void host_order(uint32_t i) {
    for (uint32_t k = 0; k < i; ++k) {
      if (op(k).thread == op(i).thread || joined(op(k), op(i))) edge(returned(k), begin(i));
    }
    edge(begin(i), returned(i));
  }
  void stream_order(uint32_t i) {
    edge(begin(i), effect(i));
    for (uint32_t k = 0; k < i; ++k) {
      if (is_stream_op(op(k).kind) && op(k).stream == op(i).stream) edge(effect(k), effect(i));
    }
    if (op(i).kind == Kind::kWait && i != left_out_) {
      const uint32_t record = current_record(i);
      if (record != kNone) edge(effect(record), effect(i));
    }
  }
  [[nodiscard]] uint32_t current_record(uint32_t i) const {
    for (uint32_t k = i; k-- > 0;) {
      if (op(k).object != op(i).object) continue;
      if (op(k).kind == Kind::kRecord) return k;
      if (op(k).kind == Kind::kRenewEvent) return kNone;
    }
    return kNone;
  }
  void host_waits(uint32_t i) {
    if (op(i).kind == Kind::kSyncEvent || op(i).kind == Kind::kPollEvent) {
      const uint32_t record = current_record(i);
      if (record != kNone) edge(effect(record), returned(i));
    }
    for (uint32_t k = 0; k < i; ++k) {
      if (!is_stream_op(op(k).kind)) continue;
      const bool waits = (op(i).kind == Kind::kSyncStream && op(k).stream == op(i).stream) ||
                         (op(i).kind == Kind::kSyncDevice && on_device(op(k), op(i).object));
      if (waits) edge(effect(k), returned(i));
    }
  }

  const Program& program_;
  const uint32_t left_out_;
  std::vector<std::vector<uint8_t>> before_;  // of each moment: three bits for each operation
};

}  // namespace

std::vector<BrutePair> brute_races(const Program& program, uint32_t left_out) {
  const Moments moments(program, left_out);
  std::vector<BrutePair> out;
  std::vector<Access> first;
  std::vector<Access> second;
  for (uint32_t b = 0; b < program.ops.size(); ++b) {
    second.clear();
    append_accesses(program, program.ops[b], second);
    if (program.ops[b].kind == Kind::kFree) continue;  // legal with work in flight
    for (uint32_t a = 0; a < b; ++a) {
      if (program.ops[a].kind == Kind::kFree) continue;  // nothing uses the memory afterwards
      first.clear();
      append_accesses(program, program.ops[a], first);
      bool race = false;
      bool data = false;
      for (const Access& x : first) {
        for (const Access& y : second) {
          if (x.memory != y.memory || x.begin >= y.end || y.begin >= x.end || !(x.write || y.write)) continue;
          if (moments.ordered(a, x.at_call, b, y.at_call)) continue;
          race = true;
          data |= !x.lifetime && !y.lifetime;
        }
      }
      if (race) out.push_back({a, b, !data});
    }
  }
  return out;
}

}  // namespace xhal::test
