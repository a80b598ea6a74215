// SPDX-License-Identifier: Apache-2.0
#include "bench/rows/areas.hpp"

#include <algorithm>
#include <cstring>
#include <functional>

namespace xhal::bench {
namespace {

constexpr uint64_t kPiece = uint64_t{1} << 20;

// Calls `work(offset, size)` for one piece after the other.
template <class Work>
void by_pieces(uint64_t size, Work&& work) {
  for (uint64_t at = 0; at < size; at += kPiece) work(at, std::min(kPiece, size - at));
}

// A piece's words; the last one may stand out.
void make_pattern(std::vector<uint64_t>& words, uint64_t offset, uint64_t salt) {
  constexpr uint64_t kOdd = 0x9E3779B97F4A7C15u;
  const uint64_t first = offset / sizeof(uint64_t) + 1;
  for (size_t i = 0; i < words.size(); ++i) {
    const uint64_t word = (first + i + (salt << 40)) * kOdd;
    words[i] = word ^ word >> 32;  // so that the first bytes alone tell the salt, too
  }
}

uint64_t words_of(uint64_t size) { return (std::min(size, kPiece) + 7) / sizeof(uint64_t); }

}  // namespace

Area::Area(Bench& bench, Place place, uint64_t size)
    : size_(size), stream_(bench.make_stream(place == Place::kPeer ? 1 : 0)) {
  if (place == Place::kPageable) {
    pageable_.resize(size);
  } else {
    memory_.emplace(bench.make_memory(kind_of(place), size, place == Place::kPeer ? 1 : 0));
    clear();
  }
}

void Area::clear() {
  if (!memory_) {
    std::ranges::fill(pageable_, std::byte{0});
    return;
  }
  check("xhal_memory_fill", xhal_memory_fill(stream_, memory_->get(), 0, 1, size_));
  wait_for(stream_);
}

void Area::write(uint64_t offset, const void* from, uint64_t size) {
  void* const to = static_cast<std::byte*>(get()) + offset;
  if (!memory_) {
    std::memcpy(to, from, size);
    return;
  }
  check("xhal_memory_copy", xhal_memory_copy(stream_, to, from, size));
  wait_for(stream_);
}

void Area::read(uint64_t offset, void* to, uint64_t size) {
  const void* const from = static_cast<std::byte*>(get()) + offset;
  if (!memory_) {
    std::memcpy(to, from, size);
    return;
  }
  check("xhal_memory_copy", xhal_memory_copy(stream_, to, from, size));
  wait_for(stream_);
}

void Area::write_pattern(uint64_t salt) {
  std::vector<uint64_t> words(words_of(size_));
  by_pieces(size_, [&](uint64_t at, uint64_t bytes) {
    make_pattern(words, at, salt);
    write(at, words.data(), bytes);
  });
}

void Area::expect_pattern(uint64_t salt) {
  std::vector<uint64_t> wanted(words_of(size_));
  std::vector<uint64_t> found(wanted.size());
  by_pieces(size_, [&](uint64_t at, uint64_t bytes) {
    make_pattern(wanted, at, salt);
    read(at, found.data(), bytes);
    if (std::memcmp(wanted.data(), found.data(), bytes) != 0)
      throw RowFailed("what was copied is not what was there, from byte " + std::to_string(at) + " on");
  });
  clear();
}

}  // namespace xhal::bench
