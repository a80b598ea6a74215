// SPDX-License-Identifier: Apache-2.0
#include "stable_pool.hpp"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "clause.hpp"

namespace xhal::host {
namespace {

struct Object {
  int value = 0;
  Object* next_free = nullptr;
};

TEST(StablePool, AnObjectComesBackOnlyBehindAThousandAndTwentyFourOthersAndInTheOrderOfTheirFrees) {
  XHAL_CLAUSE("XHAL-ABI-22");
  StablePool<Object> pool;
  std::vector<Object*> freed;
  std::set<Object*> distinct;
  for (size_t i = 0; i <= StablePool<Object>::kMinimumQueue; ++i) {
    Object* object = pool.take();
    ASSERT_NE(object, nullptr);
    EXPECT_TRUE(distinct.insert(object).second) << "used again after " << i << " frees";
    EXPECT_EQ(object->value, 0);
    object->value = static_cast<int>(i);
    pool.give_back(object);
    freed.push_back(object);
  }
  for (size_t i = 0; i < 10; ++i) {
    Object* object = pool.take();
    EXPECT_EQ(object, freed[i]);
    EXPECT_EQ(object->value, static_cast<int>(i)) << "contents are left as they were";
    EXPECT_EQ(object->next_free, nullptr);
    pool.give_back(object);
  }
  // All objects, for the leak checker.
  for (Object* object : distinct) delete object;
}

}  // namespace
}  // namespace xhal::host
