// SPDX-License-Identifier: Apache-2.0
#include "group_oracles.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <stdexcept>
#include <string>

namespace xhal::oracle {
namespace {

void require(bool holds, const char* kernel, const char* what) {
  if (!holds) throw std::invalid_argument(std::string("oracle of xhal_") + kernel + ": " + what);
}
constexpr const char* kShort = "a buffer has fewer elements than the sizes say; pass a larger span";

template <typename T>
void update(std::span<T> cells, T word) {
  cells[0] += word;
  cells[1] -= word;
  cells[2] = std::min(cells[2], word);
  cells[3] = std::max(cells[3], word);
  cells[4] &= word;
  cells[5] |= word;
  cells[6] ^= word;
  ++cells[7];
  ++cells[8];
}

template <typename T>
std::vector<T> atomics_of(std::span<const T> cells, std::span<const T> src, std::uint64_t n) {
  require(cells.size() >= kAtomicCells && src.size() >= n, "atomics", kShort);
  std::vector<T> after(cells.begin(), cells.end());
  for (const T word : src.first(n)) update(std::span<T>(after), word);
  return after;
}

template <typename T>
std::vector<T> local_atomics_of(std::span<const T> src, std::uint64_t n, std::uint64_t group_size) {
  require(src.size() >= n, "local_atomics", kShort);
  require(group_size != 0, "local_atomics", "the group has no items");
  std::vector<T> out;
  for (std::uint64_t first = 0; first < n; first += group_size) {
    std::array<T, kAtomicCells> cells = {};
    cells[2] = cells[4] = static_cast<T>(-1);
    for (const T word : src.subspan(first, std::min(group_size, n - first)))
      update(std::span<T>(cells), word);
    out.insert(out.end(), cells.begin(), cells.end());
  }
  return out;
}

// The number of the group behind a group in its team: one more among the members' numbers, in the same box.
std::uint64_t follower_of(std::uint64_t group, const Counts& groups, const Counts& team) {
  const std::uint64_t x = group % groups[0];
  const std::uint64_t y = group / groups[0] % groups[1];
  const std::uint64_t z = group / groups[0] / groups[1];
  const std::uint64_t members = std::uint64_t{team[0]} * team[1] * team[2];
  const std::uint64_t own = x % team[0] + team[0] * (y % team[1] + team[1] * (z % team[2]));
  const std::uint64_t next = (own + 1) % members;
  const std::uint64_t next_x = x - x % team[0] + next % team[0];
  const std::uint64_t next_y = y - y % team[1] + next / team[0] % team[1];
  const std::uint64_t next_z = z - z % team[2] + next / team[0] / team[1];
  return next_x + groups[0] * (next_y + groups[1] * next_z);
}

}  // namespace

std::vector<std::uint32_t> scan_u32(std::span<const std::uint32_t> dst, std::span<const std::uint32_t> src,
                                    std::uint64_t n, std::uint64_t group_size) {
  require(dst.size() >= n && src.size() >= n, "scan_u32", kShort);
  require(group_size != 0, "scan_u32", "the group has no items");
  std::vector<std::uint32_t> after(dst.begin(), dst.end());
  std::uint32_t sum = 0;
  for (std::uint64_t i = 0; i < n; ++i) {
    if (i % group_size == 0) sum = 0;
    after[i] = sum += src[i];
  }
  return after;
}

std::vector<std::uint32_t> reverse_u32(std::span<const std::uint32_t> dst, std::span<const std::uint32_t> src,
                                       std::uint32_t chunk, std::uint64_t n) {
  require(dst.size() >= n && src.size() >= n, "reverse_u32", kShort);
  require(chunk != 0, "reverse_u32", "the chunk has no elements");
  std::vector<std::uint32_t> after(dst.begin(), dst.end());
  std::copy_n(src.begin(), n, after.begin());
  for (std::uint64_t first = 0; first < n; first += chunk) {
    const auto begin = after.begin() + static_cast<std::ptrdiff_t>(first);
    std::reverse(begin, begin + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(chunk, n - first)));
  }
  return after;
}

std::vector<std::uint32_t> transpose_u32(std::span<const std::uint32_t> dst,
                                         std::span<const std::uint32_t> src, std::uint32_t rows,
                                         std::uint32_t columns) {
  const std::uint64_t count = std::uint64_t{rows} * columns;
  require(dst.size() >= count && src.size() >= count, "transpose_u32", kShort);
  std::vector<std::uint32_t> after(dst.begin(), dst.end());
  for (std::uint64_t i = 0; i < count; ++i) after[i] = src[i % rows * columns + i / rows];
  return after;
}

std::vector<float> matmul_f32(std::span<const float> c, std::span<const float> a, std::span<const float> b,
                              std::uint32_t m, std::uint32_t n, std::uint32_t k) {
  require(c.size() >= std::uint64_t{m} * n && a.size() >= std::uint64_t{m} * k &&
              b.size() >= std::uint64_t{k} * n,
          "matmul_f32", kShort);
  std::vector<float> after(c.begin(), c.end());
  for (std::uint64_t row = 0; row < m; ++row) {
    for (std::uint64_t column = 0; column < n; ++column) {
      double sum = 0;
      double magnitude = 0;
      for (std::uint64_t inner = 0; inner < k; ++inner) {
        const double product =
            static_cast<double>(a[row * k + inner]) * static_cast<double>(b[inner * n + column]);
        if (product != std::floor(product)) magnitude = HUGE_VAL;
        sum += product;
        magnitude += std::fabs(product);
      }
      // Whole numbers below 2^24 are exact in f32, and so is each of their sums.
      if (!(magnitude < 16777216.0)) {
        throw std::domain_error(
            "oracle of xhal_matmul_f32: the sums depend on their order; take small whole numbers");
      }
      after[row * n + column] = static_cast<float>(sum);
    }
  }
  return after;
}

std::vector<std::uint32_t> atomics(std::span<const std::uint32_t> cells, std::span<const std::uint32_t> src,
                                   std::uint64_t n) {
  return atomics_of(cells, src, n);
}
std::vector<std::uint64_t> atomics(std::span<const std::uint64_t> cells, std::span<const std::uint64_t> src,
                                   std::uint64_t n) {
  return atomics_of(cells, src, n);
}
std::vector<std::uint32_t> local_atomics(std::span<const std::uint32_t> src, std::uint64_t n,
                                         std::uint64_t group_size) {
  return local_atomics_of(src, n, group_size);
}
std::vector<std::uint64_t> local_atomics(std::span<const std::uint64_t> src, std::uint64_t n,
                                         std::uint64_t group_size) {
  return local_atomics_of(src, n, group_size);
}

std::vector<std::uint64_t> meet_u64(std::span<const std::uint64_t> cells, const Counts& groups,
                                    std::uint64_t group_size, const Counts& team, std::uint32_t rounds) {
  std::uint64_t group_count = 1;
  for (std::size_t d = 0; d < 3; ++d) {
    require(team[d] != 0 && groups[d] % team[d] == 0, "meet_u64", "the teams do not divide the groups");
    group_count *= groups[d];
  }
  require(group_size != 0 && cells.size() == 2 * group_count * group_size, "meet_u64",
          "the cells are not two for each item");
  std::vector<std::uint64_t> follower;
  for (std::uint64_t group = 0; group < group_count; ++group)
    follower.push_back(follower_of(group, groups, team));
  const std::size_t half = cells.size() / 2;
  std::vector<std::uint64_t> old(cells.begin(), cells.begin() + static_cast<std::ptrdiff_t>(half));
  std::vector<std::uint64_t> other(cells.begin() + static_cast<std::ptrdiff_t>(half), cells.end());
  for (std::uint32_t round = 0; round < rounds; ++round) {
    for (std::uint64_t group = 0; group < group_count; ++group) {
      const std::uint64_t own = group * group_size;
      for (std::uint64_t item = 0; item < group_size; ++item) {
        const std::uint64_t neighbour = old[own + (item + 1 == group_size ? 0 : item + 1)];
        other[own + item] = mix(mix(neighbour, old[follower[group] * group_size + item]), round);
      }
    }
    std::swap(old, other);
  }
  // `old` was written last.
  const auto& first = rounds % 2 == 0 ? old : other;
  const auto& second = rounds % 2 == 0 ? other : old;
  std::vector<std::uint64_t> after(first);
  after.insert(after.end(), second.begin(), second.end());
  return after;
}

std::uint64_t spin_u64(std::uint64_t cell, std::uint64_t turns) {
  for (std::uint64_t turn = 0; turn < turns; ++turn) cell = mix(cell, turn);
  return cell;
}

std::array<std::uint64_t, 23> structs_u64(const Color& color, const Pair& pair, const Record& record,
                                          const Box& box, std::uint32_t last) {
  const auto bits = [](float value) { return std::uint64_t{std::bit_cast<std::uint32_t>(value)}; };
  const Pair& first = record.pairs[0];
  const Pair& second = record.pairs[1];
  const auto& bytes = record.bytes;
  return {color.red,
          color.green,
          color.blue,
          pair.key,
          bits(pair.weight),
          record.tag,
          static_cast<std::uint64_t>(std::int64_t{record.level}),
          first.key,
          bits(first.weight),
          second.key,
          bits(second.weight),
          record.count,
          bytes[0],
          bytes[1],
          bytes[2],
          bytes[3],
          bytes[4],
          bits(box.corner[0]),
          bits(box.corner[1]),
          bits(box.corner[2]),
          bits(box.corner[3]),
          box.id,
          last};
}

}  // namespace xhal::oracle
