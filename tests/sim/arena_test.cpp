// SPDX-License-Identifier: Apache-2.0
#include "memory/arena.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace xhal::sim {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

std::unique_ptr<Window> small_window(uint64_t size = 64 * kMiB) {
  auto window = std::make_unique<Window>(size);
  std::string note;
  EXPECT_TRUE(window->reserve(note));
  EXPECT_EQ(note, "");
  return window;
}

unsigned char* backing(const Window& window, uint64_t address) {
  return reinterpret_cast<unsigned char*>(address + window.distance());
}

// Whether the kernel can write to the page: pipes copy from it and tell instead of faulting.
bool host_reads(uint64_t address) {
  int fds[2] = {-1, -1};
  EXPECT_EQ(pipe(fds), 0);
  const bool readable = write(fds[1], reinterpret_cast<const void*>(address), 1) == 1;
  close(fds[0]);
  close(fds[1]);
  return readable;
}

TEST(Window, ReservesWhatItWasAskedForOnceAndBothHalvesAreApart) {
  const auto window = small_window();
  EXPECT_EQ(window->size(), 64 * kMiB);
  EXPECT_EQ(window->base() % Window::kSliceAlignment, 0u);
  EXPECT_GE(window->distance(), window->size());
  const uint64_t base = window->base();
  std::string note;
  EXPECT_TRUE(window->reserve(note));
  EXPECT_EQ(window->base(), base);
  EXPECT_TRUE(window->contains(base));
  EXPECT_TRUE(window->contains(base + window->size() - 1));
  EXPECT_FALSE(window->contains(base + window->size()));
  EXPECT_FALSE(window->contains(base - 1));
  EXPECT_FALSE(host_reads(base));
}

TEST(Window, IsHalvedWhereTheAddressSpaceIsSmallAndSaysSo) {
  Window window(uint64_t{1} << 60);
  std::string note;
  ASSERT_TRUE(window.reserve(note));
  EXPECT_LT(window.size(), uint64_t{1} << 47);
  EXPECT_NE(note.find("instead of"), std::string::npos) << note;
}

TEST(Window, ASliceIsGivenOutAgainOnlyAfterItCameBack) {
  const auto window = small_window();
  const auto first = window->take_slice(32 * kMiB);
  const auto second = window->take_slice(32 * kMiB);
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_NE(first->begin, second->begin);
  EXPECT_FALSE(window->take_slice(2 * kMiB).has_value());
  window->give_slice(*first);
  EXPECT_EQ(window->take_slice(32 * kMiB)->begin, first->begin);
}

TEST(Window, IsLargeEnoughForTheLargestDevicesThatMayBeAskedFor) {
  constexpr uint64_t kGiB = 1024 * kMiB;
  EXPECT_EQ(Window::size_for(2 * kGiB), 256 * kGiB);
  EXPECT_EQ(Window::size_for(128 * kGiB), 2048 * kGiB);
  EXPECT_EQ(Window::size_for(64 * 64 * kGiB), 32 * 1024 * kGiB);
  Window window(64 * kMiB);
  std::string note;
  ASSERT_TRUE(window.reserve(note, 128 * kMiB));
  EXPECT_EQ(window.size(), 128 * kMiB);
  EXPECT_EQ(note, "");
  ASSERT_TRUE(window.reserve(note, 256 * kMiB));
  EXPECT_EQ(window.size(), 128 * kMiB) << "constant from the first time on";
}

TEST(Window, KnowsHowManyAddressesNobodyHas) {
  const auto window = small_window();
  EXPECT_EQ(window->available(), 64 * kMiB);
  const auto slice = window->take_slice(6 * kMiB);
  EXPECT_FALSE(window->take_slice(64 * kMiB).has_value());
  EXPECT_EQ(window->available(), 58 * kMiB);
  window->give_slice(*slice);
  EXPECT_EQ(window->available(), 64 * kMiB);
}

TEST(Arena, TakesNoMoreAddressesThanItsShareAndNoFewerThanItNeeds) {
  const auto window = small_window();
  std::string why;
  for (const auto& [share, taken] :
       {std::pair{64 * kMiB, 16 * kMiB}, {12 * kMiB, 12 * kMiB}, {kMiB, 8 * kMiB}}) {
    const auto arena = Arena::create(*window, 4 * kMiB, why, share);
    ASSERT_NE(arena, nullptr) << why;
    EXPECT_EQ(arena->addresses().size(), taken) << share;
  }
}

TEST(Arena, BacksDeviceAddressesThatTheHostCannotTouch) {
  const auto window = small_window();
  std::string why;
  const auto arena = Arena::create(*window, 8 * kMiB, why);
  ASSERT_NE(arena, nullptr) << why;
  const auto address = arena->allocate(1000, 0);
  ASSERT_TRUE(address.has_value());
  EXPECT_TRUE(window->contains(*address));
  EXPECT_FALSE(host_reads(*address));
  std::memset(backing(*window, *address), 7, 1000);
  EXPECT_EQ(backing(*window, *address)[999], 7);
}

TEST(Arena, CountsInGranulesUpToItsLimitExactly) {
  const auto window = small_window();
  std::string why;
  const auto arena = Arena::create(*window, kMiB, why);
  ASSERT_NE(arena, nullptr) << why;
  const auto one = arena->allocate(1, 0);
  ASSERT_TRUE(one.has_value());
  EXPECT_EQ(arena->used(), 4096u);
  EXPECT_FALSE(arena->allocate(kMiB, 0).has_value());
  const auto rest = arena->allocate(kMiB - 4096, 0);
  EXPECT_TRUE(rest.has_value());
  EXPECT_EQ(arena->used(), kMiB);
  EXPECT_FALSE(arena->allocate(1, 0).has_value());
  arena->release(*one, 1);
  arena->release(*rest, kMiB - 4096);
  EXPECT_EQ(arena->used(), 0u);
  EXPECT_TRUE(arena->allocate(kMiB, 0).has_value());
}

TEST(Arena, HoldsAsManySmallAllocationsAsItsLimitSays) {
  const auto window = small_window();
  std::string why;
  const auto arena = Arena::create(*window, kMiB, why);
  ASSERT_NE(arena, nullptr) << why;
  for (uint64_t i = 0; i < kMiB / 4096; ++i) ASSERT_TRUE(arena->allocate(4096, 0).has_value()) << i;
  EXPECT_FALSE(arena->allocate(1, 0).has_value());
}

TEST(Arena, TheEndOfAnAllocationIsNoOthersBeginning) {
  const auto window = small_window();
  std::string why;
  const auto arena = Arena::create(*window, kMiB, why);
  ASSERT_NE(arena, nullptr) << why;
  const auto first = arena->allocate(4096, 0);
  const auto second = arena->allocate(4096, 0);
  EXPECT_NE(*first + 4096, *second);
  EXPECT_NE(*second + 4096, *first);
}

TEST(Arena, AlignsUpToWhatIsAskedFor) {
  const auto window = small_window();
  std::string why;
  const auto arena = Arena::create(*window, 8 * kMiB, why);
  ASSERT_NE(arena, nullptr) << why;
  for (uint64_t alignment = 1; alignment <= kMiB; alignment *= 2) {
    const auto address = arena->allocate(17, alignment);
    ASSERT_TRUE(address.has_value()) << alignment;
    EXPECT_EQ(*address % std::max<uint64_t>(alignment, 4096), 0u);
  }
}

TEST(Arena, TakesPagesWhenTouchedAndReturnsThemWhenReleased) {
  const auto window = small_window();
  std::string why;
  const auto arena = Arena::create(*window, 8 * kMiB, why);
  ASSERT_NE(arena, nullptr) << why;
  const auto address = arena->allocate(4 * kMiB, 0);
  EXPECT_EQ(arena->resident(), 0u);
  std::memset(backing(*window, *address), 1, 4 * kMiB);
  EXPECT_GE(arena->resident(), 4 * kMiB);
  arena->release(*address, 4 * kMiB);
  EXPECT_EQ(arena->resident(), 0u);
}

TEST(Arena, KeepsPagesOfSmallAllocationsAndReturnsThoseThatNobodyTookAgain) {
  const auto window = small_window();
  std::string why;
  const auto arena = Arena::create(*window, 8 * kMiB, why);
  ASSERT_NE(arena, nullptr) << why;
  std::vector<uint64_t> addresses;
  for (int i = 0; i < 1000; ++i) {
    addresses.push_back(*arena->allocate(4096, 0));
    std::memset(backing(*window, addresses.back()), 1, 4096);
  }
  for (const uint64_t address : addresses) arena->release(address, 4096);
  EXPECT_EQ(arena->resident(), 1000u * 4096) << "for those who come next";
  const auto again = arena->allocate(4096, 0);
  std::memset(backing(*window, *again), 2, 4096);
  arena->trim();
  EXPECT_EQ(arena->resident(), 4096u);
  EXPECT_EQ(backing(*window, *again)[4095], 2);
}

TEST(Arena, HoldsNoMoreFreePagesThanItsBoundHoweverManyComeAndGo) {
  const auto window = small_window(256 * kMiB);
  std::string why;
  const auto arena = Arena::create(*window, 64 * kMiB, why);
  ASSERT_NE(arena, nullptr) << why;
  std::vector<uint64_t> addresses;
  for (int i = 0; i < 48; ++i) {
    addresses.push_back(*arena->allocate(kMiB, 0));
    std::memset(backing(*window, addresses.back()), 1, kMiB);
  }
  for (const uint64_t address : addresses) arena->release(address, kMiB);
  EXPECT_LE(arena->resident(), Arena::kKeptBytes);
}

TEST(Arena, AnAllocationFindsZerosWhoeverHadItsPages) {
  const auto window = small_window();
  std::string why;
  const auto arena = Arena::create(*window, 8 * kMiB, why);
  ASSERT_NE(arena, nullptr) << why;
  const auto expect_zero = [&](uint64_t address, uint64_t size) {
    const unsigned char* const bytes = backing(*window, address);
    EXPECT_TRUE(std::all_of(bytes, bytes + size, [](unsigned char byte) { return byte == 0; })) << size;
  };
  // More pages than a word of the table has bits, every second one of them written to.
  constexpr uint64_t kSmall = 200;
  std::vector<uint64_t> addresses;
  for (uint64_t i = 0; i < kSmall; ++i) {
    addresses.push_back(*arena->allocate(4096, 0));
    std::memset(backing(*window, addresses.back()), 1, 4096);
  }
  // What somebody else divided, to its last byte.
  const auto divided = arena->take(3 * 4096, 4096);
  ASSERT_TRUE(divided.has_value());
  std::memset(backing(*window, *divided), 1, 3 * 4096);
  arena->give({*divided, *divided + 3 * 4096});
  for (const uint64_t address : addresses) arena->release(address, 4096);
  const uint64_t resident = arena->resident();

  const uint64_t begin = arena->addresses().begin;
  for (const uint64_t size : {uint64_t{1}, uint64_t{4096}, uint64_t{100'000}, uint64_t{700'000}}) {
    const auto address = arena->allocate(size, 0);
    ASSERT_TRUE(address.has_value());
    EXPECT_EQ(*address, begin) << "the pages that were used";
    expect_zero(*address, Arena::charge_of(size));
    std::memset(backing(*window, *address), 2, Arena::charge_of(size));
    arena->release(*address, size);
  }
  const auto all = arena->allocate(7 * kMiB, 0);
  ASSERT_TRUE(all.has_value());
  expect_zero(*all, kMiB);
  EXPECT_LE(arena->resident(), resident + kMiB) << "pages that nobody used are not touched to clear them";
  arena->release(*all, 7 * kMiB);
}

TEST(Arena, MemoryAndAddressesAreCountedApart) {
  const auto window = small_window();
  std::string why;
  const auto arena = Arena::create(*window, kMiB, why);
  ASSERT_NE(arena, nullptr) << why;
  const auto addresses = arena->take(2 * kMiB, 4096);
  ASSERT_TRUE(addresses.has_value());
  EXPECT_EQ(arena->used(), 0u);
  EXPECT_TRUE(arena->charge(kMiB));
  EXPECT_FALSE(arena->charge(1));
  EXPECT_FALSE(arena->allocate(1, 0).has_value());
  arena->uncharge(kMiB);
  arena->give({*addresses, *addresses + 2 * kMiB});
  EXPECT_TRUE(arena->allocate(kMiB, 0).has_value());
}

TEST(Arena, NobodyShrinksItsFile) {
  const auto window = small_window();
  std::string why;
  const auto arena = Arena::create(*window, kMiB, why);
  ASSERT_NE(arena, nullptr) << why;
  EXPECT_NE(ftruncate(arena->file(), 4096), 0);
  EXPECT_NE(ftruncate(arena->file(), 1 << 30), 0);
}

TEST(Arena, ItsNeighboursKeepTheirBytesWhenItIsReleased) {
  const auto window = small_window();
  std::string why;
  const auto arena = Arena::create(*window, 8 * kMiB, why);
  ASSERT_NE(arena, nullptr) << why;
  const auto before = arena->allocate(5000, 0);
  const auto between = arena->allocate(20'000, 0);
  const auto behind = arena->allocate(5000, 0);
  for (const auto address : {before, between, behind}) std::memset(backing(*window, *address), 9, 5000);
  arena->release(*between, 20'000);
  for (const auto address : {before, behind}) {
    for (int i = 0; i < 5000; ++i) ASSERT_EQ(backing(*window, *address)[i], 9) << i;
  }
}

TEST(Arena, SaysWhyWhenTheWindowHasNoRoom) {
  const auto window = small_window();
  std::string why;
  const auto arena = Arena::create(*window, 32 * kMiB, why);
  ASSERT_NE(arena, nullptr) << why;
  EXPECT_EQ(Arena::create(*window, 32 * kMiB, why), nullptr);
  EXPECT_NE(why.find("no room"), std::string::npos) << why;
}

TEST(Arena, IsNotAForkedChilds) {
  const auto window = small_window();
  std::string why;
  const auto arena = Arena::create(*window, 8 * kMiB, why);
  ASSERT_NE(arena, nullptr) << why;
  const auto address = arena->allocate(4096, 0);
  backing(*window, *address)[0] = 1;
  const pid_t child = fork();
  if (child == 0) {
    unsigned char resident = 0;
    const uint64_t page = (*address + window->distance()) / 4096 * 4096;
    if (fcntl(arena->file(), F_GETFD) != -1) _exit(2);
    _exit(mincore(reinterpret_cast<void*>(page), 4096, &resident) == 0 ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << "the child has the parent's device memory";
  EXPECT_NE(fcntl(arena->file(), F_GETFD), -1) << "the parent's own";
}

}  // namespace
}  // namespace xhal::sim
