// SPDX-License-Identifier: Apache-2.0
// What the contract orders: which operations of a program happen before which, as vector clocks over its streams and host threads.
//
//  - What a thread did before it submitted an operation comes before that operation, and so does all that the stream got before.
//  - A record takes the stream's clock along; a wait brings the clock of the generation that is current at its call; a synchronise of
//    stream, event or device brings it to the calling thread.
//  - Calls of different threads that could meddle with one another (one stream, event or gate, memory of which one writes) are made in the
//    program's order: the later one waits until the earlier one has returned. These joins are not part of a program, they follow from it.
//
// A program is race-free when each access comes behind every conflicting one that stands before it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "programs/model.h"

namespace xhal::programs {

constexpr uint32_t kMostStreams = 10;
constexpr uint32_t kMostThreads = 6;
// A lane's clock has 16 bits.
constexpr uint32_t kMostOps = 60000;

struct Clock {
  std::array<uint16_t, kMostStreams + kMostThreads> at{};
  void join(const Clock& other) {
    for (size_t i = 0; i < at.size(); ++i) at[i] = at[i] < other.at[i] ? other.at[i] : at[i];
  }
};

// An earlier access that does not come before the operation in question.
struct Race {
  uint32_t op;      // the earlier one
  uint32_t stream;  // on which it runs; kNone: at its call
  uint32_t stamp;   // its place there
  bool at_call;     // the later access is made by the calling thread
  bool lifetime;    // one of the two is the beginning or end of memory
};

// Before operation `op` is called, operation `target` of another thread has returned.
struct Join {
  uint32_t op;
  uint32_t target;
};

// Follows a program operation by operation.
class Order {
 public:
  // Launches of one graph never overlap, from whichever streams [XHAL-GRAPH-12]. Programs do not count on an order between them; `launches_follow`
  // takes it that each comes behind the one before.
  explicit Order(const Program& program, bool launches_follow = false);

  // What is not ordered before `op`, behind its joins, if it came next.
  void prepare(const Op& op, std::vector<Race>& races);
  // `op`, which was prepared last, comes next, as operation `index`. `acts`: false where its call is left out.
  void commit(const Op& op, uint32_t index, bool acts = true);

  // Whether the earlier access comes before what a wait for the event's current generation leads to.
  [[nodiscard]] bool covers(uint32_t event, const Race& race) const {
    return race.stream != kNone && events_[event].at[race.stream] >= race.stamp;
  }
  // Whether the thread knows that a stream is done with all it got.
  [[nodiscard]] bool knows_done(uint32_t thread, uint32_t stream) const;
  // The same for an event's current generation.
  [[nodiscard]] bool knows_event_done(uint32_t thread, uint32_t event) const;
  // Whether the operation that waits on the host, coming next, waits for the last thing that `stream` got when its count was `stamp`.
  [[nodiscard]] bool waits_for(const Op& op, uint32_t stream, uint32_t stamp) const;
  // The same for whatever `behind` has got.
  [[nodiscard]] bool is_behind(uint32_t behind, uint32_t stream, uint32_t stamp) const {
    return streams_[behind].at[stream] >= stamp;
  }
  [[nodiscard]] uint32_t count(uint32_t stream) const { return stamps_[stream]; }
  [[nodiscard]] const std::vector<Join>& joins() const { return joins_; }

 private:
  struct Past {
    uint32_t begin, end;
    uint32_t op;
    uint32_t lane;
    uint16_t stamp;
    bool write, lifetime;
  };
  [[nodiscard]] uint32_t thread_lane(uint32_t thread) const { return kMostStreams + thread; }
  void join(uint32_t thread, uint32_t target);
  void join_object(uint32_t thread, const std::vector<uint32_t>& last_of_threads);
  void touch(std::vector<uint32_t>& last_of_threads, const Op& op, uint32_t index);
  template <class F>
  void for_each_object(const Op& op, F action);

  const Program& program_;
  std::vector<Clock> streams_;
  std::vector<uint16_t> stamps_;
  std::vector<Clock> events_;
  const bool launches_follow_;
  std::vector<Clock> launches_;  // of each graph's latest
  std::vector<Clock> threads_;
  std::vector<std::vector<Past>> pasts_;  // of each memory
  std::vector<Clock> returned_;           // the caller's clock after each operation
  std::vector<uint8_t> caller_;
  std::vector<Access> accesses_;
  // Index of the last operation of each thread that touched the object, or kNone.
  std::vector<std::vector<uint32_t>> stream_users_, event_users_, gate_users_;
  // By the latest prepare.
  Clock caller_clock_;  // of the caller behind its joins
  std::vector<uint32_t> targets_;
  std::vector<Join> joins_;
};

// The first access that is not ordered, or another thing that a program must not do: read what nobody wrote, use what is gone, wait on the host
// for what only a later operation opens. Empty: the program is sound, so that the contract leaves it one answer.
std::string defect_of(const Program& program);

std::vector<Join> joins_of(const Program& program);

// Marks the queries that must find everything done (value 1), since the calling thread knows.
void mark_queries(Program& program);

}  // namespace xhal::programs
