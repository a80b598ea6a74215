// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the kernel pack must compute, said a second time in plain C++ so that it can judge the kernels. The
// only source is kernels/README.md: no header, constant or helper of the kernels, the host library or a
// driver is used here, because shared code would share its mistakes.
//
// Every kernel oracle is a pure function. It takes the contents of the buffers before the launch and returns
// the contents of the written buffer afterwards, the elements at and behind n included, so that a test
// compares whole buffers and sees stray writes. Arguments that the page gives no meaning to throw
// std::invalid_argument with one line that names the mistake.

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace xhal::oracle {

// ---- Kernels -------------------------------------------------------------------------------------------

std::vector<std::uint32_t> fill_u32(std::span<const std::uint32_t> dst, std::uint32_t value, std::uint64_t n);

std::vector<std::uint32_t> copy_u32(std::span<const std::uint32_t> dst, std::span<const std::uint32_t> src,
                                    std::uint64_t n);

std::vector<std::uint32_t> iota_u32(std::span<const std::uint32_t> dst, std::uint32_t start,
                                    std::uint32_t step, std::uint64_t n);

// Throws std::domain_error where the fused and the unfused result differ in a bit, or are NaN (whose bits no
// rule fixes): a kernel may give either, so there is no one expected value and the test's data are at fault.
std::vector<float> axpy_f32(std::span<const float> y, std::span<const float> x, float a, std::uint64_t n);

// The sums of the ceil(n / group_size) groups that own an element. What a launched group without any element
// stores is not fixed, so unlike its neighbours this oracle takes no `before` buffer and says nothing of it.
std::vector<std::uint32_t> reduce_u32(std::span<const std::uint32_t> src, std::uint64_t n,
                                      std::uint64_t group_size);

std::vector<std::uint64_t> fold_u64(std::span<const std::uint64_t> cells, std::uint64_t op, std::uint64_t n);

std::vector<std::uint64_t> fold2_u64(std::span<const std::uint64_t> dst, std::span<const std::uint64_t> src,
                                     std::uint64_t op, std::uint64_t n);

// The variable xhal_kept as an image has it, and what a launch makes of it and of its argument.
inline constexpr std::size_t kKeptCells = 13;
std::vector<std::uint64_t> first_kept_u64();
struct KeptOutcome {
  std::vector<std::uint64_t> out;
  std::vector<std::uint64_t> kept;
};
KeptOutcome kept_u64(std::span<const std::uint64_t> out, std::span<const std::uint64_t> kept,
                     std::uint64_t op, std::uint64_t n);

struct GateOutcome {
  std::uint32_t entered;  // what *entered holds once the kernel runs, whether or not the gate is open
  bool returns;           // whether the kernel ends while the flag keeps this value
};
GateOutcome gate_u32(std::uint32_t flag, std::uint32_t open);

// Memory as the chasing kernel sees it: words at 8-byte aligned device addresses.
struct MemoryBlock {
  std::uint64_t address;
  std::span<const std::uint64_t> words;
};

// The value stored to out[0]. A chain may cross blocks; a read outside all of them is an invalid argument.
std::uint64_t chase_u64(std::span<const MemoryBlock> memory, std::uint64_t head, std::uint32_t steps);

struct Extent {
  std::uint32_t x;
  std::uint32_t y;
  std::uint32_t z;
};

// All 19 * X * Y * Z words. `group` must divide `global` in each dimension: the page knows no partial group.
std::vector<std::uint32_t> ids_u32(Extent global, Extent group);

// Whether the launch ends in an asynchronous device failure.
bool trap_u32(std::uint32_t flag);

// ---- Histories -----------------------------------------------------------------------------------------

std::uint64_t mix(std::uint64_t c, std::uint64_t v);

// The value of one cell after an ordered list of folds. Tests keep one for each cell and compare values; on a
// mismatch words() tells what should have reached the cell.
class FoldHistory {
 public:
  explicit FoldHistory(std::uint64_t initial, std::initializer_list<std::uint64_t> ops = {});
  FoldHistory(std::uint64_t initial, std::span<const std::uint64_t> ops);

  FoldHistory& fold(std::uint64_t op);
  // `src` is the value of the source cell at the moment that the fold reads it.
  FoldHistory& fold2(std::uint64_t src, std::uint64_t op);

  [[nodiscard]] std::uint64_t value() const;
  // Every word mixed in, oldest first; a fold2 counts as two, its source value and its op.
  [[nodiscard]] std::span<const std::uint64_t> words() const { return words_; }

 private:
  std::uint64_t initial_;
  std::vector<std::uint64_t> words_;
};

// ---- Data ----------------------------------------------------------------------------------------------

// Output number `index` (from 0) of the splitmix64 generator. Standard distributions are not used because
// each library may implement them differently, and a seed in a report must mean the same data everywhere.
std::uint64_t random_word(std::uint64_t seed, std::uint64_t index);

// A float k/16 with k odd and |k| <= 1023, chosen by random_word(seed, index). Take a, x and y of an axpy
// from this set. Why fused and unfused arithmetic then agree: a*x is an odd multiple of 1/256 of magnitude
// 1023*1023/256 at most; a float holds every multiple of 1/256 below 2^24/256 exactly, so rounding the
// product first changes nothing. Adding y keeps a multiple of 1/256, again exact: from any y of this set,
// sixteen axpys in a row stay below 2^24/256 (16*1023*1023 + 16*1023 = 16760832 < 16777216), whatever a and x
// they take. As k is odd, a*x is never 0 and a is never 1 or -1: no lost or repeated axpy goes unseen, there
// is no negative zero to argue over, and no subnormal that a device may flush.
float exact_f32(std::uint64_t seed, std::uint64_t index);

// Element i depends on (seed, i) alone, so a longer span starts with the contents of a shorter one. Integers
// are the top bits of random_word(seed, i), floats are exact_f32(seed, i). Two buffers need two seeds.
void fill_random(std::span<std::uint8_t> out, std::uint64_t seed);
void fill_random(std::span<std::uint32_t> out, std::uint64_t seed);
void fill_random(std::span<std::uint64_t> out, std::uint64_t seed);
void fill_random(std::span<float> out, std::uint64_t seed);

// ---- Comparison ----------------------------------------------------------------------------------------

struct Difference {
  std::size_t index;
  std::string expected;
  std::string got;
};

// "element 7: expected 3 (0x00000003), got 4 (0x00000004)"
std::string to_string(const Difference& difference);

// The lowest index at which the spans differ, or nothing. Floats are compared by their bits: 0 and -0 differ,
// a NaN equals itself. Where one span is a prefix of the other, the difference is at the shorter one's end.
std::optional<Difference> first_difference(std::span<const std::uint8_t> expected,
                                           std::span<const std::uint8_t> got);
std::optional<Difference> first_difference(std::span<const std::uint32_t> expected,
                                           std::span<const std::uint32_t> got);
std::optional<Difference> first_difference(std::span<const std::uint64_t> expected,
                                           std::span<const std::uint64_t> got);
std::optional<Difference> first_difference(std::span<const float> expected, std::span<const float> got);

}  // namespace xhal::oracle
