// SPDX-License-Identifier: Apache-2.0
#include "tables.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <memory>

#include "guarded.hpp"

namespace xhal::host {
namespace {

TEST(Tables, TheSmallestTableEndsBehindTheLastCoreCallOfRevisionZero) {
  EXPECT_EQ(smallest_functions_size(), offsetof(xhal_functions_t, memory_copy_region));
}

TEST(Tables, CompletingFillsNullSlotsAndKeepsTheOthers) {
  xhal_functions_t functions{};
  const auto own = [](xhal_stream_t) -> xhal_result_t { return XHAL_NOT_READY; };
  functions.stream_query = own;
  complete(functions);
  EXPECT_EQ(functions.struct_size, sizeof(functions));
  EXPECT_EQ(functions.stream_query(nullptr), XHAL_NOT_READY);
#define XHAL_ENTRY(feature, since, name, ...) EXPECT_NE(functions.name, nullptr) << #name;
#include "xhal/entry_points.def"
  EXPECT_EQ(functions.graph_destroy(nullptr), XHAL_ERROR_UNSUPPORTED);
}

TEST(Tables, ALiveTableHasItsOwnTypesCallsAndNoOthers) {
  xhal_functions_t functions{};
  complete(functions);
  const auto block = std::make_unique<TableBlock>();
  set_live(*block, functions);
  for (uint32_t type = 1; type < kTypeCount; ++type) {
    const xhal_functions_t& slots = block->tables[type].table.functions;
    EXPECT_EQ(slots.struct_size, sizeof(xhal_functions_t));
#define XHAL_ENTRY(feature, since, name, ...)                                        \
  EXPECT_EQ(slots.name == functions.name, info_of(kEntry_##name).first_type == type) \
      << #name << " " << type_name(type);
#include "xhal/entry_points.def"
  }
}

TEST(Tables, ABlockThatWasNeverLiveRefuses) {
  const auto block = std::make_unique<TableBlock>();
  for (uint32_t type = 1; type < kTypeCount; ++type) {
    EXPECT_EQ(block->tables[type].table.state, XHAL_TABLE_DEAD);
    EXPECT_NE(block->tables[type].table.functions.stream_query, nullptr);
  }
}

TEST(Tables, TheDeadTableRefusesEverything) {
  const xhal_table_t& dead = *dead_table();
  EXPECT_EQ(dead.state, XHAL_TABLE_DEAD);
  EXPECT_EQ(dead.type, 0u);
  for (const xhal_table_t* sibling : host_table(&dead)->siblings) EXPECT_EQ(sibling, nullptr);
  EXPECT_EQ(dead.functions.stream_query(nullptr), XHAL_ERROR_INVALID_HANDLE);
}

TEST(Tables, EntriesHaveTheNamesFeaturesAndTypesOfTheList) {
  EXPECT_STREQ(info_of(kEntry_kernel_launch).name, "xhal_kernel_launch");
  EXPECT_STREQ(info_of(kEntry_kernel_launch).feature_name, "kernel");
  EXPECT_EQ(info_of(kEntry_kernel_launch).first_type, static_cast<uint32_t>(XHAL_TYPE_stream));
  EXPECT_STREQ(info_of(kEntry_instance_destroy).name, "xhal_instance_destroy");
  EXPECT_EQ(info_of(kEntry_instance_destroy).first_type, static_cast<uint32_t>(XHAL_TYPE_instance));
  EXPECT_EQ(info_of(kEntry_get_version).first_type, 0u);
}

TEST(Guarded, SeesAWriteBehindTheValue) {
  Guarded<xhal_driver_interface_t> guarded;
  EXPECT_TRUE(guarded.intact());
  std::memset(reinterpret_cast<unsigned char*>(&guarded) + sizeof(guarded.value), 0, 1);
  EXPECT_FALSE(guarded.intact());
}

}  // namespace
}  // namespace xhal::host
