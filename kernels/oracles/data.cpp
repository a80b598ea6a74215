// SPDX-License-Identifier: Apache-2.0
#include "oracles.h"

namespace xhal::oracle {

std::uint64_t random_word(std::uint64_t seed, std::uint64_t index) {
  std::uint64_t z = seed + (index + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

float exact_f32(std::uint64_t seed, std::uint64_t index) {
  const auto ten_bits = static_cast<int>(random_word(seed, index) >> 54);
  return static_cast<float>(2 * ten_bits - 1023) / 16.0f;
}

void fill_random(std::span<std::uint8_t> out, std::uint64_t seed) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(random_word(seed, i) >> 56);
}

void fill_random(std::span<std::uint32_t> out, std::uint64_t seed) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<std::uint32_t>(random_word(seed, i) >> 32);
  }
}

void fill_random(std::span<std::uint64_t> out, std::uint64_t seed) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = random_word(seed, i);
}

void fill_random(std::span<float> out, std::uint64_t seed) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = exact_f32(seed, i);
}

}  // namespace xhal::oracle
