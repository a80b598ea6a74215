// SPDX-License-Identifier: Apache-2.0
#include "engine/move_bytes.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace xhal::sim {
namespace {

// A few milliseconds of copying: how long a reset waits for a copy that runs.
constexpr uint64_t kPiece = uint64_t{16} << 20;

// The pattern repeated to 8 bytes: a multiple of every pattern's size, so that each piece starts with a whole pattern.
uint64_t repeated(uint64_t pattern, uint32_t pattern_size) {
  switch (pattern_size) {
    case 1:
      return (pattern & 0xff) * 0x0101010101010101u;
    case 2:
      return (pattern & 0xffff) * 0x0001000100010001u;
    case 4:
      return (pattern & 0xffffffff) * 0x0000000100000001u;
    default:
      return pattern;
  }
}

// A word that lies at a multiple of its size moves in one piece and in order, as a device moves it: a thread that looks at the place
// meanwhile sees what was there or what comes, and with the latter all that the stream wrote before.
template <typename Word>
bool is_aligned(const std::byte* place) {
  return reinterpret_cast<uintptr_t>(place) % sizeof(Word) == 0;
}

template <typename Word>
bool store_word(std::byte* destination, Word word) {
  if (!is_aligned<Word>(destination)) return false;
  __atomic_store_n(reinterpret_cast<Word*>(destination), word, __ATOMIC_RELEASE);
  return true;
}

template <typename Word>
bool move_word(std::byte* destination, const std::byte* source) {
  return is_aligned<Word>(source) &&
         store_word(destination, __atomic_load_n(reinterpret_cast<const Word*>(source), __ATOMIC_ACQUIRE));
}

// False when it is not one such word.
bool moved_as_word(std::byte* destination, const std::byte* source, uint64_t size) {
  switch (size) {
    case 1:
      return move_word<uint8_t>(destination, source);
    case 2:
      return move_word<uint16_t>(destination, source);
    case 4:
      return move_word<uint32_t>(destination, source);
    case 8:
      return move_word<uint64_t>(destination, source);
    default:
      return false;
  }
}

bool filled_as_word(std::byte* destination, uint64_t word, uint64_t size) {
  switch (size) {
    case 1:
      return store_word(destination, static_cast<uint8_t>(word));
    case 2:
      return store_word(destination, static_cast<uint16_t>(word));
    case 4:
      return store_word(destination, static_cast<uint32_t>(word));
    case 8:
      return store_word(destination, word);
    default:
      return false;
  }
}

void fill_words(std::byte* destination, uint64_t word, uint64_t size) {
  // Copied from a small block: the library's memcpy has the widest stores of the machine, this file's instructions have not.
  uint64_t block[256];
  std::fill_n(block, std::min<uint64_t>(std::size(block), size / sizeof(word) + 1), word);
  while (size > sizeof(block)) {
    std::memcpy(destination, block, sizeof(block));
    destination += sizeof(block);
    size -= sizeof(block);
  }
  std::memcpy(destination, block, size);
}

}  // namespace

bool move_bytes(std::byte* destination, const std::byte* source, uint64_t size,
                const std::atomic<bool>& abandoned) {
  if (moved_as_word(destination, source, size)) return true;
  while (size > kPiece) {
    std::memcpy(destination, source, kPiece);
    destination += kPiece;
    source += kPiece;
    size -= kPiece;
    if (abandoned.load(std::memory_order_relaxed)) return false;
  }
  std::memcpy(destination, source, size);
  return true;
}

bool fill_bytes(std::byte* destination, uint64_t pattern, uint32_t pattern_size, uint64_t size,
                const std::atomic<bool>& abandoned) {
  const uint64_t word = repeated(pattern, pattern_size);
  if (filled_as_word(destination, word, size)) return true;
  while (size != 0) {
    const uint64_t piece = std::min(size, kPiece);
    if (pattern_size == 1) {
      std::memset(destination, static_cast<int>(word & 0xff), piece);
    } else {
      fill_words(destination, word, piece);
    }
    destination += piece;
    size -= piece;
    if (size != 0 && abandoned.load(std::memory_order_relaxed)) return false;
  }
  return true;
}

bool move_region(const Region& region, const std::atomic<bool>& abandoned) {
  uint64_t row = region.extent[0];
  uint64_t rows = region.extent[1];
  uint64_t slices = region.extent[2];
  // What lies without a gap on both sides is one row.
  if (region.destination_pitch == row && region.source_pitch == row) {
    row *= rows;
    rows = 1;
    if (region.destination_slice_pitch == row && region.source_slice_pitch == row) {
      row *= slices;
      slices = 1;
    }
  }
  uint64_t since_asked = 0;
  for (uint64_t z = 0; z < slices; ++z) {
    std::byte* destination = region.destination + z * region.destination_slice_pitch;
    const std::byte* source = region.source + z * region.source_slice_pitch;
    for (uint64_t y = 0; y < rows; ++y) {
      if (since_asked >= kPiece) {
        since_asked = 0;
        if (abandoned.load(std::memory_order_relaxed)) return false;
      }
      if (!move_bytes(destination, source, row, abandoned)) return false;
      since_asked += row;
      destination += region.destination_pitch;
      source += region.source_pitch;
    }
  }
  return true;
}

}  // namespace xhal::sim
