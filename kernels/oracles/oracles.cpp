// SPDX-License-Identifier: Apache-2.0
#include "oracles.h"

#include <bit>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace xhal::oracle {
namespace {

[[noreturn]] void refuse(const char* kernel, const std::string& why) {
  throw std::invalid_argument(std::string("oracle of xhal_") + kernel + ": " + why);
}

void require_elements(const char* kernel, const char* buffer, std::size_t size, std::uint64_t n) {
  if (n > size) {
    refuse(kernel, "n is " + std::to_string(n) + " but " + buffer + " has " + std::to_string(size) +
                       " elements; pass a larger span or a smaller n");
  }
}

template <typename T>
std::vector<T> contents(std::span<const T> before) {
  return {before.begin(), before.end()};
}

// Compilers fuse a multiply and an add where the target can, even through casts to double and back. The
// product has to leave the register for the two roundings to be two under every flag.
float unfused_multiply_add(float a, float x, float y) {
  const volatile float product = a * x;
  return product + y;
}

std::uint64_t read_word(std::span<const MemoryBlock> memory, std::uint64_t address) {
  constexpr std::uint64_t kWord = sizeof(std::uint64_t);
  if (address % kWord != 0) {
    refuse("chase_u64", "address " + std::to_string(address) + " is not a multiple of 8; align the chain");
  }
  for (const MemoryBlock& block : memory) {
    const std::uint64_t offset = address - block.address;  // wraps to a huge one below the block
    if (offset % kWord == 0 && offset / kWord < block.words.size()) return block.words[offset / kWord];
  }
  refuse("chase_u64", "the chain reads address " + std::to_string(address) +
                          ", which lies in no block; pass every block that the chain visits");
}

std::uint64_t count_items(Extent extent) {
  constexpr std::uint64_t kLimit = std::numeric_limits<std::uint32_t>::max();
  const std::uint64_t plane = std::uint64_t{extent.x} * extent.y;
  if (plane > kLimit || plane * extent.z > kLimit) {
    refuse("ids_u32", "the grid has 2^32 items or more; take a smaller one");
  }
  return plane * extent.z;
}

}  // namespace

std::vector<std::uint32_t> fill_u32(std::span<const std::uint32_t> dst, std::uint32_t value,
                                    std::uint64_t n) {
  require_elements("fill_u32", "dst", dst.size(), n);
  std::vector<std::uint32_t> after = contents(dst);
  for (std::uint64_t i = 0; i < n; ++i) after[i] = value;
  return after;
}

std::vector<std::uint32_t> copy_u32(std::span<const std::uint32_t> dst, std::span<const std::uint32_t> src,
                                    std::uint64_t n) {
  require_elements("copy_u32", "dst", dst.size(), n);
  require_elements("copy_u32", "src", src.size(), n);
  std::vector<std::uint32_t> after = contents(dst);
  for (std::uint64_t i = 0; i < n; ++i) after[i] = src[i];
  return after;
}

std::vector<std::uint32_t> iota_u32(std::span<const std::uint32_t> dst, std::uint32_t start,
                                    std::uint32_t step, std::uint64_t n) {
  require_elements("iota_u32", "dst", dst.size(), n);
  std::vector<std::uint32_t> after = contents(dst);
  for (std::uint64_t i = 0; i < n; ++i) after[i] = static_cast<std::uint32_t>(start + i * step);
  return after;
}

std::vector<float> axpy_f32(std::span<const float> y, std::span<const float> x, float a, std::uint64_t n) {
  require_elements("axpy_f32", "y", y.size(), n);
  require_elements("axpy_f32", "x", x.size(), n);
  std::vector<float> after = contents(y);
  for (std::uint64_t i = 0; i < n; ++i) {
    const float fused = std::fma(a, x[i], y[i]);
    const float unfused = unfused_multiply_add(a, x[i], y[i]);
    if (std::isnan(fused) || std::bit_cast<std::uint32_t>(fused) != std::bit_cast<std::uint32_t>(unfused)) {
      throw std::domain_error("oracle of xhal_axpy_f32: element " + std::to_string(i) +
                              " has no one result, fused and unfused; take values from exact_f32");
    }
    after[i] = fused;
  }
  return after;
}

std::vector<std::uint32_t> reduce_u32(std::span<const std::uint32_t> src, std::uint64_t n,
                                      std::uint64_t group_size) {
  require_elements("reduce_u32", "src", src.size(), n);
  if (!std::has_single_bit(group_size)) {
    refuse("reduce_u32", "group size " + std::to_string(group_size) + " is not a power of two; take one");
  }
  std::vector<std::uint32_t> sums(n / group_size + (n % group_size != 0 ? 1 : 0), 0);
  for (std::uint64_t i = 0; i < n; ++i) sums[i / group_size] += src[i];
  return sums;
}

std::vector<std::uint64_t> fold_u64(std::span<const std::uint64_t> cells, std::uint64_t op, std::uint64_t n) {
  require_elements("fold_u64", "cells", cells.size(), n);
  std::vector<std::uint64_t> after = contents(cells);
  for (std::uint64_t i = 0; i < n; ++i) after[i] = mix(cells[i], op);
  return after;
}

std::vector<std::uint64_t> first_kept_u64() {
  std::vector<std::uint64_t> cells;
  std::uint64_t value = 0;
  while (cells.size() < kKeptCells) cells.push_back(value += 0x9E37'79B9'7F4A'7C15);
  return cells;
}

KeptOutcome kept_u64(std::span<const std::uint64_t> out, std::span<const std::uint64_t> kept,
                     std::uint64_t op, std::uint64_t n) {
  require_elements("kept_u64", "out", out.size(), n);
  require_elements("kept_u64", "kept", kept.size(), n);
  KeptOutcome after = {contents(out), fold_u64(kept, op, n)};
  for (std::uint64_t i = 0; i < n; ++i) after.out[i] = kept[i];
  return after;
}

std::vector<std::uint64_t> fold2_u64(std::span<const std::uint64_t> dst, std::span<const std::uint64_t> src,
                                     std::uint64_t op, std::uint64_t n) {
  require_elements("fold2_u64", "dst", dst.size(), n);
  require_elements("fold2_u64", "src", src.size(), n);
  std::vector<std::uint64_t> after = contents(dst);
  for (std::uint64_t i = 0; i < n; ++i) after[i] = mix(mix(dst[i], src[i]), op);
  return after;
}

GateOutcome gate_u32(std::uint32_t flag, std::uint32_t open) {
  return {.entered = 1, .returns = flag >= open};
}

std::uint64_t chase_u64(std::span<const MemoryBlock> memory, std::uint64_t head, std::uint32_t steps) {
  std::uint64_t p = head;
  for (std::uint32_t step = 0; step < steps; ++step) p = read_word(memory, p);
  return read_word(memory, p + sizeof(std::uint64_t));
}

std::vector<std::uint32_t> ids_u32(Extent global, Extent group) {
  if (group.x == 0 || group.y == 0 || group.z == 0 || global.x == 0 || global.y == 0 || global.z == 0 ||
      global.x % group.x != 0 || global.y % group.y != 0 || global.z % group.z != 0) {
    refuse("ids_u32", "the group does not divide the grid in every dimension; take one that does");
  }
  std::vector<std::uint32_t> out;
  out.reserve(19 * count_items(global));
  for (std::uint32_t z = 0; z < global.z; ++z) {
    for (std::uint32_t y = 0; y < global.y; ++y) {
      for (std::uint32_t x = 0; x < global.x; ++x) {
        out.insert(out.end(), {x, y, z,                                //
                               x % group.x, y % group.y, z % group.z,  //
                               x / group.x, y / group.y, z / group.z,  //
                               group.x * group.y * group.z,            //
                               global.x, global.y, global.z,           //
                               group.x, group.y, group.z,              //
                               global.x / group.x, global.y / group.y, global.z / group.z});
      }
    }
  }
  return out;
}

bool trap_u32(std::uint32_t flag) { return flag != 0; }

std::uint64_t mix(std::uint64_t c, std::uint64_t v) {
  return (std::rotl(c, 5) ^ v) * 0x9E3779B97F4A7C15u + 0x7F4A7C15u;
}

FoldHistory::FoldHistory(std::uint64_t initial, std::initializer_list<std::uint64_t> ops)
    : initial_(initial), words_(ops) {}

FoldHistory::FoldHistory(std::uint64_t initial, std::span<const std::uint64_t> ops)
    : initial_(initial), words_(ops.begin(), ops.end()) {}

FoldHistory& FoldHistory::fold(std::uint64_t op) {
  words_.push_back(op);
  return *this;
}

FoldHistory& FoldHistory::fold2(std::uint64_t src, std::uint64_t op) { return fold(src).fold(op); }

std::uint64_t FoldHistory::value() const {
  std::uint64_t cell = initial_;
  for (const std::uint64_t word : words_) cell = mix(cell, word);
  return cell;
}

}  // namespace xhal::oracle
