// SPDX-License-Identifier: Apache-2.0
// Prints how fast the kernels of the native images are beside the same loops written by hand in C++ and compiled for the same
// level. They run in turns in one process; figures are medians of processor time. Nothing is asserted.
//
//   native_speed [elements] [group size] [blocks]
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include "hand_loops.hpp"
#include "native_harness.hpp"

namespace {

using namespace xhal::native_test;  // NOLINT(google-build-using-namespace): a program of one file

// Of this thread alone: what else the machine does with its processors does not count.
double processor_nanoseconds() {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

double nanoseconds_per_item(const std::function<void()>& body, int repeats, double items) {
  const double start = processor_nanoseconds();
  for (int i = 0; i < repeats; ++i) body();
  return (processor_nanoseconds() - start) / (items * repeats);
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

struct Settings {
  std::uint64_t elements = 65536;
  std::uint32_t group_size = 256;
  int blocks = 101;
};

// One launch without any of the harness's costs but the call of each row of groups, of as many items as the simulator's.
class BareLaunch {
 public:
  BareLaunch(const xhal_native_kernel& kernel, const Arguments& arguments, const DeviceWindow& window,
             const Settings& settings)
      : kernel_(kernel), pointers_(arguments.for_worker(&local_memory_)) {
    frame_.window_base = window.base();
    frame_.window_size = window.size();
    frame_.backing_distance = window.distance();
    for (int d = 1; d < 3; ++d) frame_.group_count[d] = frame_.group_size[d] = 1;
    frame_.group_count[0] = groups_for(settings.elements, settings.group_size);
    frame_.group_size[0] = settings.group_size;
    frame_.arguments = pointers_.data();
    frame_.scratch = &scratch_;
    frame_.scratch_free = &scratch_free_;
  }
  ~BareLaunch() {
    if (scratch_ != nullptr) scratch_free_(scratch_);
  }
  BareLaunch(const BareLaunch&) = delete;
  BareLaunch& operator=(const BareLaunch&) = delete;

  void operator()() {
    const std::uint32_t step = std::max(32768 / frame_.group_size[0], 1U);
    for (std::uint32_t group = 0; group < frame_.group_count[0]; group += frame_.row_groups) {
      frame_.group_id[0] = group;
      frame_.row_groups = std::min(step, frame_.group_count[0] - group);
      kernel_.run_groups(&frame_);
    }
  }

 private:
  const xhal_native_kernel& kernel_;
  std::vector<std::unique_ptr<std::byte[]>> local_memory_;
  std::vector<const void*> pointers_;
  void* scratch_ = nullptr;
  void (*scratch_free_)(void*) = nullptr;
  xhal_native_frame frame_ = {};
};

using Body = std::function<void()>;

// Each body in turn, block after block, so that a disturbance meets all of them.
void compare(const char* name, const char* target, const std::array<Body, 3>& bodies,
             const Settings& settings) {
  const auto items = static_cast<double>(settings.elements);
  const int repeats = std::max(1, static_cast<int>(1e6 / items));
  for (const Body& body : bodies) body();
  std::array<std::vector<double>, 3> times;
  std::array<std::vector<double>, 2> ratios;
  for (int block = 0; block < settings.blocks; ++block) {
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      times[i].push_back(nanoseconds_per_item(bodies[i], repeats, items));
    }
    for (std::size_t i = 0; i < ratios.size(); ++i) ratios[i].push_back(times[i].back() / times[2].back());
  }
  std::printf("%-16s %-10s %8.4f %8.4f %8.4f %8.1f %% %8.1f %%\n", name, target, median(times[0]),
              median(times[1]), median(times[2]), 100 * median(ratios[0]), 100 * median(ratios[1]));
}

// The bodies of one kernel: by hand, by hand with clang, by the image.
using HandBody = std::function<void(const HandLoops&)>;

void measure_target(const char* target, const HandLoops& hand, const HandLoops& clang,
                    const Settings& settings) {
  const xhal_native_image& image = load_image(XHAL_KERNEL_DIR, "xhal", target);
  const xhal_native_image& plain_image = load_image(XHAL_PLAIN_PACK_DIR, "plain", target);
  const std::uint64_t n = settings.elements;
  const DeviceWindow window(n * 16 + 8192);
  const std::uint64_t first = window.base();
  const std::uint64_t second = window.base() + n * 8 + 4096;
  const auto at = [&]<typename T>(std::uint64_t address, T) {
    return reinterpret_cast<T*>(window.backing(address));
  };
  auto* const u32_a = at(first, std::uint32_t{});
  auto* const u32_b = at(second, std::uint32_t{});
  auto* const u64_a = at(first, std::uint64_t{});
  auto* const u64_b = at(second, std::uint64_t{});
  auto* const f32_a = at(first, float{});
  auto* const f32_b = at(second, float{});

  const auto row_of = [&](const xhal_native_image& pack, const char* name, const char* label,
                          const Arguments& arguments, const HandBody& body) {
    BareLaunch launch(find_kernel(pack, name), arguments, window, settings);
    compare(label, target, {[&] { body(hand); }, [&] { body(clang); }, [&] { launch(); }}, settings);
  };
  const auto row = [&](const char* name, const Arguments& arguments, const HandBody& body) {
    row_of(image, name, name, arguments, body);
  };
  row("xhal_fill_u32", Arguments().device(first).value(7U).value(n),
      [&](const HandLoops& loops) { loops.fill(u32_a, 7, n); });
  row("xhal_copy_u32", Arguments().device(first).device(second).value(n),
      [&](const HandLoops& loops) { loops.copy(u32_a, u32_b, n); });
  row("xhal_iota_u32", Arguments().device(first).value(5U).value(3U).value(n),
      [&](const HandLoops& loops) { loops.iota(u32_a, 5, 3, n); });
  row("xhal_axpy_f32", Arguments().device(first).device(second).value(0.0F).value(n),
      [&](const HandLoops& loops) { loops.axpy(f32_a, f32_b, 0.0F, n); });
  row("xhal_fold_u64", Arguments().device(first).value(std::uint64_t{9}).value(n),
      [&](const HandLoops& loops) { loops.fold(u64_a, 9, n); });
  row("xhal_fold2_u64", Arguments().device(first).device(second).value(std::uint64_t{9}).value(n),
      [&](const HandLoops& loops) { loops.fold2(u64_a, u64_b, 9, n); });
  auto* const i8_a = at(first, std::int8_t{});
  auto* const i8_b = at(second, std::int8_t{});
  auto* const i16_a = at(first, std::int16_t{});
  auto* const i16_b = at(second, std::int16_t{});
  auto* const f64_a = at(first, double{});
  auto* const f64_b = at(second, double{});
  auto* const u16_a = at(first, std::uint16_t{});
  auto* const u16_b = at(second, std::uint16_t{});
  row("xhal_fill_i8", Arguments().device(first).value(std::int8_t{7}).value(n),
      [&](const HandLoops& loops) { loops.fill_i8(i8_a, 7, n); });
  row("xhal_iota_f32", Arguments().device(first).value(0.0F).value(0.0F).value(n),
      [&](const HandLoops& loops) { loops.iota_f32(f32_a, 0.0F, 0.0F, n); });
  row("xhal_add_i8", Arguments().device(first).device(second).device(second).value(n),
      [&](const HandLoops& loops) { loops.add_i8(i8_a, i8_b, i8_b, n); });
  row("xhal_axpy_i16", Arguments().device(first).device(second).value(std::int16_t{3}).value(n),
      [&](const HandLoops& loops) { loops.axpy_i16(i16_a, i16_b, 3, n); });
  row("xhal_axpy_f64", Arguments().device(first).device(second).value(0.0).value(n),
      [&](const HandLoops& loops) { loops.axpy_f64(f64_a, f64_b, 0.0, n); });
  // Zeros: no subnormal f32, which processors are slow at, comes up.
  std::fill_n(u16_a, n, std::uint16_t{0});
  std::fill_n(u16_b, n, std::uint16_t{0});
  row("xhal_add_f16", Arguments().device(first).device(second).device(second).value(n),
      [&](const HandLoops& loops) { loops.add_f16(u16_a, u16_b, u16_b, n); });
  row("xhal_axpy_bf16", Arguments().device(first).device(second).value(std::uint16_t{0}).value(n),
      [&](const HandLoops& loops) { loops.axpy_bf16(u16_a, u16_b, 0, n); });
  // Their items wait for each other: as steps, and with plain barriers, as coroutines. Many elements would take minutes there.
  if (n > 1 << 20) return;
  const auto rows_of_groups = [&](const char* name, std::size_t words_per_item, const HandBody& body) {
    const std::size_t bytes = settings.group_size * words_per_item * sizeof(std::uint32_t);
    row_of(image, name, name, Arguments().device(first).device(second).value(n).local(bytes), body);
    row_of(plain_image, name, "... plain", Arguments().device(first).device(second).value(n).local(bytes),
           body);
  };
  rows_of_groups("xhal_reduce_u32", 1,
                 [&](const HandLoops& loops) { loops.reduce(u32_a, u32_b, n, settings.group_size); });
  rows_of_groups("xhal_scan_u32", 2,
                 [&](const HandLoops& loops) { loops.scan(u32_a, u32_b, n, settings.group_size); });
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  if (argc > 1) settings.elements = std::strtoull(argv[1], nullptr, 10);
  if (argc > 2) settings.group_size = static_cast<std::uint32_t>(std::strtoul(argv[2], nullptr, 10));
  if (argc > 3) settings.blocks = static_cast<int>(std::strtol(argv[3], nullptr, 10));
  if (argc > 4 || settings.elements == 0 || settings.group_size == 0 || settings.group_size > 1024 ||
      settings.blocks < 1) {
    std::fprintf(stderr, "usage: native_speed [elements >= 1] [group size 1..1024] [blocks >= 1]\n");
    return 2;
  }
  std::printf(
      "%llu elements, groups of %u, median of %d blocks; ns an item, and the image's speed beside each hand "
      "loop\n",
      static_cast<unsigned long long>(settings.elements), settings.group_size, settings.blocks);
  std::printf("%-16s %-10s %8s %8s %8s %10s %10s\n", "kernel", "target", XHAL_HAND_COMPILER, "clang", "image",
              "to " XHAL_HAND_COMPILER, "to clang");
  struct Level {
    const HandLoops* hand;
    const HandLoops* clang;
  };
  static constexpr std::array<Level, 3> kLevels = {Level{&kHandLoopsV2, &kClangLoopsV2},
                                                   Level{&kHandLoopsV3, &kClangLoopsV3},
                                                   Level{&kHandLoopsV4, &kClangLoopsV4}};
  for (std::size_t i = 0; i < kTargets.size(); ++i) {
    if (processor_runs(kTargets[i])) {
      measure_target(kTargets[i], *kLevels[i].hand, *kLevels[i].clang, settings);
    } else {
      std::printf("%-16s %-10s not run: this processor lacks it\n", "all", kTargets[i]);
    }
  }
  return 0;
}
