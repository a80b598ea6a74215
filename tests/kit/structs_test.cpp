// SPDX-License-Identifier: Apache-2.0
#include "xhal/kit/structs.hpp"

#include <gtest/gtest.h>

#include <cstddef>

#include "../clause.hpp"
#include "fake_host.hpp"

namespace xhal::kit {

// A struct that grew: its first revision ended before `later`.
struct Grown {
  uint32_t struct_size;
  uint32_t flags;
  uint64_t size;
  uint64_t later;
};
template <>
inline constexpr uint32_t kFirstSize<Grown> = offsetof(Grown, later);

namespace {

using kit_test::Guarded;

struct Larger {
  Grown known;
  uint8_t tail[16];
};

TEST(Structs, InStructOfOwnSize) {
  const Grown in = {sizeof(Grown), 1, 2, 3};
  Grown out = {};
  ASSERT_EQ(read_struct(&in, out), XHAL_SUCCESS);
  EXPECT_EQ(out.later, 3U);
}

TEST(Structs, SmallerInStructReadsAsZero) {
  XHAL_CLAUSE("XHAL-ABI-6");
  const Grown in = {kFirstSize<Grown>, 1, 2, 0xDEAD};  // `later` is behind what the caller has
  Grown out = {9, 9, 9, 9};
  ASSERT_EQ(read_struct(&in, out), XHAL_SUCCESS);
  EXPECT_EQ(out.flags, 1U);
  EXPECT_EQ(out.size, 2U);
  EXPECT_EQ(out.later, 0U);
}

TEST(Structs, LargerInStructWithZeroTailIsAccepted) {
  XHAL_CLAUSE("XHAL-ABI-7");
  const Larger in = {{sizeof(Larger), 1, 2, 3}, {}};
  Grown out = {};
  ASSERT_EQ(read_struct(&in.known, out), XHAL_SUCCESS);
  EXPECT_EQ(out.later, 3U);
}

TEST(Structs, LargerInStructWithAnyByteSetIsRefused) {
  XHAL_CLAUSE("XHAL-ABI-7");
  for (uint32_t i = 0; i < sizeof(Larger::tail); ++i) {
    Larger in = {{sizeof(Larger), 1, 2, 3}, {}};
    in.tail[i] = 1;
    Grown out = {9, 9, 9, 9};
    EXPECT_EQ(read_struct(&in.known, out), XHAL_ERROR_UNKNOWN_FIELD) << i;
    EXPECT_EQ(out.size, 9U) << "a refused struct changes nothing";
    in.known.struct_size =
        static_cast<uint32_t>(offsetof(Larger, tail)) + i;  // now the byte is not the caller's
    EXPECT_EQ(read_struct(&in.known, out), XHAL_SUCCESS) << i;
  }
}

TEST(Structs, TooSmallOrNullIsRefused) {
  XHAL_CLAUSE("XHAL-ABI-8");
  for (const uint32_t size : {0U, 4U, kFirstSize<Grown> - 1}) {
    Grown in = {size, 1, 2, 3};
    Grown out = {9, 9, 9, 9};
    EXPECT_EQ(read_struct(&in, out), XHAL_ERROR_INVALID_ARGUMENT) << size;
    EXPECT_EQ(check_out_struct(&in), XHAL_ERROR_INVALID_ARGUMENT) << size;
    EXPECT_EQ(out.flags, 9U);
  }
  Grown out = {};
  EXPECT_EQ(read_struct<Grown>(nullptr, out), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(check_out_struct<Grown>(nullptr), XHAL_ERROR_INVALID_ARGUMENT);
}

TEST(Structs, OptionalNullReadsAsZero) {
  Grown out = {9, 9, 9, 9};
  ASSERT_EQ(read_optional_struct<Grown>(nullptr, out), XHAL_SUCCESS);
  EXPECT_EQ(out.flags, 0U);
  EXPECT_EQ(out.later, 0U);
  const Grown small = {0, 0, 0, 0};
  EXPECT_EQ(read_optional_struct(&small, out), XHAL_ERROR_INVALID_ARGUMENT);
}

TEST(Structs, OutStructGetsExactlyItsSize) {
  XHAL_CLAUSE("XHAL-ABI-9");
  const Grown value = {sizeof(Grown), 0x11111111, 0x2222222222222222, 0x3333333333333333};
  for (uint32_t size = kFirstSize<Grown>; size <= sizeof(Grown) + 40; ++size) {
    Guarded<Grown> out(size);
    std::memset(out.get(), 0xFF, size);
    std::memcpy(out.get(), &size, sizeof(size));
    ASSERT_EQ(check_out_struct(out.get()), XHAL_SUCCESS);
    write_struct(value, out.get());
    EXPECT_EQ(out->struct_size, size) << "the caller's size stays";
    EXPECT_EQ(out->flags, value.flags);
    EXPECT_TRUE(out.untouched()) << size;
    const auto* bytes = reinterpret_cast<const unsigned char*>(out.get());
    for (uint32_t i = sizeof(Grown); i < size; ++i)
      EXPECT_EQ(bytes[i], 0) << "what the callee does not know is zeroed";
  }
}

}  // namespace
}  // namespace xhal::kit
