// SPDX-License-Identifier: Apache-2.0
#include <type_traits>

#include "element_oracles.h"
#include "oracles.h"

namespace xhal::oracle {
namespace {

template <typename T>
void fill_with_top_bits(std::span<T> out, std::uint64_t seed) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] =
        static_cast<T>(static_cast<std::make_unsigned_t<T>>(random_word(seed, i) >> (64 - 8 * sizeof(T))));
  }
}

}  // namespace

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

void fill_random(std::span<std::int8_t> out, std::uint64_t seed) { fill_with_top_bits(out, seed); }
void fill_random(std::span<std::int16_t> out, std::uint64_t seed) { fill_with_top_bits(out, seed); }
void fill_random(std::span<std::int32_t> out, std::uint64_t seed) { fill_with_top_bits(out, seed); }
void fill_random(std::span<std::int64_t> out, std::uint64_t seed) { fill_with_top_bits(out, seed); }

void fill_random(std::span<double> out, std::uint64_t seed) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<double>(exact_f32(seed, i));
}

void fill_random(std::span<F16> out, std::uint64_t seed) {
  // Without the exponent's highest bit.
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i].bits = static_cast<std::uint16_t>(random_word(seed, i) >> 48 & 0xBFFF);
  }
}

void fill_random(std::span<Bf16> out, std::uint64_t seed) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::uint64_t word = random_word(seed, i);
    const std::uint64_t exponent = 112 + (word >> 58 & 31);
    out[i].bits = static_cast<std::uint16_t>((word >> 63) << 15 | exponent << 7 | (word >> 40 & 0x7F));
  }
}

}  // namespace xhal::oracle
