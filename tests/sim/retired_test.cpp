// SPDX-License-Identifier: Apache-2.0
#include "memory/retired.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <vector>

namespace xhal::sim {
namespace {

class Retired : public testing::Test {
 protected:
  // Submits one operation to the stream.
  void submit(size_t stream) { streams[stream].submit(streams[stream].submitted() + 1); }
  void finish(size_t stream) { streams[stream].retire(streams[stream].submitted()); }
  void add(uint64_t name) { retired.add({RetiredRange::What::kDevice, 0, {name, name + 1}, 0, false}); }
  PendingWork pending() {
    ++snapshots_taken;
    PendingWork work;
    work.streams = streams.size();
    for (const Progress& stream : streams) {
      if (!stream.reached(stream.submitted())) work.push_back({&stream, stream.submitted()});
    }
    return work;
  }

  std::deque<Progress> streams{1024};
  std::vector<uint64_t> released;
  size_t snapshots_taken = 0;
  RetiredMemory retired{[this] { return pending(); },
                        [this](const RetiredRange& range) { released.push_back(range.addresses.begin); }};
};

TEST_F(Retired, IsReleasedAtOnceWhenNothingIsPending) {
  add(7);
  EXPECT_EQ(released, std::vector<uint64_t>{7});
  EXPECT_TRUE(retired.is_empty());
}

TEST_F(Retired, WaitsForWhatWasPendingAndNotForWhatCameLater) {
  submit(0);
  submit(1);
  add(1);
  submit(2);
  retired.reclaim();
  EXPECT_TRUE(released.empty());
  finish(0);
  retired.reclaim();
  EXPECT_TRUE(released.empty());
  finish(1);
  retired.reclaim_known();
  EXPECT_EQ(released, std::vector<uint64_t>{1});
}

TEST_F(Retired, LaterFreesWaitForLaterWork) {
  submit(0);
  add(1);
  submit(0);
  add(2);
  streams[0].retire(1);
  retired.reclaim();
  EXPECT_EQ(released, std::vector<uint64_t>{1});
  streams[0].retire(2);
  retired.reclaim();
  EXPECT_EQ(released, (std::vector<uint64_t>{1, 2}));
}

TEST_F(Retired, SnapshotsAreSharedWhereTheyAreDear) {
  for (size_t i = 0; i < streams.size(); ++i) submit(i);
  for (uint64_t i = 0; i < 6400; ++i) add(i);
  EXPECT_LE(snapshots_taken, 110u);
  EXPECT_LE(retired.snapshots(), 32u) << "however many frees there were";
  for (size_t i = 0; i < streams.size(); ++i) finish(i);
  retired.reclaim();
  EXPECT_EQ(released.size(), 6400u);
}

TEST_F(Retired, TheEndReleasesAllWithoutAskingForWork) {
  submit(0);
  for (uint64_t i = 0; i < 10; ++i) add(i);
  const size_t before = snapshots_taken;
  retired.release_all();
  EXPECT_EQ(released.size(), 10u);
  EXPECT_EQ(snapshots_taken, before);
}

// Whatever the order of frees and work: no range is released before all that was pending at its free.
TEST_F(Retired, NothingIsReleasedTooEarly) {
  std::mt19937_64 random(5);
  std::vector<PendingWork> owed;
  for (uint64_t step = 0; step < 5000; ++step) {
    const size_t stream = random() % 40;
    switch (random() % 4) {
      case 0:
        submit(stream);
        break;
      case 1: {
        const uint64_t done = streams[stream].done();
        if (done < streams[stream].submitted()) streams[stream].retire(done + 1);
        break;
      }
      case 2: {
        PendingWork now;
        for (const Progress& one : streams) {
          if (!one.reached(one.submitted())) now.push_back({&one, one.submitted()});
        }
        owed.push_back(now);
        add(owed.size() - 1);
        break;
      }
      default:
        random() % 2 == 0 ? retired.reclaim() : retired.reclaim_known();
    }
    for (const uint64_t name : released) {
      for (const Position& position : owed[name].positions)
        ASSERT_TRUE(position.progress->reached(position.number)) << name;
    }
    released.clear();
  }
}

}  // namespace
}  // namespace xhal::sim
