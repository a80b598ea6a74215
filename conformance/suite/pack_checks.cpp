// SPDX-License-Identifier: Apache-2.0
#include "suite/pack_checks.h"

#include <algorithm>
#include <array>
#include <limits>
#include <stdexcept>

#include "element_oracles.h"
#include "group_oracles.h"

namespace xhal::conformance {
namespace {

constexpr uint64_t kGuard = 9;  // elements behind the ones that a kernel owns, which stay

template <class T>
std::vector<T> random_elements(Context& t, size_t count, uint64_t which) {
  std::vector<T> elements(count);
  oracle::fill_random(std::span(elements), t.seed() + which);
  return elements;
}

// A device's copy of a vector.
template <class T>
class Elements {
 public:
  Elements(Context& t, std::vector<T> before)
      : before_(std::move(before)),
        memory_(device_memory(t, std::max<size_t>(before_.size(), 1) * sizeof(T))) {
    if (!before_.empty()) t.write(memory_, before_);
  }
  [[nodiscard]] std::span<const T> before() const { return before_; }
  [[nodiscard]] const Buffer& memory() const { return memory_; }
  [[nodiscard]] std::vector<T> now(Context& t) const { return t.read<T>(memory_, before_.size()); }

 private:
  std::vector<T> before_;
  Buffer memory_;
};

void run(Context& t, xhal_stream_t stream, Clause clause, Launch& launch, const std::string& what) {
  note_call("xhal_kernel_launch(stream, kernel, &launch)");
  expect_result(t, clause, launch.on(stream), XHAL_SUCCESS, "xhal_kernel_launch(stream, kernel, &launch)",
                XHAL_HERE, what);
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
}

template <class T>
void check_type(Context& t, Clause clause, const FindKernel& find, const std::string& type, uint64_t n,
                T start, T step) {
  const Elements<T> dst(t, random_elements<T>(t, n + kGuard, 1));
  const Elements<T> a(t, random_elements<T>(t, n, 2));
  const Elements<T> b(t, random_elements<T>(t, n, 3));
  const T value = random_elements<T>(t, 1, 4).front();
  const uint32_t group = small_group(t);
  Stream stream(t);
  const auto compare = [&](const char* operation, Launch& launch, const std::vector<T>& expected) {
    t.write(dst.memory(), std::vector<T>(dst.before().begin(), dst.before().end()));
    run(t, stream, clause, launch.cover(n, group), fmt::format("{}_{}", operation, type));
    expect_data(t, clause, expected, dst.now(t), "the elements", XHAL_HERE,
                fmt::format("{}_{}", operation, type));
  };
  const auto kernel = [&](const char* operation) { return find(fmt::format("xhal_{}_{}", operation, type)); };
  Launch fill(kernel("fill"));
  compare("fill", fill.writes(dst.memory()).value(value).value(n), oracle::fill(dst.before(), value, n));
  Launch copy(kernel("copy"));
  compare("copy", copy.writes(dst.memory()).reads(a.memory()).value(n),
          oracle::copy(dst.before(), a.before(), n));
  Launch iota(kernel("iota"));
  compare("iota", iota.writes(dst.memory()).value(start).value(step).value(n),
          oracle::iota(dst.before(), start, step, n));
  if constexpr (!std::is_same_v<T, uint32_t>) {
    Launch axpy(kernel("axpy"));
    compare("axpy", axpy.updates(dst.memory()).reads(a.memory()).value(value).value(n),
            oracle::axpy(dst.before(), a.before(), value, n));
    Launch add(kernel("add"));
    compare("add", add.writes(dst.memory()).reads(a.memory()).reads(b.memory()).value(n),
            oracle::add(dst.before(), a.before(), b.before(), n));
  }
}

struct Bounds {
  uint32_t items;  // of a group in one dimension, no power of two where that is possible
  uint32_t side;   // of a square group
  uint64_t local_bytes;
};

Bounds bounds_of(Context& t) {
  const auto& p = t.properties();
  const bool has_square = p.max_group_items >= 64 && p.max_group_size[0] >= 8 && p.max_group_size[1] >= 8;
  return {.items = small_group(t), .side = has_square ? 8u : 1u, .local_bytes = p.max_local_bytes};
}

void check_scan(Context& t, Clause clause, xhal_stream_t stream, xhal_kernel_t kernel) {
  const uint32_t items = bounds_of(t).items;
  for (const uint64_t n : {uint64_t{1}, uint64_t{items}, uint64_t{items} * 9 + 3}) {
    const Elements<uint32_t> dst(t, t.random_u32(n + kGuard, 1));
    const Elements<uint32_t> src(t, t.random_u32(n, 2));
    Launch launch(kernel);
    launch.cover(n, items).writes(dst.memory()).reads(src.memory()).value(n).local(uint64_t{items} * 8);
    run(t, stream, clause, launch, fmt::format("scan of {}", n));
    EXPECT_DATA(clause, oracle::scan_u32(dst.before(), src.before(), n, items), dst.now(t), "{} elements", n);
  }
}

// The local memory is chosen at the launch and has nothing to do with the group.
void check_reverse(Context& t, Clause clause, xhal_stream_t stream, xhal_kernel_t kernel) {
  const Bounds bounds = bounds_of(t);
  const auto most = static_cast<uint32_t>(std::min<uint64_t>(bounds.local_bytes / 4, 4096));
  constexpr uint64_t kCount = 9999;
  for (const uint32_t chunk : {1u, 7u, 100u, most}) {
    const Elements<uint32_t> dst(t, t.random_u32(kCount + kGuard, 1));
    const Elements<uint32_t> src(t, t.random_u32(kCount, 2));
    Launch launch(kernel);
    launch.groups(static_cast<uint32_t>((kCount + chunk - 1) / chunk)).items(bounds.items);
    launch.writes(dst.memory()).reads(src.memory()).value(chunk).value(kCount).local(uint64_t{chunk} * 4);
    run(t, stream, clause, launch, fmt::format("chunks of {}", chunk));
    EXPECT_DATA(clause, oracle::reverse_u32(dst.before(), src.before(), chunk, kCount), dst.now(t),
                "chunks of {}", chunk);
  }
}

void check_transpose(Context& t, Clause clause, xhal_stream_t stream, xhal_kernel_t kernel) {
  const uint32_t side = bounds_of(t).side;
  for (const auto& [rows, columns] : {std::pair{1u, 1u}, {33u, 20u}, {8u, 64u}}) {
    const size_t count = size_t{rows} * columns;
    const Elements<uint32_t> dst(t, t.random_u32(count + kGuard, 1));
    const Elements<uint32_t> src(t, t.random_u32(count, 2));
    Launch launch(kernel);
    launch.groups((columns + side - 1) / side, (rows + side - 1) / side).items(side, side);
    launch.writes(dst.memory())
        .reads(src.memory())
        .value(rows)
        .value(columns)
        .local(uint64_t{side} * (side + 1) * 4);
    run(t, stream, clause, launch, fmt::format("{} x {}", rows, columns));
    EXPECT_DATA(clause, oracle::transpose_u32(dst.before(), src.before(), rows, columns), dst.now(t),
                "{} x {}", rows, columns);
  }
}

void check_matmul(Context& t, Clause clause, xhal_stream_t stream, xhal_kernel_t kernel) {
  const uint32_t side = bounds_of(t).side;
  const auto whole_numbers = [&](size_t count, uint64_t which) {
    std::vector<float> numbers;
    for (const uint32_t word : t.random_u32(count, which))
      numbers.push_back(static_cast<float>(word % 33) - 16);
    return numbers;
  };
  constexpr uint32_t kM = 17;
  constexpr uint32_t kN = 9;
  constexpr uint32_t kK = 21;
  const Elements<float> c(t, random_elements<float>(t, kM * kN + kGuard, 1));
  const Elements<float> a(t, whole_numbers(kM * kK, 2));
  const Elements<float> b(t, whole_numbers(kK * kN, 3));
  Launch launch(kernel);
  launch.groups((kN + side - 1) / side, (kM + side - 1) / side).items(side, side);
  launch.writes(c.memory()).reads(a.memory()).reads(b.memory()).value(kM).value(kN).value(kK);
  launch.local(uint64_t{side} * side * 4).local(uint64_t{side} * side * 4);
  run(t, stream, clause, launch, "");
  EXPECT_DATA(clause, oracle::matmul_f32(c.before(), a.before(), b.before(), kM, kN, kK), c.now(t));
}

template <class T>
std::vector<T> random_words(Context& t, size_t count, uint64_t which) {
  if constexpr (sizeof(T) == 4) {
    return t.random_u32(count, which);
  } else {
    return t.random_u64(count, which);
  }
}

template <class T>
void check_atomics(Context& t, Clause clause, xhal_stream_t stream, xhal_kernel_t kernel) {
  constexpr uint64_t kCount = 5000;
  const Elements<T> cells(t, random_words<T>(t, oracle::kAtomicCells + kGuard, 1));
  const Elements<T> src(t, random_words<T>(t, kCount, 2));
  Launch launch(kernel);
  launch.cover(kCount, bounds_of(t).items).updates(cells.memory()).reads(src.memory()).value(kCount);
  run(t, stream, clause, launch, "");
  EXPECT_DATA(clause, oracle::atomics(cells.before(), src.before(), kCount), cells.now(t));
}

template <class T>
void check_local_atomics(Context& t, Clause clause, xhal_stream_t stream, xhal_kernel_t kernel) {
  constexpr uint64_t kCount = 3001;
  const uint32_t items = bounds_of(t).items;
  const uint64_t words = (kCount + items - 1) / items * oracle::kAtomicCells;
  const Elements<T> out(t, random_words<T>(t, words + kGuard, 1));
  const Elements<T> src(t, random_words<T>(t, kCount, 2));
  Launch launch(kernel);
  launch.cover(kCount, items).writes(out.memory()).reads(src.memory()).value(kCount);
  run(t, stream, clause, launch, "");
  std::vector<T> expected(out.before().begin(), out.before().end());
  std::ranges::copy(oracle::local_atomics(src.before(), kCount, items), expected.begin());
  EXPECT_DATA(clause, expected, out.now(t));
}

void check_spin(Context& t, Clause clause, xhal_stream_t stream, xhal_kernel_t kernel) {
  for (const uint64_t turns : {uint64_t{0}, uint64_t{1}, uint64_t{20'000}}) {
    const Elements<uint64_t> cell(t, t.random_u64(2));
    Launch launch(kernel);
    launch.updates(cell.memory(), 8).value(turns);
    run(t, stream, clause, launch, fmt::format("{} turns", turns));
    const std::vector<uint64_t> expected = {oracle::spin_u64(cell.before()[0], turns), cell.before()[1]};
    EXPECT_DATA(clause, expected, cell.now(t), "{} turns", turns);
  }
}

void check_structs(Context& t, Clause clause, xhal_stream_t stream, xhal_kernel_t kernel) {
  const auto words = t.random_u64(8);
  const auto byte = [&](size_t i) {
    return static_cast<uint8_t>(words[i % words.size()] >> (8 * (i / words.size())));
  };
  const oracle::Color color{.red = byte(0), .green = byte(1), .blue = byte(2)};
  const oracle::Pair pair{.key = words[0], .weight = -1.25F};
  const oracle::Record record{
      .tag = byte(3),
      .level = -12345,
      .pairs = {oracle::Pair{.key = words[1], .weight = 0.5F}, {.key = words[2], .weight = 1e20F}},
      .count = static_cast<uint32_t>(words[3]),
      .bytes = {byte(8), byte(9), byte(10), byte(11), byte(12)}};
  const oracle::Box box{.corner = {1.0F, -2.0F, 1e-20F, 0.0F}, .id = static_cast<uint32_t>(words[4])};
  const auto last = static_cast<uint32_t>(words[5]);
  const Elements<uint64_t> out(t, t.random_u64(23 + kGuard));
  Launch launch(kernel);
  launch.writes(out.memory()).value(color).value(pair).value(record).value(box).value(last);
  run(t, stream, clause, launch, "");
  std::vector<uint64_t> expected(out.before().begin(), out.before().end());
  std::ranges::copy(oracle::structs_u64(color, pair, record, box, last), expected.begin());
  EXPECT_DATA(clause, expected, out.now(t));
}

// Each group is a team of its own and waits for nobody else: a plain launch.
void check_meet(Context& t, Clause clause, xhal_stream_t stream, xhal_kernel_t kernel) {
  for (const uint32_t items : {1u, 7u, small_group(t)}) {
    const oracle::Counts groups = {3, 2, 2};
    constexpr uint32_t kGroups = 12;
    constexpr uint32_t kRounds = 5;
    const Elements<uint64_t> cells(t, t.random_u64(size_t{2} * kGroups * items));
    const Elements<uint32_t> arrivals(t, std::vector<uint32_t>(kGroups, 0));
    const Elements<uint32_t> quit(t, {0});
    Launch launch(kernel);
    launch.groups(groups[0], groups[1], groups[2])
        .items(items)
        .updates(cells.memory())
        .updates(arrivals.memory())
        .reads(quit.memory());
    for (int d = 0; d < 3; ++d) launch.value(uint32_t{1});
    launch.value(kRounds).value(std::numeric_limits<uint32_t>::max()).local(uint64_t{items} * 8);
    run(t, stream, clause, launch, fmt::format("groups of {}", items));
    EXPECT_DATA(clause, oracle::meet_u64(cells.before(), groups, items, {1, 1, 1}, kRounds), cells.now(t),
                "groups of {}", items);
    EXPECT_DATA(clause, std::vector<uint32_t>(kGroups, kRounds), arrivals.now(t), "groups of {}", items);
  }
}

struct GroupCheck {
  const char* kernel;
  void (*check)(Context&, Clause, xhal_stream_t, xhal_kernel_t);
};
constexpr GroupCheck kGroupChecks[] = {
    {"xhal_scan_u32", check_scan},
    {"xhal_reverse_u32", check_reverse},
    {"xhal_transpose_u32", check_transpose},
    {"xhal_matmul_f32", check_matmul},
    {"xhal_atomics_u32", check_atomics<uint32_t>},
    {"xhal_atomics_u64", check_atomics<uint64_t>},
    {"xhal_local_atomics_u32", check_local_atomics<uint32_t>},
    {"xhal_local_atomics_u64", check_local_atomics<uint64_t>},
    {"xhal_meet_u64", check_meet},
    {"xhal_spin_u64", check_spin},
    {"xhal_structs_u64", check_structs},
};

constexpr const char* kTypes[] = {"i8", "i16", "i32", "i64", "f16", "bf16", "f32", "f64"};

}  // namespace

const std::vector<PackedKernel>& packed_kernels() {
  static const auto kKernels = [] {
    std::vector<PackedKernel> kernels = {
        {"xhal_fill_u32", 3},      {"xhal_copy_u32", 3},          {"xhal_iota_u32", 4},
        {"xhal_reduce_u32", 4},    {"xhal_scan_u32", 4},          {"xhal_reverse_u32", 5},
        {"xhal_transpose_u32", 5}, {"xhal_matmul_f32", 8},        {"xhal_atomics_u32", 3},
        {"xhal_atomics_u64", 3},   {"xhal_local_atomics_u32", 3}, {"xhal_local_atomics_u64", 3},
        {"xhal_fold_u64", 3},      {"xhal_fold2_u64", 4},         {"xhal_gate_u32", 3},
        {"xhal_spin_u64", 2},      {"xhal_chase_u64", 3},         {"xhal_ids_u32", 1},
        {"xhal_structs_u64", 6},   {"xhal_meet_u64", 9},          {"xhal_trap_u32", 1}};
    for (const char* type : kTypes) {
      for (const auto& [operation, parameters] :
           {std::pair{"fill", 3u}, {"copy", 3u}, {"iota", 4u}, {"axpy", 4u}, {"add", 4u}}) {
        kernels.push_back({fmt::format("xhal_{}_{}", operation, type), parameters});
      }
    }
    return kernels;
  }();
  return kKernels;
}

Axis element_axis() {
  Axis axis{"type", {"u32"}};
  for (const char* type : kTypes) axis.values.emplace_back(type);
  return axis;
}

Axis group_kernel_axis() {
  Axis axis{"kernel", {}};
  for (const GroupCheck& check : kGroupChecks) axis.values.emplace_back(check.kernel);
  return axis;
}

void check_elements(Context& t, Clause clause, const FindKernel& find, const std::string& type, uint64_t n) {
  using oracle::nearest_bf16;
  using oracle::nearest_f16;
  // Each iota is exact, or wraps.
  if (type == "u32") return check_type<uint32_t>(t, clause, find, type, n, 4'000'000'000, 1'000'003);
  if (type == "i8") return check_type<int8_t>(t, clause, find, type, n, -100, 7);
  if (type == "i16") return check_type<int16_t>(t, clause, find, type, n, -30000, 1001);
  if (type == "i32") return check_type<int32_t>(t, clause, find, type, n, -2'000'000'000, 1'000'001);
  if (type == "i64") return check_type<int64_t>(t, clause, find, type, n, INT64_MIN + 7, 100'000'000'000'001);
  if (type == "f16") return check_type(t, clause, find, type, n, nearest_f16(-300.5), nearest_f16(0.75));
  if (type == "bf16") return check_type(t, clause, find, type, n, nearest_bf16(-1000), nearest_bf16(0.375));
  if (type == "f32") return check_type<float>(t, clause, find, type, n, -70.5F, 0.25F);
  if (type == "f64") return check_type<double>(t, clause, find, type, n, 1e9, 0.125);
  throw std::logic_error("no element type " + type);
}

void check_group_kernel(Context& t, Clause clause, const FindKernel& find, const std::string& kernel) {
  const auto* check = std::ranges::find(kGroupChecks, kernel, &GroupCheck::kernel);
  if (check == std::end(kGroupChecks)) throw std::logic_error("no check of " + kernel);
  Stream stream(t);
  check->check(t, clause, stream, find(kernel));
}

void check_folds_and_ids(Context& t, Clause clause, const FindKernel& find) {
  constexpr uint64_t kCount = 1000;
  const uint32_t group = small_group(t);
  Stream stream(t);
  const Elements<uint64_t> dst(t, t.random_u64(kCount + kGuard, 1));
  const Elements<uint64_t> src(t, t.random_u64(kCount, 2));
  Launch fold(find("xhal_fold_u64"));
  run(t, stream, clause, fold.cover(kCount, group).updates(dst.memory()).value(t.seed()).value(kCount),
      "fold");
  const auto folded = oracle::fold_u64(dst.before(), t.seed(), kCount);
  EXPECT_DATA(clause, folded, dst.now(t), "fold");
  Launch fold2(find("xhal_fold2_u64"));
  fold2.cover(kCount, group).updates(dst.memory()).reads(src.memory()).value(uint64_t{5}).value(kCount);
  run(t, stream, clause, fold2, "fold2");
  EXPECT_DATA(clause, oracle::fold2_u64(folded, src.before(), 5, kCount), dst.now(t), "fold2");
  const oracle::Extent global{.x = 6, .y = 3, .z = 4};
  auto expected = oracle::ids_u32(global, {.x = 1, .y = 1, .z = 1});
  const Elements<uint32_t> out(t, t.random_u32(expected.size() + kGuard, 3));
  Launch ids(find("xhal_ids_u32"));
  run(t, stream, clause, ids.groups(global.x, global.y, global.z).writes(out.memory()), "ids");
  expected.insert(expected.end(), out.before().end() - kGuard, out.before().end());
  EXPECT_DATA(clause, expected, out.now(t), "ids");
}

}  // namespace xhal::conformance
