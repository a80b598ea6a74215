// SPDX-License-Identifier: Apache-2.0
// Streams that wait for, and write, a word in memory.
#include <array>
#include <cstring>

#include "suite/support.h"

namespace xhal::conformance {
namespace {

constexpr uint64_t kGuard = 0xC3C3C3C3C3C3C3C3;
constexpr size_t kWords = 8;
constexpr size_t kWord = 3;  // the one that is waited for, guards around it

// A word between guards, in memory of the kind that the test's parameter "memory" names.
class Word {
 public:
  explicit Word(Context& t) : t_(t), width_(t.number("width")), stream_(t) {
    const std::string& kind = t.text("memory");
    if (kind == "registered") {
      // A page of its own: registration may take whole pages.
      const auto block = t.host_bytes(3 * 4096);
      const uintptr_t page = (reinterpret_cast<uintptr_t>(block.data()) + 4095) & ~uintptr_t{4095};
      place_ = reinterpret_cast<uint8_t*>(page);
      REQUIRE_OK(xhal_memory_register(t.device(), place_, 4096, 0));
      t.at_end([device = t.device(), place = place_] { TRACED(xhal_memory_unregister(device, place)); });
    } else {
      buffer_.emplace_back(t, kind == "device" ? XHAL_MEMORY_DEVICE : XHAL_MEMORY_PINNED, kWords * 8);
      place_ = buffer_.front().as<uint8_t>();
    }
    on_host_ = kind != "device";
    t.write(place_, std::vector<uint64_t>(kWords, kGuard));
  }

  [[nodiscard]] void* address() const { return place_ + kWord * 8; }
  [[nodiscard]] uint64_t width() const { return width_; }
  // Bits of the width.
  [[nodiscard]] uint64_t mask() const { return width_ == 8 ? ~uint64_t{0} : 0xFFFFFFFF; }

  // By the test's parameter "writer".
  xhal_result_t write(uint64_t value) {
    const std::string& writer = t_.text("writer");
    if (writer == "host") {
      store_on_host(value);
      return XHAL_SUCCESS;
    }
    const auto width = static_cast<uint32_t>(width_);
    return writer == "fill" ? TRACED(xhal_memory_fill(stream_, address(), value, width, width))
                            : TRACED(xhal_stream_write_value(stream_, address(), value, width));
  }
  // By other means than the calls that are judged here: what lets a stream go when a test leaves early.
  void force(uint64_t value) {
    const auto width = static_cast<uint32_t>(width_);
    if (on_host_) {
      store_on_host(value);
    } else {
      TRACED(xhal_memory_fill(stream_, address(), value, width, width));
    }
  }
  // Puts a value there and waits until it is.
  void put(uint64_t value) {
    Context& t = t_;
    REQUIRE_OK(write(value));
    REQUIRE_OK(xhal_stream_synchronize(stream_, t.patience()));
  }
  // All words, the guards too.
  std::array<uint64_t, kWords> all() {
    std::array<uint64_t, kWords> words{};
    t_.read(words.data(), place_, sizeof(words));
    return words;
  }

 private:
  void store_on_host(uint64_t value) {
    if (width_ == 8) {
      __atomic_store_n(static_cast<uint64_t*>(address()), value, __ATOMIC_RELEASE);
    } else {
      store(static_cast<uint32_t*>(address()), static_cast<uint32_t>(value));
    }
  }

  Context& t_;
  uint64_t width_;
  Stream stream_;
  std::vector<Buffer> buffer_;
  uint8_t* place_ = nullptr;
  bool on_host_ = false;
};

// Who can write where: the host not in device memory; a stream only where it gets on beside one that waits.
Cases places_and_writers() {
  Cases cases;
  for (const char* memory : {"pinned", "device", "registered"}) {
    for (const char* writer : {"host", "write_value", "fill"}) {
      const bool host = std::string_view(writer) == "host";
      if (host && std::string_view(memory) == "device") continue;
      for (const char* width : {"4", "8"}) {
        Case one;
        one.parameters = {{"memory", memory}, {"writer", writer}, {"width", width}};
        if (std::string_view(memory) == "registered") one.needs.push_back(XHAL_FEATURE_REGISTER);
        if (!host) one.needs.push_back(XHAL_FEATURE_CROSS_STREAM_PROGRESS);
        cases.push_back(std::move(one));
      }
    }
  }
  return cases;
}

struct Comparison {
  const char* name;
  uint32_t code;
  uint64_t value;
  std::vector<uint64_t> hold;  // words that do not satisfy it
  std::vector<uint64_t> pass;  // words that do
};

// In every bit range of the width; greater-or-equal stays below half of it.
std::vector<Comparison> comparisons(uint64_t width) {
  const uint64_t top = width == 8 ? uint64_t{1} << 63 : uint64_t{1} << 31;
  const uint64_t half = top >> 1;
  const uint64_t all = top | (top - 1);
  return {{"equal", XHAL_COMPARE_EQUAL, half + 5, {half + 4, half + 6, 5, 0}, {half + 5}},
          {"greater_equal",
           XHAL_COMPARE_GREATER_EQUAL,
           half + 5,
           {half + 4, 6, 0},
           {half + 5, half + 6, top - 1}},
          {"and_not_zero", XHAL_COMPARE_AND_NOT_ZERO, top | 2, {0, 1, top - 3}, {2, top, all}},
          {"nor_not_zero", XHAL_COMPARE_NOR_NOT_ZERO, all ^ (top | 1), {top | 1, all}, {top, 1, 0}}};
}

XHAL_TEST_P(
    value, wait_holds_until_satisfied, places_and_writers, .clauses = {"XHAL-VALUE-1"},
    .observes =
        "for each comparison: a fill behind the wait while the word holds values that do not satisfy it, "
        "and after one that does, each written while the stream waits; the waiting call does not wait",
    .needs = {XHAL_FEATURE_VALUE_WAIT}) {
  Word word(t);
  Stream stream(t);
  Marker behind(t);
  for (const Comparison& comparison : comparisons(word.width())) {
    for (const uint64_t pass : comparison.pass) {
      word.put(comparison.hold.front());
      behind.renew();
      // What lets the stream go, should the test leave early or a call block.
      Gate gate(t, [&word, pass] { word.force(pass); });
      EXPECT_RESULT("XHAL-VALUE-1",
                    xhal_stream_wait_value(stream, word.address(), comparison.value, comparison.code,
                                           static_cast<uint32_t>(word.width())),
                    XHAL_SUCCESS, "{}", comparison.name);
      behind.fill_on(t, stream);
      if (gate.shut()) {
        EXPECT_RESULT("XHAL-VALUE-1", xhal_stream_query(stream), XHAL_NOT_READY, "{}", comparison.name);
        for (const uint64_t hold : comparison.hold) {
          word.put(hold);
          if (t.witness(gate))
            EXPECT_CLAUSE("XHAL-VALUE-1", behind.untouched(), "{} {:#x}, the word is {:#x}: {}",
                          comparison.name, comparison.value, hold, behind.shown());
        }
        EXPECT_CLAUSE("XHAL-VALUE-1", gate.held(), "{}: a call waited for the word", comparison.name);
      }
      behind.stamp(gate);
      if (gate.shut()) REQUIRE_OK(word.write(pass));
      EXPECT_RESULT("XHAL-VALUE-1", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS,
                    "{} {:#x}, the word is {:#x}", comparison.name, comparison.value, pass);
      if (gate.shut())
        ASSERT_CLAUSE("XHAL-VALUE-1", gate.held(), "{} {:#x}: writing {:#x} did not let the stream go",
                      comparison.name, comparison.value, pass);
      EXPECT_CLAUSE("XHAL-VALUE-1", behind.filled(), "{}", behind.shown());
    }
  }
}

Cases places() {
  return grid({{"memory", {"pinned", "device", Value("registered", {XHAL_FEATURE_REGISTER})}},
               {"width", {4, 8}},
               {"writer", {"fill"}}});
}

XHAL_TEST_P(value, satisfied_wait_holds_nothing, places, .clauses = {"XHAL-VALUE-1"},
            .observes = "each comparison on a word that satisfies it already: the stream gets done",
            .needs = {XHAL_FEATURE_VALUE_WAIT}) {
  Word word(t);
  Stream stream(t);
  Marker behind(t);
  for (const Comparison& comparison : comparisons(word.width())) {
    for (const uint64_t pass : comparison.pass) {
      word.put(pass);
      behind.renew();
      EXPECT_RESULT("XHAL-VALUE-1",
                    xhal_stream_wait_value(stream, word.address(), comparison.value, comparison.code,
                                           static_cast<uint32_t>(word.width())),
                    XHAL_SUCCESS);
      behind.fill_on(t, stream);
      EXPECT_RESULT("XHAL-VALUE-1", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS,
                    "{} {:#x}, the word is {:#x}", comparison.name, comparison.value, pass);
      EXPECT_CLAUSE("XHAL-VALUE-1", behind.filled(), "{}", behind.shown());
    }
  }
}

XHAL_TEST_P(
    value, write_stores_its_width, places, .clauses = {"XHAL-VALUE-2"},
    .observes = "eight words of memory after a write of one of them, whole and in the halves of a word",
    .needs = {XHAL_FEATURE_VALUE_WAIT}) {
  Word word(t);
  Stream stream(t);
  std::array<uint64_t, kWords> expected{};
  expected.fill(kGuard);
  for (const uint64_t value : {uint64_t{0}, uint64_t{0x0123456789ABCDEF} & word.mask(), word.mask()}) {
    EXPECT_RESULT("XHAL-VALUE-2",
                  xhal_stream_write_value(stream, word.address(), value, static_cast<uint32_t>(word.width())),
                  XHAL_SUCCESS);
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    std::memcpy(&expected[kWord], &value, word.width());
    EXPECT_DATA("XHAL-VALUE-2", expected, word.all(), "{:#x}", value);
  }
  if (word.width() == 8) return;
  const uint32_t half = 0x51525354;
  EXPECT_RESULT("XHAL-VALUE-2",
                xhal_stream_write_value(stream, static_cast<uint8_t*>(word.address()) + 4, half, 4),
                XHAL_SUCCESS);
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  std::memcpy(reinterpret_cast<uint8_t*>(&expected[kWord]) + 4, &half, 4);
  EXPECT_DATA("XHAL-VALUE-2", expected, word.all(), "the upper half");
}

Cases gates() { return grid({gate_axis()}); }

XHAL_TEST_P(
    value, write_is_in_order, gates, .clauses = {"XHAL-VALUE-2"},
    .observes =
        "a flag behind a copy behind a gate: not written while the gate is shut; when the host sees it, "
        "without a synchronise, the copy's last byte is there",
    .needs = {XHAL_FEATURE_VALUE_WAIT}) {
  constexpr size_t kBytes = 1u << 20;
  constexpr uint32_t kRounds = 20;
  Stream stream(t);
  const Buffer source = device_memory(t, kBytes);
  const Buffer data = pinned_memory(t, kBytes);
  const Buffer flag = pinned_memory(t, 8);
  store(flag.as<uint32_t>(), 0);
  for (uint32_t round = 1; round <= kRounds; ++round) {
    const auto byte = static_cast<uint8_t>(round);
    std::unique_ptr<Gate> gate;
    // The first round is gated, the others race as they like.
    if (round == 1) gate = std::make_unique<Gate>(t, stream, gate_kind(t.text("hold")));
    if (gate != nullptr && may_block(t, XHAL_COPY_DEVICE_TO_PINNED)) gate->open();
    REQUIRE_OK(xhal_memory_fill(stream, source, byte, 1, kBytes));
    REQUIRE_OK(xhal_memory_copy(stream, data, source, kBytes));
    EXPECT_RESULT("XHAL-VALUE-2", xhal_stream_write_value(stream, flag, round, 4), XHAL_SUCCESS);
    if (gate != nullptr && gate->held()) {
      if (t.witness(*gate))
        EXPECT_VALUE("XHAL-VALUE-2", load(flag.as<uint32_t>()), 0u, "while the gate is shut");
      EXPECT_CLAUSE("XHAL-VALUE-2", gate->held(), "the write waited on the host");
    }
    if (gate != nullptr) gate->open();
    // Asked about once, whatever the answer: work may start no sooner.
    TRACED(xhal_stream_query(stream));
    ASSERT_CLAUSE("XHAL-VALUE-2", t.eventually([&] { return load(flag.as<uint32_t>()) == round; }),
                  "the host does not see the flag of round {}", round);
    EXPECT_VALUE("XHAL-VALUE-2", uint32_t{data.host()[kBytes - 1]}, uint32_t{byte}, "round {}", round);
    EXPECT_VALUE("XHAL-VALUE-2", uint32_t{data.host()[0]}, uint32_t{byte}, "round {}", round);
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  }
}

XHAL_TEST_P(
    value, hand_over_between_streams, places, .clauses = {"XHAL-VALUE-1", "XHAL-VALUE-2"},
    .observes =
        "64 rounds in which one stream fills data and writes a flag, and another waits for the flag and "
        "copies the data to a place of its own, linked by nothing else: every round's data",
    .needs = {XHAL_FEATURE_VALUE_WAIT, XHAL_FEATURE_CROSS_STREAM_PROGRESS}) {
  constexpr uint64_t kRounds = 64;
  Word word(t);
  const auto width = static_cast<uint32_t>(word.width());
  Stream writer(t);
  Stream reader(t);
  const Buffer data = device_memory(t, kRounds * 8);
  const Buffer places = device_memory(t, kRounds * 8);
  const auto values = t.random_u64(kRounds);
  word.put(0);
  // The reader waits first, so that nothing is there yet by luck.
  Gate gate(t, [&word] { word.force(kRounds); });
  if (may_block(t, XHAL_COPY_DEVICE_TO_DEVICE))
    t.note("a copy may wait for its stream: the writer goes first");
  const auto write = [&] {
    for (uint64_t i = 0; i < kRounds; ++i) {
      REQUIRE_OK(xhal_memory_fill(writer, data.at(i * 8), values[i], 8, 8));
      REQUIRE_OK(xhal_stream_write_value(writer, word.address(), i + 1, width));
    }
  };
  if (!gate.shut() || may_block(t, XHAL_COPY_DEVICE_TO_DEVICE)) write();
  for (uint64_t i = 0; i < kRounds; ++i) {
    REQUIRE_OK(xhal_stream_wait_value(reader, word.address(), i + 1, XHAL_COMPARE_GREATER_EQUAL, width));
    REQUIRE_OK(xhal_memory_copy(reader, places.at(i * 8), data.at(i * 8), 8));
  }
  if (gate.shut() && !may_block(t, XHAL_COPY_DEVICE_TO_DEVICE)) write();
  EXPECT_RESULT("XHAL-VALUE-1", xhal_stream_synchronize(reader, t.patience()), XHAL_SUCCESS);
  if (gate.shut()) EXPECT_CLAUSE("XHAL-VALUE-1", gate.held(), "the reader did not see the writer's flags");
  REQUIRE_OK(xhal_stream_synchronize(writer, t.patience()));
  EXPECT_DATA("XHAL-VALUE-2", values, t.read<uint64_t>(places, kRounds));
}

XHAL_TEST(
    value, refusals, .clauses = {"XHAL-VALUE-3"},
    .observes =
        "unaligned addresses, unknown widths and comparisons, null, pageable and freed memory, in wait and "
        "write: the codes, the memory, the stream afterwards",
    .needs = {XHAL_FEATURE_VALUE_WAIT}) {
  Stream stream(t);
  const Buffer memory = pinned_memory(t, 64);
  std::fill(memory.host().begin(), memory.host().end(), uint8_t{0});
  const auto pageable = t.host_bytes(64);
  void* freed = device_memory(t, 4096).release();
  REQUIRE_OK(xhal_memory_free(t.device(), freed));
  const auto refused = [&](void* address, uint32_t comparison, uint32_t width, xhal_result_t code,
                           const std::string& what) {
    EXPECT_RESULT("XHAL-VALUE-3", xhal_stream_wait_value(stream, address, 0, comparison, width), code,
                  "wait: {}", what);
    if (comparison == XHAL_COMPARE_EQUAL)
      EXPECT_RESULT("XHAL-VALUE-3", xhal_stream_write_value(stream, address, 1, width), code, "write: {}",
                    what);
  };
  for (const uint32_t width : {4u, 8u}) {
    for (uint64_t offset = 1; offset < width; ++offset)
      refused(memory.at(8 + offset), XHAL_COMPARE_EQUAL, width, XHAL_ERROR_INVALID_ARGUMENT,
              fmt::format("width {}, offset {}", width, offset));
    for (const uint32_t comparison : {4u, 99u, ~0u})
      refused(memory, comparison, width, XHAL_ERROR_INVALID_ARGUMENT,
              fmt::format("comparison {}", comparison));
    refused(nullptr, XHAL_COMPARE_EQUAL, width, XHAL_ERROR_INVALID_POINTER, "null");
    refused(freed, XHAL_COMPARE_EQUAL, width, XHAL_ERROR_INVALID_POINTER, "freed memory");
    refused(pageable.data(), XHAL_COMPARE_EQUAL, width, XHAL_ERROR_INVALID_POINTER, "pageable memory");
  }
  for (const uint32_t width : {0u, 1u, 2u, 3u, 5u, 7u, 16u, ~0u})
    refused(memory, XHAL_COMPARE_EQUAL, width, XHAL_ERROR_INVALID_ARGUMENT, fmt::format("width {}", width));
  EXPECT_RESULT("XHAL-VALUE-3", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  EXPECT_DATA("XHAL-VALUE-3", std::vector<uint8_t>(64, 0),
              std::vector<uint8_t>(memory.host().begin(), memory.host().end()), "a refused write wrote");
}

XHAL_TEST(value, managed_memory_is_refused, .clauses = {"XHAL-VALUE-3"},
          .observes = "wait and write on managed memory: the codes, and the word",
          .needs = {XHAL_FEATURE_VALUE_WAIT, XHAL_FEATURE_MANAGED}) {
  Stream stream(t);
  const Buffer memory(t, XHAL_MEMORY_MANAGED, 64);
  t.write(memory, std::vector<uint64_t>(8, 7));
  for (const uint32_t width : {4u, 8u}) {
    EXPECT_RESULT("XHAL-VALUE-3", xhal_stream_wait_value(stream, memory, 7, XHAL_COMPARE_EQUAL, width),
                  XHAL_ERROR_INVALID_POINTER);
    EXPECT_RESULT("XHAL-VALUE-3", xhal_stream_write_value(stream, memory, 8, width),
                  XHAL_ERROR_INVALID_POINTER);
  }
  EXPECT_RESULT("XHAL-VALUE-3", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  EXPECT_DATA("XHAL-VALUE-3", std::vector<uint64_t>(8, 7), t.read<uint64_t>(memory, 8));
}

}  // namespace
}  // namespace xhal::conformance
