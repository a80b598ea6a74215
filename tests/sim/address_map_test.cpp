// SPDX-License-Identifier: Apache-2.0
#include "memory/address_map.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>
#include <vector>

namespace xhal::sim {
namespace {

constexpr uint64_t kPage = AddressMap::kPage;
constexpr uint64_t kChunk = 512 * kPage;
constexpr uint64_t kBase = uint64_t{1} << 40;
constexpr Interval kPages = {kBase, kBase + 64 * kChunk};

class Map : public testing::Test {
 protected:
  Map() { EXPECT_TRUE(map.open(kPages)); }

  uint32_t add(uint64_t base, uint64_t size, uint32_t kind = XHAL_MEMORY_DEVICE, uint32_t device = 0) {
    return map.insert({base, size, kind, device, 0, ++ids, 0, 0, 0});
  }
  bool remove(uint64_t base, uint32_t beneath = 0) {
    Allocation gone;
    return map.erase(
        base, gone, [](const Allocation&) { return true; }, beneath);
  }
  [[nodiscard]] uint64_t base_at(uint64_t address) const { return map.find(address).base; }

  AddressMap map;
  uint64_t ids = 0;
};

TEST_F(Map, TellsAllOfAnAllocationForEachOfItsAddresses) {
  map.insert({kBase + kPage, 5000, XHAL_MEMORY_MANAGED, 63, 7, 99, Allocation::kImported, 0, 0});
  for (const uint64_t offset : {0u, 1u, 4095u, 4096u, 4999u}) {
    const Allocation found = map.find(kBase + kPage + offset);
    EXPECT_EQ(found.base, kBase + kPage);
    EXPECT_EQ(found.size, 5000u);
    EXPECT_EQ(found.kind, static_cast<uint32_t>(XHAL_MEMORY_MANAGED));
    EXPECT_EQ(found.device, 63u);
    EXPECT_EQ(found.epoch, 7u);
    EXPECT_EQ(found.id, 99u);
    EXPECT_TRUE(found.has(Allocation::kImported));
    EXPECT_FALSE(found.has(Allocation::kOfPool));
  }
  for (const uint64_t outside : {kBase, kBase + kPage - 1, kBase + kPage + 5000, kBase + 3 * kPage})
    EXPECT_EQ(map.find(outside).kind, static_cast<uint32_t>(XHAL_MEMORY_UNMANAGED)) << outside - kBase;
}

TEST_F(Map, KnowsNothingBeforeItIsOpen) {
  const AddressMap closed;
  EXPECT_EQ(closed.find(kBase).kind, static_cast<uint32_t>(XHAL_MEMORY_UNMANAGED));
  EXPECT_EQ(closed.first_in(0, UINT64_MAX).kind, static_cast<uint32_t>(XHAL_MEMORY_UNMANAGED));
}

TEST_F(Map, ForgetsAtOnceAndDoesNotMistakeTheNextOneForIt) {
  add(kBase, 3 * kChunk);
  EXPECT_TRUE(remove(kBase));
  EXPECT_FALSE(remove(kBase));
  EXPECT_EQ(base_at(kBase + kChunk), 0u);
  // The record is given out again, to another place.
  add(kBase + 40 * kChunk, kPage);
  EXPECT_EQ(base_at(kBase + kChunk), 0u);
  // Pages of what was one chunk's.
  add(kBase + kChunk + 5 * kPage, kPage);
  EXPECT_EQ(base_at(kBase + kChunk + 5 * kPage), kBase + kChunk + 5 * kPage);
  EXPECT_EQ(base_at(kBase + kChunk + 4 * kPage), 0u);
  EXPECT_EQ(base_at(kBase + kChunk + 6 * kPage), 0u);
  EXPECT_EQ(base_at(kBase + 2 * kChunk), 0u);
}

TEST_F(Map, EraseAsksWhoMayGo) {
  add(kBase, kPage);
  Allocation gone;
  EXPECT_FALSE(map.erase(kBase, gone, [](const Allocation&) { return false; }));
  EXPECT_FALSE(map.erase(kBase + 1, gone, [](const Allocation&) { return true; })) << "no base";
  EXPECT_EQ(base_at(kBase), kBase);
}

TEST_F(Map, WhatLiesAboveGivesTheAddressesBack) {
  const uint64_t range = kBase + 2 * kChunk;
  const uint32_t record = add(range, 4 * kChunk, XHAL_MEMORY_RESERVED);
  const uint64_t piece = range + kChunk + 16 * kPage;
  map.insert({piece, 2 * kChunk, XHAL_MEMORY_DEVICE, 1, 0, ++ids, Allocation::kMapped, 0, 0});
  EXPECT_EQ(base_at(piece - 1), range);
  EXPECT_EQ(base_at(piece), piece);
  EXPECT_EQ(base_at(piece + 2 * kChunk - 1), piece);
  EXPECT_EQ(base_at(piece + 2 * kChunk), range);
  EXPECT_TRUE(map.set_access(piece, 5, 4));
  EXPECT_EQ(map.find(piece + 1).readers, 5u);
  EXPECT_EQ(map.find(piece + 1).writers, 4u);
  EXPECT_TRUE(remove(piece, record));
  for (uint64_t address = range; address < range + 4 * kChunk; address += kPage)
    ASSERT_EQ(base_at(address), range) << address - range;
  // At the very beginning of the range, too.
  map.insert({range, kChunk, XHAL_MEMORY_DEVICE, 1, 0, ++ids, Allocation::kMapped, 0, 0});
  EXPECT_EQ(base_at(range), range);
  EXPECT_EQ(map.find(range).size, kChunk);
  EXPECT_TRUE(remove(range, record));
  EXPECT_EQ(map.find(range).size, 4 * kChunk);
}

TEST_F(Map, FindsTheFirstOfARange) {
  constexpr uint64_t kHost = 1 << 20;
  add(kBase + 3 * kChunk, kPage);
  add(kBase + 3 * kChunk + 9 * kPage, 2 * kChunk);
  add(kHost, 100, XHAL_MEMORY_REGISTERED);
  EXPECT_EQ(map.first_in(kBase, kBase + kChunk).id, 0u);
  EXPECT_EQ(map.first_in(kBase, kBase + 3 * kChunk).id, 0u);
  EXPECT_EQ(map.first_in(kBase, kBase + 3 * kChunk + 1).base, kBase + 3 * kChunk);
  EXPECT_EQ(map.first_in(kBase + 3 * kChunk + kPage, UINT64_MAX).base, kBase + 3 * kChunk + 9 * kPage);
  EXPECT_EQ(map.first_in(kHost - 5, kHost).id, 0u);
  EXPECT_EQ(map.first_in(kHost - 5, kHost + 1).base, kHost);
  EXPECT_EQ(map.first_in(kHost + 99, kHost + 1000).base, kHost);
  EXPECT_EQ(map.first_in(kHost + 100, kBase + 60 * kChunk).base, kBase + 3 * kChunk);
}

TEST_F(Map, HostRangesMayHaveAnySizeAndPlace) {
  for (uint64_t i = 100; i-- > 0;) add(5000 + 10 * i, 10 - i % 3, XHAL_MEMORY_REGISTERED);
  for (uint64_t i = 0; i < 100; ++i) {
    EXPECT_EQ(base_at(5000 + 10 * i), 5000 + 10 * i);
    EXPECT_EQ(base_at(5000 + 10 * i + 9), i % 3 == 0 ? 5000 + 10 * i : 0u);
  }
  EXPECT_FALSE(map.insert_if_free({5999, 10, XHAL_MEMORY_REGISTERED, 0, 0, 1000, 0, 0, 0}))
      << "the last one's";
  EXPECT_TRUE(map.insert_if_free({6000, 10, XHAL_MEMORY_REGISTERED, 0, 0, 1001, 0, 0, 0}));
  for (uint64_t i = 0; i < 100; i += 2) EXPECT_TRUE(remove(5000 + 10 * i));
  for (uint64_t i = 0; i < 100; ++i) EXPECT_EQ(base_at(5000 + 10 * i) != 0, i % 2 == 1) << i;
}

// Against a map of the standard library.
TEST_F(Map, AgreesWithAnOrderedMap) {
  std::mt19937_64 random(3);
  std::map<uint64_t, uint64_t> model;
  const auto model_base = [&](uint64_t address) -> uint64_t {
    auto it = model.upper_bound(address);
    if (it == model.begin()) return 0;
    --it;
    return address - it->first < it->second ? it->first : 0;
  };
  const auto is_free = [&](uint64_t begin, uint64_t end) {
    const auto it = model.lower_bound(begin);
    return model_base(begin) == 0 && (it == model.end() || it->first >= end);
  };
  for (int step = 0; step < 20'000; ++step) {
    const uint64_t page = random() % (16 * 512);
    const uint64_t base = kBase + page * kPage;
    if (random() % 2 == 0 && !model.empty()) {
      auto victim = model.lower_bound(base);
      if (victim == model.end()) victim = model.begin();
      ASSERT_TRUE(remove(victim->first));
      model.erase(victim);
    } else {
      const uint64_t size = 1 + random() % (random() % 4 == 0 ? 3 * kChunk : 5 * kPage);
      const uint64_t whole = (size + kPage - 1) / kPage * kPage;
      if (base + whole > kPages.end || !is_free(base, base + whole)) continue;
      add(base, size);
      model.emplace(base, size);
    }
    for (int probe = 0; probe < 4; ++probe) {
      const uint64_t address = kBase + random() % (20 * kChunk);
      ASSERT_EQ(base_at(address), model_base(address)) << step;
    }
  }
  EXPECT_EQ(map.live(), model.size());
}

// Whatever a reader is told was true of one allocation: never a mixture of two.
TEST_F(Map, ReadersSeeWholeAllocationsWhileOthersComeAndGo) {
  constexpr uint64_t kHost = 1 << 20;
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> found{0};
  std::vector<std::thread> readers;
  for (uint64_t r = 0; r < 2; ++r) {
    readers.emplace_back([&, r] {
      std::mt19937_64 random(r);
      while (!stop.load(std::memory_order_relaxed)) {
        const uint64_t address = r == 0 ? kBase + random() % (8 * kChunk) : kHost + random() % 4096;
        const Allocation one = map.find(address);
        if (one.kind == XHAL_MEMORY_UNMANAGED) continue;
        found.fetch_add(1, std::memory_order_relaxed);
        // Everything follows from the id.
        ASSERT_TRUE(one.contains(address));
        ASSERT_EQ(one.device, one.id % 64);
        ASSERT_EQ(one.epoch, static_cast<uint32_t>(one.id * 7));
        ASSERT_EQ(one.size % 1000, one.id % 1000);
      }
    });
  }
  std::mt19937_64 random(9);
  std::vector<uint64_t> paged;
  std::vector<uint64_t> on_host;
  for (uint64_t step = 1; step <= 6000 || found.load() < 1000; ++step) {
    const uint64_t id = 1000 + step;
    const auto device = static_cast<uint32_t>(id % 64);
    const auto epoch = static_cast<uint32_t>(id * 7);
    if (paged.size() == 8) {
      const size_t victim = random() % paged.size();
      ASSERT_TRUE(remove(paged[victim]));
      paged.erase(paged.begin() + static_cast<std::ptrdiff_t>(victim));
    }
    const uint64_t place = kBase + random() % 8 * kChunk;
    const uint64_t size = 1000 * (1 + random() % 2000) + id % 1000;
    if (std::find(paged.begin(), paged.end(), place) == paged.end()) {
      map.insert({place, size, XHAL_MEMORY_DEVICE, device, epoch, id, 0, 0, 0});
      paged.push_back(place);
    }
    const uint64_t host = kHost + random() % 4 * 1000;
    if (const auto it = std::find(on_host.begin(), on_host.end(), host); it != on_host.end()) {
      ASSERT_TRUE(remove(host));
      on_host.erase(it);
    } else {
      map.insert(
          {host, id % 1000 == 0 ? 1000 : id % 1000, XHAL_MEMORY_REGISTERED, device, epoch, id, 0, 0, 0});
      on_host.push_back(host);
    }
    if (step % 64 == 0) std::this_thread::yield();
  }
  stop.store(true);
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace xhal::sim
