// SPDX-License-Identifier: Apache-2.0
// Calls fail when and as the fault layer is told, and nothing of them reaches the driver.
#include <cstring>
#include <map>
#include <thread>
#include <type_traits>

#include "../../hal/layers/fault/codes.hpp"
#include "clay.hpp"

namespace xhal::layers_test {
namespace {

Instance make(const std::vector<std::pair<std::string, std::string>>& options) {
  std::vector<LayerOption> list;
  for (const auto& [key, value] : options) list.push_back({"fault", key, value});
  return {"fault", list};
}

// ---- Every entry ---------------------------------------------------------------------------------------------------------------------------

// A handle of each type, and scratch memory for everything else.
class Palette {
 public:
  explicit Palette(Instance& t) {
    xhal_stream_t stream = t.stream();
    xhal_graph_t graph = nullptr;
    xhal_graph_exec_t exec = nullptr;
    xhal_physical_t physical = nullptr;
    xhal_semaphore_t semaphore = nullptr;
    xhal_subscription_t subscription = nullptr;
    const xhal_external_semaphore_desc_t semaphore_desc = {};
    const xhal_activity_desc_t activity_desc = {};
    EXPECT_EQ(xhal_stream_end_capture(stream, &graph), XHAL_SUCCESS);
    EXPECT_EQ(xhal_graph_instantiate(graph, 0, &exec), XHAL_SUCCESS);
    EXPECT_EQ(xhal_physical_create(t.devices[0], 1, 0, &physical), XHAL_SUCCESS);
    EXPECT_EQ(xhal_semaphore_import(t.devices[0], &semaphore_desc, &semaphore), XHAL_SUCCESS);
    EXPECT_EQ(xhal_activity_subscribe(t.devices[0], &activity_desc, &subscription), XHAL_SUCCESS);
    xhal_module_t module = t.module();
    handles_ = {{XHAL_TYPE_driver, t.driver},     {XHAL_TYPE_device, t.devices[0]},
                {XHAL_TYPE_stream, stream},       {XHAL_TYPE_event, t.event()},
                {XHAL_TYPE_module, module},       {XHAL_TYPE_kernel, Instance::kernel(module)},
                {XHAL_TYPE_graph, graph},         {XHAL_TYPE_graph_exec, exec},
                {XHAL_TYPE_pool, t.pool()},       {XHAL_TYPE_physical, physical},
                {XHAL_TYPE_semaphore, semaphore}, {XHAL_TYPE_subscription, subscription}};
  }
  template <class T>
  T handle(uint32_t type) const {
    return static_cast<T>(handles_.at(type));
  }
  template <class T>
  T scratch() {
    if constexpr (std::is_pointer_v<T> && std::is_function_v<std::remove_pointer_t<T>>) {
      return nullptr;
    } else {
      return reinterpret_cast<T>(scratch_);
    }
  }
  // Whatever struct lies there is larger than what anybody knows, and may be written in this size.
  void reset() {
    std::fill(std::begin(scratch_), std::end(scratch_), kUntouched);
    std::memcpy(scratch_, &kStructSize, sizeof(kStructSize));
  }
  bool is_untouched() const {
    return std::memcmp(scratch_, &kStructSize, sizeof(kStructSize)) == 0 &&
           std::all_of(std::begin(scratch_) + sizeof(kStructSize), std::end(scratch_),
                       [](char byte) { return byte == kUntouched; });
  }

 private:
  static constexpr char kUntouched = 0x5a;
  static constexpr uint32_t kStructSize = 4096;
  std::map<uint32_t, void*> handles_;
  alignas(16) char scratch_[8192];
};

#define PALETTE_H(type, name) palette.handle<xhal_##type##_t>(XHAL_TYPE_##type)
#define PALETTE_V(ctype, name) \
  ctype {}
#define PALETTE_A(ctype, name) nullptr
#define PALETTE_IN(ctype, name) palette.scratch<ctype>()
#define PALETTE_INO(ctype, name) nullptr
#define PALETTE_OUT(ctype, name) palette.scratch<ctype>()
#define PALETTE_OUTO(ctype, name) palette.scratch<ctype>()
#define PALETTE_OUTH(type, name) palette.scratch<xhal_##type##_t*>()
#define PALETTE_OUTHA(type, name, capacity, count) palette.scratch<xhal_##type##_t*>()
#define PALETTE_(kind, ...) PALETTE_##kind(__VA_ARGS__)
#define PALETTE(tuple) PALETTE_ tuple

struct EntryCall {
  const char* name;
  xhal_result_t (*call)(Palette& palette);
};
const EntryCall kCalls[] = {
#define XHAL_ENTRY(feature, since, name, ...) \
  {#name, [](Palette& palette) -> xhal_result_t { return xhal_##name(XHAL_PP_LIST(PALETTE, __VA_ARGS__)); }},
#include "xhal/entry_points.def"
};

TEST(Fault, EveryEntryFailsWhenToldTo) {
  for (const EntryCall& entry : kCalls) {
    SCOPED_TRACE(entry.name);
    // Behind what the palette and the fixture need of the same entry.
    Instance t = make({{"rules", std::string(entry.name) + ":8-"}});
    ASSERT_EQ(t.result, XHAL_SUCCESS) << last_error().text;
    Palette palette(t);
    palette.reset();
    xhal_result_t result = XHAL_SUCCESS;
    // Destroys and their like would end the handle: not called before they fail.
    const std::string name = entry.name;
    const bool ends = name.ends_with("_destroy") || name.ends_with("_unsubscribe");
    if (ends) continue;
    const auto is_injected = [&] { return result < 0 && std::string(last_error().driver) == "fault"; };
    for (int i = 0; i < 16 && !is_injected(); ++i) {
      palette.reset();
      const uint64_t before = t.control->calls();
      result = entry.call(palette);
      if (is_injected()) {
        EXPECT_EQ(t.control->calls(), before) << "the driver saw it";
      }
    }
    EXPECT_LT(result, 0);
    EXPECT_TRUE(palette.is_untouched());
    EXPECT_EQ(last_error().code, result);
    EXPECT_STREQ(last_error().driver, "fault");
    EXPECT_EQ(last_error().entry, "xhal_" + name);
    EXPECT_NE(std::string(last_error().text).find("as the fault layer was told"), std::string::npos);
  }
}

TEST(Fault, EveryDestroyFailsWhenToldToAndTheObjectLives) {
  int destroys = 0;
  for (const EntryCall& entry : kCalls) {
    const std::string name = entry.name;
    if (!name.ends_with("_destroy") && !name.ends_with("_unsubscribe")) continue;
    SCOPED_TRACE(name);
    ++destroys;
    Instance t = make({{"entry", name}});
    ASSERT_EQ(t.result, XHAL_SUCCESS) << last_error().text;
    Palette palette(t);
    EXPECT_EQ(entry.call(palette), XHAL_ERROR_OUT_OF_HOST_MEMORY);
    EXPECT_EQ(entry.call(palette), XHAL_SUCCESS) << "it is alive";
    EXPECT_EQ(entry.call(palette), XHAL_ERROR_INVALID_HANDLE);
  }
  EXPECT_GE(destroys, 9);
}

// ---- Which calls -----------------------------------------------------------------------------------------------------------------------------

// "....x.." for calls of stream_query, a '.' for each that goes through.
std::string pattern(const std::vector<std::pair<std::string, std::string>>& options, int calls) {
  Instance t = make(options);
  EXPECT_EQ(t.result, XHAL_SUCCESS) << last_error().text;
  xhal_stream_t stream = t.stream();
  std::string text;
  for (int i = 0; i < calls; ++i) text += xhal_stream_query(stream) < 0 ? 'x' : '.';
  return text;
}

TEST(Fault, CallsAreCountedFromOne) {
  EXPECT_EQ(pattern({{"entry", "stream_query"}}, 4), "x...");
  EXPECT_EQ(pattern({{"entry", "stream_query"}, {"call", "3"}}, 6), "..x...");
  EXPECT_EQ(pattern({{"entry", "stream_query"}, {"call", "2"}, {"times", "3"}}, 6), ".xxx..");
  EXPECT_EQ(pattern({{"entry", "stream_query"}, {"call", "4"}, {"times", "all"}}, 6), "...xxx");
  EXPECT_EQ(pattern({{"rules", "stream_query:1+stream_query:3-4+stream_qu*:6-"}}, 8), "x.xx.xxx");
  EXPECT_EQ(pattern({{"entry", "stream_*"}, {"call", "3"}}, 4), ".x..") << "the create counts";
  EXPECT_EQ(pattern({{"entry", "event_query"}}, 4), "....");
}

TEST(Fault, CodesAreAsAskedFor) {
  Instance t = make({{"rules", "stream_query:1:DEVICE_LOST+stream_query:2:XHAL_ERROR_LAUNCH_FAILED"}});
  ASSERT_EQ(t.result, XHAL_SUCCESS) << last_error().text;
  xhal_stream_t stream = t.stream();
  EXPECT_EQ(xhal_stream_query(stream), XHAL_ERROR_DEVICE_LOST);
  EXPECT_EQ(xhal_stream_query(stream), XHAL_ERROR_LAUNCH_FAILED);
  EXPECT_EQ(xhal_stream_query(stream), XHAL_SUCCESS);
}

// An allocator answers a lack of device memory by freeing and trying again; what it is asked for tells which memory lacks. [XHAL-MEMORY-3]
TEST(Fault, AllocationsLackTheMemoryThatTheyAskFor) {
  Instance t = make({{"entry", "memory_allocate"}, {"times", "all"}});
  ASSERT_EQ(t.result, XHAL_SUCCESS) << last_error().text;
  void* memory = nullptr;
  const xhal_memory_desc_t device = Instance::memory_desc(64, XHAL_MEMORY_DEVICE);
  const xhal_memory_desc_t pinned = Instance::memory_desc(64, XHAL_MEMORY_PINNED);
  EXPECT_EQ(xhal_memory_allocate(t.devices[0], &device, &memory), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  EXPECT_EQ(xhal_memory_allocate(t.devices[0], &pinned, &memory), XHAL_ERROR_OUT_OF_HOST_MEMORY);
}

TEST(Fault, ChanceIsDrawnBySeed) {
  const std::string first = pattern({{"entry", "stream_query"}, {"chance", "4"}, {"seed", "1"}}, 400);
  EXPECT_EQ(pattern({{"entry", "stream_query"}, {"chance", "4"}, {"seed", "1"}}, 400), first);
  EXPECT_NE(pattern({{"entry", "stream_query"}, {"chance", "4"}, {"seed", "2"}}, 400), first);
  const auto failed = std::count(first.begin(), first.end(), 'x');
  EXPECT_GT(failed, 50);
  EXPECT_LT(failed, 150);
  EXPECT_EQ(pattern({{"entry", "event_*"}, {"chance", "1"}}, 5), ".....");
}

TEST(Fault, ASweepFailsEachCallOnceAndThreadByThread) {
  Instance t = make({{"sweep", "1"}});
  ASSERT_EQ(t.result, XHAL_SUCCESS) << last_error().text;
  xhal_stream_t stream = nullptr;
  EXPECT_LT(xhal_stream_create(t.devices[0], nullptr, &stream), 0);
  EXPECT_EQ(stream, nullptr);
  EXPECT_EQ(xhal_stream_create(t.devices[0], nullptr, &stream), XHAL_SUCCESS);
  EXPECT_LT(xhal_stream_query(stream), 0);
  std::thread([&] { EXPECT_LT(xhal_stream_query(stream), 0) << "another thread's first attempt"; }).join();
  EXPECT_EQ(xhal_stream_query(stream), XHAL_SUCCESS);
  EXPECT_LT(xhal_stream_query(stream), 0) << "the next call";
}

// ---- Cost, table, options ------------------------------------------------------------------------------------------------------------------------

TEST(Fault, OtherEntriesGoStraightToTheDriver) {
  Instance t = make({{"entry", "stream_query"}});
  ASSERT_EQ(t.result, XHAL_SUCCESS) << last_error().text;
  const xhal_table_t& table = *reinterpret_cast<const xhal_handle_header_t*>(t.stream())->table;
  EXPECT_NE(table.functions.stream_query, table.driver->stream_query);
  EXPECT_EQ(table.functions.stream_synchronize, table.driver->stream_synchronize);
  EXPECT_EQ(table.functions.stream_destroy, table.driver->stream_destroy);
}

TEST(Fault, TheTableCountsAllInstances) {
  const Folder folder;
  for (int i = 0; i < 2; ++i) {
    Instance t = make({{"table", folder / "table-%p"}, {"entry", "stream_query"}});
    ASSERT_EQ(t.result, XHAL_SUCCESS) << last_error().text;
    xhal_stream_t stream = t.stream();
    for (int call = 0; call < 5; ++call) xhal_stream_query(stream);
    t.destroy();
    EXPECT_EQ(t.logged("2 fault: 1 of ").size(), 1U);
  }
  std::istringstream table(read_text(folder / ("table-" + std::to_string(getpid()))));
  size_t lines = 0;
  for (std::string line; std::getline(table, line); ++lines) {
    std::istringstream words(line);
    std::string name;
    std::string calls;
    std::string failed;
    words >> name >> calls >> failed;
    if (name == "xhal_stream_query") {
      EXPECT_EQ(calls + " " + failed, "10 2");
    } else if (name == "xhal_stream_create") {
      EXPECT_EQ(calls + " " + failed, "2 0");
    }
  }
  EXPECT_EQ(lines, std::size(kCalls) + 1);
}

TEST(Fault, WrongOptionsAreRefused) {
  using Options = std::vector<std::pair<std::string, std::string>>;
  const std::pair<Options, const char*> wrong[] = {
      {{{"no_such_option", "1"}}, "no_such_option"},
      {{{"entry", "stream_qury"}}, "no entry is called 'stream_qury'"},
      {{{"entry", "xhal_stream_query"}}, "names without xhal_"},
      {{{"entry", ""}}, "a name is missing"},
      {{{"entry", "stream_query"}, {"call", "0"}}, "less than 1"},
      {{{"entry", "stream_query"}, {"call", "two"}}, "not a number"},
      {{{"entry", "stream_query"}, {"code", "NO_SUCH_CODE"}}, "no error has this name"},
      {{{"entry", "stream_query"}, {"code", "VERSION_MISMATCH"}},
       "xhal_stream_query never returns XHAL_ERROR_VERSION_MISMATCH"},
      {{{"entry", "stream_destroy"}, {"code", "DEVICE_LOST"}}, "xhal_stream_destroy never returns"},
      {{{"entry", "stream_query"}, {"code", "NOT_READY"}}, "no error has this name"},
      {{{"call", "2"}}, "name its entry"},
      {{{"rules", "stream_query:1+"}}, "an entry's name is missing"},
      {{{"rules", "stream_query:5-2"}}, "neither 'N' nor 'N-M'"},
      {{{"rules", "stream_query:1:FORKED"}}, "never returns XHAL_ERROR_FORKED"},
      {{{"chance", "0"}}, "less than 1"},
      {{{"sweep", "x"}}, "not a number"},
      {{{"table", ""}}, "a path is missing"},
  };
  for (const auto& [options, text] : wrong) {
    const Instance t = make(options);
    EXPECT_EQ(t.result, XHAL_ERROR_INVALID_ARGUMENT) << text;
    EXPECT_NE(std::string(last_error().text).find(text), std::string::npos) << last_error().text;
  }
}

// What the layer draws by itself is legal everywhere.
TEST(Fault, NaturalCodesAreLegal) {
  for (size_t i = 0; i < layers::kEntryCount; ++i) {
    const auto entry = static_cast<layers::Entry>(i);
    for (const bool pinned : {false, true}) {
      const auto codes = fault::natural_codes(entry, pinned);
      for (const xhal_result_t code : codes.all())
        EXPECT_TRUE(fault::may_return(entry, code)) << layers::kEntries[i].name << " " << code;
    }
    for (const xhal_result_t never :
         {XHAL_SUCCESS, XHAL_NOT_READY, XHAL_ERROR_FORKED, XHAL_ERROR_FOREIGN_HANDLE,
          XHAL_ERROR_DRIVER_NOT_FOUND, XHAL_ERROR_BAD_MANIFEST})
      EXPECT_FALSE(fault::may_return(entry, never)) << layers::kEntries[i].name << " " << never;
  }
}

}  // namespace
}  // namespace xhal::layers_test
