// SPDX-License-Identifier: Apache-2.0
#include "memory/address_table.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace xhal::opencl {
namespace {

constexpr uint64_t kPage = AddressTable::kPage;
constexpr uint64_t kBase = uint64_t{0x7f12} << 32;

Range range(uint64_t base, uint64_t size, uint64_t id) { return {base, size, 1, 0, id}; }

uint64_t id_at(const AddressTable& table, uint64_t address) {
  return table.find(reinterpret_cast<const void*>(address)).id;
}

TEST(AddressTable, KnowsEachByteAndNoOther) {
  AddressTable table;
  table.add(range(kBase, 100, 1));
  table.add(range(kBase + kPage, kPage, 2));
  EXPECT_EQ(id_at(table, kBase), 1u);
  EXPECT_EQ(id_at(table, kBase + 99), 1u);
  EXPECT_EQ(id_at(table, kBase + 100), 0u);
  EXPECT_EQ(id_at(table, kBase - 1), 0u);
  EXPECT_EQ(id_at(table, kBase + kPage), 2u);
  EXPECT_EQ(id_at(table, kBase + 2 * kPage - 1), 2u);
  EXPECT_EQ(id_at(table, kBase + 2 * kPage), 0u);
  EXPECT_EQ(id_at(table, 0), 0u);
  EXPECT_EQ(id_at(table, UINT64_MAX), 0u);
}

TEST(AddressTable, SaysWhatLiesWithinOneRangeOfADevice) {
  AddressTable table;
  table.add({kBase, 100, 1, 3, 1});
  table.add({kBase + kPage, 100, 1, 3, 2});
  const auto is_within = [&](uint64_t at, uint64_t bytes, uint32_t device = 3) {
    return table.is_within(reinterpret_cast<const void*>(at), bytes, device);
  };
  EXPECT_TRUE(is_within(kBase, 100));
  EXPECT_TRUE(is_within(kBase, 0));
  EXPECT_TRUE(is_within(kBase + 99, 1));
  EXPECT_FALSE(is_within(kBase, 101));
  EXPECT_FALSE(is_within(kBase + 99, 2));
  EXPECT_FALSE(is_within(kBase + 1, UINT64_MAX)) << "wraps";
  EXPECT_FALSE(is_within(kBase + 100, 0)) << "behind its end";
  EXPECT_FALSE(is_within(kBase, kPage + 1)) << "two ranges";
  EXPECT_FALSE(is_within(kBase, 1, 2)) << "another device's";
  EXPECT_FALSE(is_within(0, 0));
  EXPECT_FALSE(is_within(UINT64_MAX, 1));
  table.remove({kBase, 100, 1, 3, 1});
  EXPECT_FALSE(is_within(kBase, 1));
  EXPECT_TRUE(is_within(kBase + kPage, 100));
}

// From within one entry of a level to within another, over whole ones.
TEST(AddressTable, TakesRangesOfAllSizes) {
  for (const uint64_t size :
       {kPage * 511, kPage * 512, kPage * 513, (uint64_t{1} << 30) + kPage, uint64_t{3} << 39}) {
    for (const uint64_t offset : {uint64_t{0}, kPage, kPage * 511}) {
      AddressTable table;
      const uint64_t base = kBase + offset;
      const Range one = range(base, size - 7, 3);
      table.add(one);
      for (const uint64_t at : {uint64_t{0}, size / 3, size / 2, size - 8})
        EXPECT_EQ(id_at(table, base + at), 3u);
      EXPECT_EQ(id_at(table, base + size - 7), 0u);
      EXPECT_EQ(id_at(table, base + size), 0u);
      table.remove(one);
      for (const uint64_t at : {uint64_t{0}, size / 3, size / 2, size - 8})
        EXPECT_EQ(id_at(table, base + at), 0u);
      // Where small ones were, a large one may be, and the other way round.
      table.add(range(base, 1, 4));
      table.remove(range(base, 1, 4));
      table.add(one);
      EXPECT_EQ(id_at(table, base + size / 2), 3u);
    }
  }
}

TEST(AddressTable, ForgetsWhatIsRemovedAndNothingElse) {
  AddressTable table;
  constexpr uint64_t kCount = 5000;
  for (uint64_t i = 0; i < kCount; ++i) table.add(range(kBase + i * kPage, 10, i + 1));
  for (uint64_t i = 0; i < kCount; i += 2) table.remove(range(kBase + i * kPage, 10, i + 1));
  for (uint64_t i = 0; i < kCount; ++i) EXPECT_EQ(id_at(table, kBase + i * kPage), i % 2 == 0 ? 0 : i + 1);
  table.remove(range(kBase, 10, 1));  // a second time
  EXPECT_EQ(id_at(table, kBase + kPage), 2u);
}

// Whoever asks while ranges come and go sees one that is there or nothing, never parts of two.
TEST(AddressTable, AnswersWhileItChanges) {
  AddressTable table;
  std::atomic<bool> ends{false};
  std::atomic<uint64_t> torn{0};
  std::thread reader([&] {
    while (!ends) {
      const Range seen = table.find(reinterpret_cast<const void*>(kBase + 8));
      if (seen.kind != 0 && (seen.base != kBase || seen.size != 16 * seen.id)) ++torn;
    }
  });
  for (uint64_t id = 1; id < 20000; ++id) {
    const Range one = range(kBase, 16 * id, id);
    table.add(one);
    table.remove(one);
    const Range elsewhere = range(kBase + (uint64_t{1} << 40), 3, id);
    table.add(elsewhere);
    table.remove(elsewhere);
  }
  ends = true;
  reader.join();
  EXPECT_EQ(torn, 0u);
}

}  // namespace
}  // namespace xhal::opencl
