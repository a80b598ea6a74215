// SPDX-License-Identifier: Apache-2.0
// What the recipe of the native format promises for kernels that the pack does not have: tests/kernels/pack/*.cl.
#include <gtest/gtest.h>
#include <link.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "native_harness.hpp"

namespace {

using namespace xhal::native_test;  // NOLINT(google-build-using-namespace): a program of one file

class Recipe : public testing::TestWithParam<std::string> {
 protected:
  [[nodiscard]] const xhal_native_kernel& kernel(const std::string& name) const {
    return find_kernel(image_, name);
  }

  bool launch(const std::string& name, const Arguments& arguments, Extent groups, Extent size,
              unsigned threads = 1) {
    return run({.kernel = &kernel(name),
                .arguments = &arguments,
                .groups = groups,
                .group_size = size,
                .threads = threads});
  }

  const xhal_native_image& image_ = load_image(XHAL_TEST_PACK_DIR, "test", GetParam());
};

TEST_P(Recipe, ParametersOfEveryKind) {
  const xhal_native_kernel& values = kernel("test_values");
  static constexpr std::array<std::array<std::uint32_t, 2>, 15> kSizes = {{{8, 8},
                                                                           {1, 1},
                                                                           {1, 1},
                                                                           {2, 2},
                                                                           {2, 2},
                                                                           {4, 4},
                                                                           {4, 4},
                                                                           {8, 8},
                                                                           {8, 8},
                                                                           {4, 4},
                                                                           {8, 8},
                                                                           {4, 4},
                                                                           {8, 8},
                                                                           {16, 16},
                                                                           {128, 128}}};
  ASSERT_EQ(values.param_count, kSizes.size());
  for (std::size_t i = 0; i < kSizes.size(); ++i) {
    EXPECT_EQ(values.params[i].size, kSizes[i][0]) << values.params[i].name;
    EXPECT_EQ(values.params[i].alignment, kSizes[i][1]) << values.params[i].name;
  }
  const xhal_native_kernel& pointers = kernel("test_pointers");
  static constexpr std::array<std::uint32_t, 6> kAccess = {3, 1, 2, 1, 3, 0};
  ASSERT_EQ(pointers.param_count, kAccess.size());
  for (std::size_t i = 0; i < kAccess.size(); ++i) {
    EXPECT_EQ(pointers.params[i].access, kAccess[i]) << pointers.params[i].name;
    EXPECT_EQ(pointers.params[i].kind, i < 5 ? XHAL_NATIVE_PARAM_GLOBAL : XHAL_NATIVE_PARAM_LOCAL);
  }
  EXPECT_EQ(kernel("test_nothing").param_count, 0U);
  EXPECT_FALSE(launch("test_nothing", Arguments(), {3, 1, 1}, {4, 1, 1}));
}

TEST_P(Recipe, ValuesArriveWhateverTheirTypeAndAlignment) {
  alignas(128) std::array<std::byte, 256> out = {};
  std::array<std::uint64_t, 16> wide;
  std::iota(wide.begin(), wide.end(), 1000);
  Arguments arguments;
  arguments.pointer(out.data()).value(std::int8_t{-5}).value(std::uint8_t{250}).value(std::int16_t{-300});
  arguments.value(std::uint16_t{60000}).value(-70000).value(4000000000U).value(std::int64_t{-5000000000});
  arguments.value(std::uint64_t{0x8000000000000001}).value(1.5F).value(-2.25);
  arguments.value(std::array<std::uint8_t, 4>{1, 2, 3, 99}).value(std::array<std::int32_t, 2>{-1, 7});
  arguments.value(std::array<float, 4>{0.5F, 1.5F, 2.5F, 3.5F}).value(wide);
  EXPECT_FALSE(launch("test_values", arguments, {1, 1, 1}, {1, 1, 1}));
  const auto at = [&]<typename T>(std::size_t offset, T) {
    T value;
    std::memcpy(&value, out.data() + offset, sizeof value);
    return value;
  };
  EXPECT_EQ(at(0, std::int8_t{}), -5);
  EXPECT_EQ(at(1, std::uint8_t{}), 250);
  EXPECT_EQ(at(2, std::int16_t{}), -300);
  EXPECT_EQ(at(4, std::uint16_t{}), 60000);
  EXPECT_EQ(at(8, std::int32_t{}), -70000);
  EXPECT_EQ(at(12, std::uint32_t{}), 4000000000U);
  EXPECT_EQ(at(16, std::int64_t{}), -5000000000);
  EXPECT_EQ(at(24, std::uint64_t{}), 0x8000000000000001U);
  EXPECT_EQ(at(32, float{}), 1.5F);
  EXPECT_EQ(at(40, double{}), -2.25);
  EXPECT_EQ(at(48, std::array<std::uint8_t, 4>{}), (std::array<std::uint8_t, 4>{1, 2, 3, 0}));
  EXPECT_EQ(at(56, std::array<std::int32_t, 2>{}), (std::array<std::int32_t, 2>{-1, 7}));
  EXPECT_EQ(at(64, std::array<float, 4>{}), (std::array<float, 4>{0.5F, 1.5F, 2.5F, 3.5F}));
  EXPECT_EQ(at(128, std::array<std::uint64_t, 16>{}), wide);
}

TEST_P(Recipe, WorkItemFunctionsInAndOutsideTheirDimensions) {
  const Extent groups = {2, 3, 2};
  const Extent size = {3, 2, 4};
  const std::array<std::uint64_t, 3> total = {6, 6, 8};
  for (std::uint32_t d = 0; d < 5; ++d) {
    std::vector<std::uint64_t> out(8 * 6 * 6 * 8);
    EXPECT_FALSE(launch("test_work_items", Arguments().pointer(out.data()).value(d), groups, size, 2));
    for (std::uint64_t i = 0; i < total[0] * total[1] * total[2]; ++i) {
      const std::array<std::uint64_t, 3> id = {i % 6, i / 6 % 6, i / 36};
      std::array<std::uint64_t, 8> expected = {0, 1, 0, 1, 0, 1, 0, 3};
      if (d < 3) expected = {id[d], total[d], id[d] % size[d], size[d], id[d] / size[d], groups[d], 0, 3};
      EXPECT_TRUE(std::equal(expected.begin(), expected.end(), &out[8 * i]))
          << "item " << i << ", dimension " << d;
    }
  }
}

#pragma pack(push, 1)
struct Packed {
  std::uint8_t a;
  std::uint64_t b;
};
#pragma pack(pop)
struct Nested {
  std::array<std::uint8_t, 3> first;
  Packed second;
  alignas(16) std::array<std::uint32_t, 4> third;
};
struct alignas(64) Wide {
  std::uint32_t a;
};
union Either {
  std::uint64_t a;
  std::array<std::uint8_t, 12> b;
};

TEST_P(Recipe, StructuresHaveTheLayoutOfC) {
  static constexpr std::array<std::array<std::uint32_t, 2>, 8> kSizes = {{{8, 8},
                                                                          {1, 1},
                                                                          {12, 4},
                                                                          {24, 8},
                                                                          {sizeof(Packed), alignof(Packed)},
                                                                          {sizeof(Wide), alignof(Wide)},
                                                                          {sizeof(Either), alignof(Either)},
                                                                          {sizeof(Nested), alignof(Nested)}}};
  const xhal_native_kernel& structures = kernel("test_structures");
  ASSERT_EQ(structures.param_count, kSizes.size());
  for (std::size_t i = 0; i < kSizes.size(); ++i) {
    EXPECT_EQ(structures.params[i].size, kSizes[i][0]) << structures.params[i].name;
    EXPECT_EQ(structures.params[i].alignment, kSizes[i][1]) << structures.params[i].name;
  }
  // Two of the nested one, of 48 bytes, and one of 12.
  EXPECT_EQ(kernel("test_local_structure").static_local_bytes, 2 * sizeof(Nested) + 12);
}

TEST_P(Recipe, StructuresArriveWhateverTheirSizeAndAlignment) {
  std::array<std::uint64_t, 7> out = {};
  Either either = {};
  either.b = {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};
  const Nested nested = {.first = {1, 2, 3}, .second = {.a = 4, .b = 1000}, .third = {5, 6, 7, 0}};
  Arguments arguments;
  arguments.pointer(out.data()).value(std::uint8_t{7}).value(std::array<float, 3>{1.0F, 2.0F, -3.0F});
  arguments.value(std::array<std::uint64_t, 3>{10, 20, 30})
      .value(Packed{.a = 5, .b = 1ULL << 40})
      .value(Wide{.a = 6});
  arguments.value(either).value(nested);
  EXPECT_FALSE(launch("test_structures", arguments, {1, 1, 1}, {1, 1, 1}));
  const std::array<std::uint64_t, 7> expected = {
      7, 0x3F800000 + 3 * 0x40000000ULL + 5 * 0xC0400000ULL, 220, 5 + (3ULL << 40), 6, 10, 3 + 3000 + 35};
  EXPECT_EQ(out, expected);

  std::vector<std::uint64_t> sums(30);
  EXPECT_FALSE(launch("test_local_structure",
                      Arguments().pointer(sums.data()).value(nested).value(std::array<float, 3>{0, 20, 300}),
                      {3, 1, 1}, {10, 1, 1}, 2));
  for (std::uint64_t i = 0; i < sums.size(); ++i) EXPECT_EQ(sums[i], 1000 + 6 + 300 + 20 + i % 10);
}

// The driver is told which group of a row trapped, and the ones behind it have not run.
TEST_P(Recipe, ATrapEndsTheRowAtItsGroup) {
  for (const std::uint32_t trapping : {2U, 5U, 8U, 100U}) {
    std::array<std::uint32_t, 12> ran = {};
    const Arguments arguments = std::move(Arguments().pointer(ran.data()).value(trapping));
    std::vector<std::unique_ptr<std::byte[]>> no_local_memory;
    const auto pointers = arguments.for_worker(&no_local_memory);
    xhal_native_frame frame = {};
    frame.group_id[0] = 2;
    frame.row_groups = 7;
    frame.group_count[0] = static_cast<std::uint32_t>(ran.size());
    frame.group_count[1] = frame.group_count[2] = 1;
    for (std::uint32_t& size : frame.group_size) size = 1;
    frame.group_size[0] = 4;
    frame.arguments = pointers.data();
    kernel("test_trap_in_group").run_groups(&frame);
    EXPECT_EQ(frame.trapped, trapping < 9 ? 1U : 0U) << trapping;
    EXPECT_TRUE(frame.trapped == 0 || frame.group_id[0] == trapping) << frame.group_id[0];
    const std::uint32_t end = std::min(trapping + 1, 9U);
    for (std::uint32_t group = 0; group < ran.size(); ++group) {
      EXPECT_EQ(ran[group], group >= 2 && group < end ? 1U : 0U) << trapping << ", group " << group;
    }
  }
}

TEST_P(Recipe, RowsThatAreTooLongTrapAndRunNothing) {
  std::vector<std::uint32_t> out(64, 9);
  const std::uint64_t n = out.size();
  for (const char* name : {"test_alike", "test_hidden_local_id"}) {
    const Arguments arguments = std::move(Arguments().pointer(out.data()).value(n));
    std::vector<std::unique_ptr<std::byte[]>> no_local_memory;
    const auto pointers = arguments.for_worker(&no_local_memory);
    for (const std::uint32_t groups : {XHAL_NATIVE_MAX_ROW_GROUPS + 1U, 1U << 31, ~0U}) {
      xhal_native_frame frame = {};
      for (int d = 0; d < 3; ++d) frame.group_count[d] = frame.group_size[d] = 1;
      frame.group_count[0] = frame.row_groups = groups;
      frame.arguments = pointers.data();
      kernel(name).run_groups(&frame);
      EXPECT_EQ(frame.trapped, 1U);
    }
    EXPECT_TRUE(std::ranges::all_of(out, [](std::uint32_t word) { return word == 9; })) << name;
  }
}

// Whether a kernel's groups are run one by one or as one loop over the row, each item sees its own group.
TEST_P(Recipe, ItemsOfARowSeeTheirOwnGroup) {
  for (const std::uint32_t row_groups : {1U, 2U, 7U, 50U}) {
    std::vector<std::uint32_t> ids(350);
    std::vector<std::uint32_t> alike(350);
    const auto run_row = [&](const char* name, const Arguments& arguments) {
      EXPECT_FALSE(run({.kernel = &kernel(name),
                        .arguments = &arguments,
                        .groups = {50, 1, 1},
                        .group_size = {7, 1, 1},
                        .row_groups = row_groups}));
    };
    run_row("test_hidden_local_id", Arguments().pointer(ids.data()));
    run_row("test_alike", Arguments().pointer(alike.data()).value(std::uint64_t{345}));
    for (std::uint32_t i = 0; i < ids.size(); ++i) {
      ASSERT_EQ(ids[i], i % 7) << row_groups;
      ASSERT_EQ(alike[i], i < 345 ? i + 7000 + 5000000 : 0) << row_groups;
    }
  }
}

TEST_P(Recipe, GuardsOfOtherShapesHold) {
  for (const std::uint64_t n : {0U, 1U, 63U, 64U, 65U, 200U}) {
    for (const std::uint64_t first : {0U, 1U, 64U, 150U}) {
      const GuardedArray<std::uint32_t> out(n);
      const GuardedArray<std::uint32_t> in(n);
      std::iota(in.span().begin(), in.span().end(), 10U);
      EXPECT_FALSE(launch("test_guards",
                          Arguments().pointer(out.data()).pointer(in.data()).value(first).value(n), {5, 1, 1},
                          {64, 1, 1}));
      for (std::uint32_t i = 0; i < n; ++i) {
        const std::uint32_t sum = 10 + i + (i + 1 < n ? 11 + i : 0);
        EXPECT_EQ(out.span()[i], i < first ? 0 : sum)
            << "n " << n << ", first " << first << ", element " << i;
      }
    }
  }
}

TEST_P(Recipe, BarriersInFunctionsAndNestedLoops) {
  ASSERT_EQ(kernel("test_mirror").uses_barrier, 1U);
  for (const Extent& size : {Extent{1, 1, 1}, {2, 1, 1}, {7, 3, 1}, {4, 4, 4}, {1024, 1, 1}}) {
    const std::uint32_t items = size[0] * size[1] * size[2];
    for (const std::uint32_t rounds : {0U, 1U, 4U}) {
      std::vector<std::uint32_t> values(std::size_t{6} * items);
      std::iota(values.begin(), values.end(), 0U);
      EXPECT_FALSE(launch("test_mirror", Arguments().pointer(values.data()).value(rounds).local(items * 4),
                          {3, 2, 1}, size, 3));
      // A round reverses twice and adds 1.
      for (std::uint32_t i = 0; i < values.size(); ++i) EXPECT_EQ(values[i], i + rounds);
    }
  }
}

TEST_P(Recipe, StepsKnowTheirItemsAndWhatTheyKept) {
  ASSERT_EQ(kernel("test_steps").uses_barrier, 1U);
  static constexpr Extent kGroups = {5, 2, 1};
  static constexpr std::uint32_t kRounds = 2;
  for (const Extent& size : {Extent{1, 1, 1}, {33, 1, 1}, {7, 3, 2}, {1, 5, 3}, {1024, 1, 1}, {32, 32, 1}}) {
    const std::uint32_t items = size[0] * size[1] * size[2];
    for (const std::uint32_t count : {0U, 1U, items / 2, items - 1, items, items + 9}) {
      SCOPED_TRACE(testing::Message() << size[0] << "x" << size[1] << "x" << size[2] << ", first " << count);
      const Extent all = {kGroups[0] * size[0], kGroups[1] * size[1], size[2]};
      std::vector<std::array<std::uint64_t, 6>> out(std::size_t{all[0]} * all[1] * all[2]);
      EXPECT_FALSE(launch("test_steps", Arguments().pointer(out.data()).value(count).value(kRounds), kGroups,
                          size, 2));
      for (std::uint64_t i = 0; i < out.size(); ++i) {
        const std::array<std::uint64_t, 3> local = {i % all[0] % size[0], i / all[0] % all[1] % size[1],
                                                    i / all[0] / all[1]};
        const std::uint64_t number = local[0] + size[0] * (local[1] + size[1] * local[2]);
        const std::uint64_t seen = items - 1 - number < count ? items - number : 0;
        const std::array<std::uint64_t, 6> expected = {
            local[0], local[1], local[2], number, 3 * i + kRounds * seen, seen};
        ASSERT_EQ(out[i], expected) << "item " << i;
      }
    }
  }
}

TEST_P(Recipe, StepsTrapWithTheirGroup) {
  EXPECT_EQ(kernel("test_lone_step").uses_barrier, 0U);
  std::array<std::uint32_t, 24> out = {};
  EXPECT_FALSE(launch("test_lone_step", Arguments().pointer(out.data()).value(99U), {6, 1, 1}, {4, 1, 1}));
  EXPECT_EQ(std::ranges::count(out, 1U), 24);
  out = {};
  EXPECT_TRUE(launch("test_lone_step", Arguments().pointer(out.data()).value(1U), {6, 1, 1}, {4, 1, 1}));
  // Rows of three groups: of the first one the group behind the trap has not run.
  for (std::size_t i = 0; i < out.size(); ++i) EXPECT_EQ(out[i], i / 4 == 2 ? 0U : 1U) << "element " << i;
}

TEST_P(Recipe, StateLivesAcrossBarriers) {
  static constexpr std::uint32_t kItems = 48;
  alignas(64) std::array<float, std::size_t{2} * kItems * 16> in;
  alignas(64) std::array<float, std::size_t{2}* kItems* 16> out = {};
  // Small integers: every sum and product is exact in any order.
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<float>(i * 7 % 11);
  EXPECT_FALSE(launch("test_state", Arguments().pointer(out.data()).pointer(in.data()).local(kItems * 4),
                      {2, 1, 1}, {kItems, 1, 1}, 2));
  for (std::size_t i = 0; i < std::size_t{2} * kItems; ++i) {
    const std::size_t group = i / kItems * kItems;
    const std::size_t item = i % kItems;
    const float neighbour = in[(group + (item + 1) % kItems) * 16];
    float sum = 0;
    for (std::size_t lane = 0; lane < 16; ++lane) {
      sum += in[i * 16 + (lane + item) % 16] * static_cast<float>(lane + 1);
    }
    for (std::size_t lane = 0; lane < 16; ++lane) {
      EXPECT_EQ(out[i * 16 + lane], in[i * 16 + lane] * neighbour + sum) << "item " << i << ", lane " << lane;
    }
  }
}

TEST_P(Recipe, ItemsThatLeaveBeforeABarrierDoNotHangTheOthers) {
  for (const std::uint32_t leavers : {0U, 1U, 15U, 31U, 32U}) {
    std::vector<std::uint32_t> out(32);
    EXPECT_FALSE(
        launch("test_left_out", Arguments().pointer(out.data()).value(leavers), {1, 1, 1}, {32, 1, 1}));
    for (std::uint32_t i = 0; i < 32; ++i) EXPECT_EQ(out[i], i < leavers ? 1U : 2U);
  }
}

TEST_P(Recipe, DeclaredLocalMemoryIsCountedAndNeverShared) {
  EXPECT_EQ(kernel("test_static_sum").static_local_bytes, 1024U * 4 + 4);
  // The eight bytes in the middle are padded, so that the vectors behind them are aligned.
  EXPECT_EQ(kernel("test_static_vectors").static_local_bytes, 4U * 16 + 16 + 2 * 3 * 8);
  EXPECT_EQ(kernel("test_mirror").static_local_bytes, 0U);

  static constexpr std::uint32_t kGroups = 400;
  static constexpr std::uint32_t kItems = 100;
  std::vector<std::uint32_t> src(std::size_t{kGroups} * kItems);
  std::vector<std::uint32_t> sums(src.size());
  for (std::size_t i = 0; i < src.size(); ++i) src[i] = static_cast<std::uint32_t>(i * 2654435761U >> 7);
  EXPECT_FALSE(launch("test_static_sum", Arguments().pointer(sums.data()).pointer(src.data()),
                      {kGroups, 1, 1}, {kItems, 1, 1}, 8));
  for (std::uint32_t group = 0; group < kGroups; ++group) {
    const auto first = src.begin() + group * std::ptrdiff_t{kItems};
    const std::uint32_t expected = std::accumulate(first, first + kItems, 0U);
    for (std::uint32_t item = 0; item < kItems; ++item) EXPECT_EQ(sums[group * kItems + item], expected);
  }

  std::vector<std::uint32_t> out(64);
  EXPECT_FALSE(launch("test_static_vectors", Arguments().pointer(out.data()), {8, 1, 1}, {8, 1, 1}, 4));
  EXPECT_TRUE(std::all_of(out.begin(), out.end(), [](std::uint32_t word) { return word == 15; }));
}

// Memory for the image's variables, with their first values, as a driver makes it.
class Variables {
 public:
  explicit Variables(const xhal_native_image& image) {
    for (std::uint32_t i = 0; i < image.global_count; ++i) {
      const xhal_native_global& global = *image.globals[i];
      names_.emplace_back(global.name);
      std::vector<std::uint64_t>& words = memory_.emplace_back((global.size + global.alignment + 15) / 8);
      auto address = reinterpret_cast<std::uint64_t>(words.data());
      address = (address + global.alignment - 1) / global.alignment * global.alignment;
      if (global.initial != nullptr)
        std::memcpy(reinterpret_cast<void*>(address), global.initial, global.size);
      addresses_.push_back(address);
    }
  }
  [[nodiscard]] const std::uint64_t* addresses() const { return addresses_.data(); }
  template <typename T>
  [[nodiscard]] T* at(const std::string& name) const {
    const auto found = std::find(names_.begin(), names_.end(), name);
    return reinterpret_cast<T*>(addresses_.at(static_cast<std::size_t>(found - names_.begin())));
  }

 private:
  std::vector<std::string> names_;
  std::vector<std::vector<std::uint64_t>> memory_;
  std::vector<std::uint64_t> addresses_;
};

TEST_P(Recipe, GlobalVariablesOfEveryTypeAndPlace) {
  const Variables one(image_);
  const Variables other(image_);
  GuardedArray<std::uint64_t> out(6);
  const auto launch_with = [&](const Variables& variables, const char* name, const Arguments& arguments) {
    return run({.kernel = &kernel(name), .arguments = &arguments, .globals = variables.addresses()});
  };
  const Arguments arguments = std::move(Arguments().pointer(out.data()));
  one.at<unsigned char>("test_global_bytes")[1] = 77;
  ASSERT_FALSE(launch_with(one, "test_globals", arguments));
  EXPECT_EQ(
      std::vector<std::uint64_t>(out.span().begin(), out.span().end()),
      (std::vector<std::uint64_t>{7, 13, ~std::uint64_t{3}, std::bit_cast<std::uint32_t>(2.5F), 77, 200}));
  EXPECT_EQ(one.at<std::uint64_t>("test_global_record")[3], 113U);
  EXPECT_EQ(one.at<std::int16_t>("test_global_table")[7], 44);
  EXPECT_EQ(one.at<unsigned char>("test_global_bytes")[2], 9);
  EXPECT_EQ(other.at<std::uint64_t>("test_global_record")[3], 13U) << "the image has no state of its own";
  ASSERT_FALSE(launch_with(other, "test_globals", arguments));
  EXPECT_EQ(out.span()[1], 13U);
  EXPECT_EQ(out.span()[4], 0U);
  for (const std::uint32_t which : {0U, 1U}) {
    const Arguments chosen = std::move(Arguments().pointer(out.data()).value(which));
    ASSERT_FALSE(launch_with(one, "test_globals_chosen", chosen));
  }
  EXPECT_EQ(one.at<std::uint64_t>("test_global_record")[1], 12U);
  EXPECT_EQ(out.span()[0], 8U);
}

TEST_P(Recipe, GlobalVariablesInKernelsWhoseItemsWait) {
  const Variables variables(image_);
  GuardedArray<std::uint64_t> out(96);
  const Arguments plain = std::move(Arguments().pointer(out.data()));
  ASSERT_FALSE(run({.kernel = &kernel("test_globals_barrier"),
                    .arguments = &plain,
                    .groups = {3, 1, 1},
                    .group_size = {32, 1, 1},
                    .globals = variables.addresses()}));
  for (std::size_t i = 0; i < 96; ++i) EXPECT_EQ(out.span()[i], 11 + 12 + (i + 1) % 32) << i;
  const Arguments steps = std::move(Arguments().pointer(out.data()).local(32 * 8));
  ASSERT_FALSE(run({.kernel = &kernel("test_globals_in_steps"),
                    .arguments = &steps,
                    .groups = {3, 1, 1},
                    .group_size = {32, 1, 1},
                    .globals = variables.addresses()}));
  for (std::size_t g = 0; g < 3; ++g) EXPECT_EQ(out.span()[g], 32 * 12 + 496) << g;
}

TEST_P(Recipe, PointersToDeclaredLocalMemory) {
  for (const std::uint32_t which : {0U, 1U}) {
    std::vector<std::uint32_t> out(24);
    EXPECT_FALSE(launch("test_static_pointers", Arguments().pointer(out.data()).value(which), {3, 1, 1},
                        {8, 1, 1}, 2));
    // Element [1][2] or other[0], element other[2] or [1][0], and [1][3] is the seventh behind [0][0].
    const std::uint32_t expected = which != 0 ? 6 + 102000 + 7000000 : 100 + 4000 + 7000000;
    EXPECT_TRUE(std::all_of(out.begin(), out.end(), [&](std::uint32_t word) { return word == expected; }));
  }
}

// LLVM 15 keeps values in AVX-512 registers across the call that finds a thread-local variable, which spoils them.
TEST_P(Recipe, ImagesHaveNoThreadLocalVariables) {
  struct Search {
    const void* image;
    bool found;
    bool thread_local_segment;
  };
  Search search = {&image_, false, false};
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* context) {
        auto* const wanted = static_cast<Search*>(context);
        const auto address = reinterpret_cast<std::uint64_t>(wanted->image);
        bool holds_image = false;
        bool holds_thread_locals = false;
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const auto& segment = info->dlpi_phdr[i];
          const std::uint64_t start = info->dlpi_addr + segment.p_vaddr;
          holds_image |= segment.p_type == PT_LOAD && address >= start && address < start + segment.p_memsz;
          holds_thread_locals |= segment.p_type == PT_TLS;
        }
        if (!holds_image) return 0;
        wanted->found = true;
        wanted->thread_local_segment = holds_thread_locals;
        return 1;
      },
      &search);
  ASSERT_TRUE(search.found);
  EXPECT_FALSE(search.thread_local_segment);
}

// What eleven slots hold after `items` items have run the list of atomics.cl on them.
template <typename T>
std::array<T, 11> expected_slots(std::uint32_t items) {
  std::array<T, 11> slots = {};
  for (std::uint32_t item = 0; item < items; ++item) {
    const T bit = std::bit_cast<T>(std::uint32_t{1} << (item % 32));
    const T shifted = static_cast<T>(static_cast<T>(item) - T{7});
    slots[0] = static_cast<T>(slots[0] + static_cast<T>(item));
    slots[1] = static_cast<T>(slots[1] - static_cast<T>(item));
    slots[2] = static_cast<T>(slots[2] + 1);
    slots[3] = static_cast<T>(slots[3] - 1);
    slots[4] = std::min(slots[4], shifted);
    slots[5] = std::max(slots[5], shifted);
    slots[6] = slots[6] & ~bit;
    slots[7] = slots[7] | bit;
    slots[8] = slots[8] ^ bit;
  }
  slots[9] = 1;
  slots[10] = 77;
  return slots;
}

TEST_P(Recipe, AtomicsCountAcrossThreads) {
  static constexpr std::uint32_t kItems = 6405;
  std::array<std::int32_t, 11> signed_slots = {};
  std::array<std::uint32_t, 11> unsigned_slots = {};
  EXPECT_FALSE(launch("test_atomics", Arguments().pointer(signed_slots.data()).pointer(unsigned_slots.data()),
                      {kItems / 35, 1, 1}, {35, 1, 1}, 6));
  EXPECT_EQ(signed_slots, expected_slots<std::int32_t>(kItems));
  EXPECT_EQ(unsigned_slots, expected_slots<std::uint32_t>(kItems));
}

TEST_P(Recipe, AtomicsOnLocalMemory) {
  std::array<std::int32_t, 11> signed_slots = {};
  std::array<std::uint32_t, 11> unsigned_slots = {};
  EXPECT_FALSE(launch("test_local_atomics",
                      Arguments().pointer(signed_slots.data()).pointer(unsigned_slots.data()), {1, 1, 1},
                      {77, 1, 1}));
  EXPECT_EQ(signed_slots, expected_slots<std::int32_t>(77));
  EXPECT_EQ(unsigned_slots, expected_slots<std::uint32_t>(77));
}

// A worker that changes between images meets scratch of the other's making.
TEST_P(Recipe, ImagesTakeTurnsOnOneWorker) {
  const xhal_native_kernel& reduce =
      find_kernel(load_image(XHAL_KERNEL_DIR, "xhal", GetParam()), "xhal_reduce_u32");
  Worker worker;
  for (std::uint32_t round = 0; round < 6; ++round) {
    std::vector<std::uint32_t> values(64);
    const Arguments mirror = std::move(Arguments().pointer(values.data()).value(1U).local(256));
    std::atomic<std::uint64_t> next = 0;
    EXPECT_FALSE(worker.run(
        {.kernel = &kernel("test_mirror"), .arguments = &mirror, .group_size = {64, 1, 1}}, &next));
    std::uint32_t sum = 0;
    const Arguments arguments =
        std::move(Arguments().pointer(&sum).pointer(values.data()).value(std::uint64_t{64}).local(256));
    next = 0;
    EXPECT_FALSE(worker.run({.kernel = &reduce, .arguments = &arguments, .group_size = {64, 1, 1}}, &next));
    EXPECT_EQ(sum, 64U);
  }
}

std::string level_name(const testing::TestParamInfo<std::string>& target) {
  return target.param.substr(std::string("x86-64-").size());
}
INSTANTIATE_TEST_SUITE_P(Targets, Recipe, testing::ValuesIn(runnable_targets()), level_name);

}  // namespace
