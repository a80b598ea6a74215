// SPDX-License-Identifier: Apache-2.0
// Every entry of the list against every kind of handle, on tables made by hand: all thirteen handle types are there at once.
#include "call_path.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "clause.hpp"
#include "tables.hpp"
#include "thread_error.hpp"

namespace xhal::host {
namespace {

template <class T>
inline constexpr uint32_t kTypeOf = 0;
#define TYPE_OF(name, tag) \
  template <>              \
  [[maybe_unused]] inline constexpr uint32_t kTypeOf<xhal_##name##_t> = tag;
XHAL_HANDLE_LIST(TYPE_OF)
#undef TYPE_OF

// One driver of one instance, with one handle of each type.
struct World {
  TableBlock block;
  xhal_handle_header_t headers[kTypeCount] = {};

  World() {
    xhal_functions_t functions;
    fill_refusing(functions);
    set_live(block, functions);
    for (uint32_t type = 1; type < kTypeCount; ++type) {
      headers[type].type = type;
      headers[type].table = &block.tables[type].table;
    }
  }
};

std::string last_entry() {
  xhal_error_t error{};
  error.struct_size = sizeof(error);
  xhal_error_get_last(&error);
  return error.entry;
}

// One entry of the list, callable with any handles and zero for everything else. Not a template for the tests' sake: they are compiled once,
// not once for each of the entries.
struct ListedEntry {
  const char* name;
  std::vector<uint32_t> types;  // of its handles
  xhal_result_t (*call)(void* const* handles);
};

template <auto Entry>
struct Caller;

template <class... Parameters, xhal_result_t (*Entry)(Parameters...)>
struct Caller<Entry> {
  template <class T>
  static T argument(void* const*& handles) {
    if constexpr (kTypeOf<T> != 0) {
      return static_cast<T>(*handles++);
    } else {
      return T{};
    }
  }
  static xhal_result_t call(void* const* handles) {
    // Braces, because only they fix the order of evaluation.
    const std::tuple<Parameters...> arguments{argument<Parameters>(handles)...};
    return std::apply(Entry, arguments);
  }
  static std::vector<uint32_t> types() {
    std::vector<uint32_t> all{kTypeOf<Parameters>...};
    std::erase(all, 0u);
    return all;
  }
};

const std::vector<ListedEntry>& listed_entries() {
  static const std::vector<ListedEntry> entries = {
#define XHAL_ENTRY(feature, since, name, ...) \
  {"xhal_" #name, Caller<&xhal_##name>::types(), &Caller<&xhal_##name>::call},
#include "xhal/entry_points.def"
  };
  return entries;
}

using HandleMaker = std::function<void*(uint32_t position, uint32_t type)>;

xhal_result_t call_entry(const ListedEntry& entry, const HandleMaker& handle) {
  std::vector<void*> handles;
  for (const uint32_t type : entry.types)
    handles.push_back(handle(static_cast<uint32_t>(handles.size()), type));
  return entry.call(handles.data());
}

uint32_t handle_count(const ListedEntry& entry) { return static_cast<uint32_t>(entry.types.size()); }

class CallPathTest : public ::testing::Test {
 protected:
  const std::unique_ptr<World> world_ = std::make_unique<World>();
  const std::unique_ptr<World> other_ = std::make_unique<World>();

  template <class Body>
  void for_each_entry(Body body) {
    EXPECT_EQ(listed_entries().size(), size_t{kSlotCount});
    for (const ListedEntry& entry : listed_entries()) {
      SCOPED_TRACE(entry.name);
      body(entry, entry.name);
    }
  }
};

TEST_F(CallPathTest, ValidHandlesReachTheTable) {
  XHAL_CLAUSE("XHAL-ABI-12");
  for_each_entry([&](const ListedEntry& entry, const char* name) {
    xhal_error_clear();
    EXPECT_EQ(call_entry(entry, [&](uint32_t, uint32_t type) -> void* { return &world_->headers[type]; }),
              XHAL_ERROR_UNSUPPORTED);
    EXPECT_EQ(last_entry(), name);
  });
}

TEST_F(CallPathTest, EachNullHandleIsRefused) {
  XHAL_CLAUSE("XHAL-ABI-1");
  for_each_entry([&](const ListedEntry& entry, const char* name) {
    for (uint32_t null = 0; null < handle_count(entry); ++null) {
      xhal_error_clear();
      const auto handle = [&](uint32_t position, uint32_t type) -> void* {
        return position == null ? nullptr : &world_->headers[type];
      };
      EXPECT_EQ(call_entry(entry, handle), XHAL_ERROR_INVALID_HANDLE);
      EXPECT_EQ(last_entry(), name);
    }
    EXPECT_EQ(call_entry(entry, [](uint32_t, uint32_t) -> void* { return nullptr; }),
              XHAL_ERROR_INVALID_HANDLE);
  });
}

TEST_F(CallPathTest, EachHandleOfEachOtherTypeIsRefused) {
  XHAL_CLAUSE("XHAL-ABI-2");
  for_each_entry([&](const ListedEntry& entry, const char* name) {
    for (uint32_t wrong = 0; wrong < handle_count(entry); ++wrong) {
      for (uint32_t given = 1; given < kTypeCount; ++given) {
        bool is_right = false;
        const auto handle = [&](uint32_t position, uint32_t type) -> void* {
          if (position != wrong) return &world_->headers[type];
          is_right = given == type;
          return &world_->headers[given];
        };
        const xhal_result_t result = call_entry(entry, handle);
        EXPECT_EQ(result, is_right ? XHAL_ERROR_UNSUPPORTED : XHAL_ERROR_INVALID_HANDLE) << type_name(given);
        EXPECT_EQ(last_entry(), name);
      }
    }
    // Both wrong in the same way: their tables are siblings at the right distance, the first one's slot still refuses.
    for (uint32_t shift = 1; shift < kTypeCount; ++shift) {
      const auto handle = [&](uint32_t, uint32_t type) -> void* {
        return &world_->headers[1 + (type - 1 + shift) % (kTypeCount - 1)];
      };
      const xhal_result_t result = call_entry(entry, handle);
      EXPECT_TRUE(result == XHAL_ERROR_INVALID_HANDLE || shift == kTypeCount - 1)
          << result << " shift " << shift;
    }
  });
}

TEST_F(CallPathTest, EachDestroyedHandleIsRefused) {
  XHAL_CLAUSE("XHAL-ABI-4");
  for_each_entry([&](const ListedEntry& entry, const char* name) {
    for (uint32_t dead = 0; dead <= handle_count(entry); ++dead) {  // the last round: all of them
      const auto handle = [&](uint32_t position, uint32_t type) -> void* {
        xhal_handle_header_t* header = &world_->headers[type];
        if (position != dead && dead != handle_count(entry)) return header;
        header = &other_->headers[type];
        header->table = dead_table();
        return header;
      };
      EXPECT_EQ(call_entry(entry, handle), XHAL_ERROR_INVALID_HANDLE);
      EXPECT_EQ(last_entry(), name);
    }
  });
}

TEST_F(CallPathTest, HandlesOfTwoWorldsAreForeign) {
  XHAL_CLAUSE("XHAL-ABI-3");
  int pairs = 0;
  for_each_entry([&](const ListedEntry& entry, const char* name) {
    if (handle_count(entry) < 2) return;
    ++pairs;
    for (uint32_t from_other = 0; from_other < 2; ++from_other) {
      const auto handle = [&](uint32_t position, uint32_t type) -> void* {
        return position == from_other ? &other_->headers[type] : &world_->headers[type];
      };
      EXPECT_EQ(call_entry(entry, handle), XHAL_ERROR_FOREIGN_HANDLE);
      EXPECT_EQ(last_entry(), name);
    }
  });
  EXPECT_GE(pairs, 10);
}

TEST_F(CallPathTest, AfterTheEndOfTheInstanceAndInAForkedChildNothingPasses) {
  XHAL_CLAUSE("XHAL-ABI-22");
  XHAL_CLAUSE("XHAL-ABI-23");
  const auto handle = [&](uint32_t, uint32_t type) -> void* { return &world_->headers[type]; };
  set_refusing(world_->block, Refusal::kForked);
  for_each_entry([&](const ListedEntry& entry, const char* name) {
    EXPECT_EQ(call_entry(entry, handle), XHAL_ERROR_FORKED);
    EXPECT_EQ(last_entry(), name);
    for (uint32_t forked = 0; forked < handle_count(entry); ++forked) {
      const auto mixed = [&](uint32_t position, uint32_t type) -> void* {
        return position == forked ? &world_->headers[type] : nullptr;
      };
      EXPECT_EQ(call_entry(entry, mixed), XHAL_ERROR_FORKED) << "wins over a null handle";
      const auto foreign = [&](uint32_t position, uint32_t type) -> void* {
        return position == forked ? &world_->headers[type] : &other_->headers[type];
      };
      EXPECT_EQ(call_entry(entry, foreign), XHAL_ERROR_FORKED) << "wins over a foreign one";
    }
  });
  set_refusing(world_->block, Refusal::kDead);
  for_each_entry([&](const ListedEntry& entry, const char*) {
    EXPECT_EQ(call_entry(entry, handle), XHAL_ERROR_INVALID_HANDLE);
  });
}

void* page_at(uintptr_t address) {
  return mmap(reinterpret_cast<void*>(address), 4096,
              PROT_READ | PROT_WRITE,  // NOLINT(performance-no-int-to-ptr)
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}
// Low enough for every sanitizer's idea of where a program's memory lies.
constexpr uintptr_t kOne = uintptr_t{1} << 30;
constexpr uintptr_t kTwo = uintptr_t{1} << 29;

// The quick check takes two addresses that share no bit for a null one; the exact check must let the call pass.
TEST_F(CallPathTest, AddressesThatShareNoBitPass) {
  void* one = page_at(kOne);
  void* two = page_at(kTwo);
  if (one == MAP_FAILED || two == MAP_FAILED) GTEST_SKIP() << "the addresses are taken";
  ASSERT_EQ(reinterpret_cast<uintptr_t>(one) & reinterpret_cast<uintptr_t>(two), 0u);
  for_each_entry([&](const ListedEntry& entry, const char*) {
    const auto handle = [&](uint32_t position, uint32_t type) -> void* {
      auto* header = static_cast<xhal_handle_header_t*>(position == 0 ? one : two);
      *header = world_->headers[type];
      return header;
    };
    EXPECT_EQ(call_entry(entry, handle), XHAL_ERROR_UNSUPPORTED);
  });
  munmap(one, 4096);
  munmap(two, 4096);
}

// What a driver gives out, by whichever way the call took: stamped, and nowhere where it gave none.
class GivenHandleTest : public CallPathTest {
 protected:
  static inline xhal_handle_header_t given;
  static inline bool gives;

  void SetUp() override {
    given = {};
    gives = true;
    xhal_functions_t functions;
    fill_refusing(functions);
    functions.device_get_default_stream = [](xhal_device_t, xhal_stream_t* out) -> xhal_result_t {
      if (out == nullptr) return XHAL_ERROR_INVALID_ARGUMENT;
      if (gives) *out = reinterpret_cast<xhal_stream_t>(&given);
      return XHAL_SUCCESS;
    };
    set_live(world_->block, functions);
  }
  void expect_given(xhal_handle_header_t* device, xhal_stream_t* out) {
    given.table = nullptr;
    *out = nullptr;
    ASSERT_EQ(xhal_device_get_default_stream(reinterpret_cast<xhal_device_t>(device), out), XHAL_SUCCESS);
    EXPECT_EQ(*out, reinterpret_cast<xhal_stream_t>(&given));
    EXPECT_EQ(given.table, &world_->block.tables[XHAL_TYPE_stream].table);
  }
};

TEST_F(GivenHandleTest, IsStamped) {
  xhal_stream_t out = nullptr;
  expect_given(&world_->headers[XHAL_TYPE_device], &out);
}

TEST_F(GivenHandleTest, IsStampedWhereAddressesShareNoBit) {
  void* one = page_at(kOne);
  void* two = page_at(kTwo);
  if (one == MAP_FAILED || two == MAP_FAILED) GTEST_SKIP() << "the addresses are taken";
  auto* device = static_cast<xhal_handle_header_t*>(one);
  *device = world_->headers[XHAL_TYPE_device];
  expect_given(device, static_cast<xhal_stream_t*>(two));
  munmap(one, 4096);
  munmap(two, 4096);
}

TEST_F(GivenHandleTest, ANullPlaceIsTheDriversToRefuse) {
  auto* device = reinterpret_cast<xhal_device_t>(&world_->headers[XHAL_TYPE_device]);
  EXPECT_EQ(xhal_device_get_default_stream(device, nullptr), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(xhal_device_get_default_stream(nullptr, nullptr), XHAL_ERROR_INVALID_HANDLE);
}

TEST_F(GivenHandleTest, ADriverThatGivesNoneLeavesNone) {
  gives = false;
  auto* device = reinterpret_cast<xhal_device_t>(&world_->headers[XHAL_TYPE_device]);
  auto out = reinterpret_cast<xhal_stream_t>(&given);
  EXPECT_EQ(xhal_device_get_default_stream(device, &out), XHAL_SUCCESS);
  EXPECT_EQ(out, nullptr);
}

// A report on the way to success is nobody's error, also where another thread has ended with one of its own.
TEST_F(GivenHandleTest, AReportOnTheWayToSuccessIsForgotten) {
  const xhal_error_report_t report = {sizeof(report), XHAL_ERROR_UNSUPPORTED, 0, "driver", "tried in vain"};
  std::thread([&] { report_error(&report); }).join();
  report_error(&report);
  xhal_stream_t out = nullptr;
  expect_given(&world_->headers[XHAL_TYPE_device], &out);
  EXPECT_EQ(take_report(XHAL_ERROR_UNSUPPORTED).text, "");
}

TEST_F(CallPathTest, UnknownStatesAndTypesHaveAnAnswer) {
  EXPECT_STREQ(type_name(0), "unknown");
  EXPECT_STREQ(type_name(99), "unknown");
  EXPECT_EQ(check_handle(&world_->headers[XHAL_TYPE_event], XHAL_TYPE_event), XHAL_SUCCESS);
}

}  // namespace
}  // namespace xhal::host
