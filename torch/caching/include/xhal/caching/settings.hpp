// SPDX-License-Identifier: Apache-2.0
// How memory is cached. The words of parse() are those of PYTORCH_ALLOC_CONF.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace xhal::caching {

inline constexpr uint64_t kBlockUnit = 512;                   // every block is a multiple of it
inline constexpr uint64_t kMostSmall = uint64_t{1} << 20;     // what is larger comes from the large pool
inline constexpr uint64_t kSmallSegment = uint64_t{2} << 20;  // small blocks share segments of this size
inline constexpr uint64_t kLeastOwnSegment = uint64_t{10}
                                             << 20;  // from here on a request has a segment of its own size
inline constexpr uint64_t kSegmentUnit = uint64_t{2} << 20;  // which is a multiple of this

struct Settings {
  // max_split_size_mb: a block of at least this is never split, and given out only for requests of at least this; above large_segment_bytes.
  uint64_t max_split_bytes = UINT64_MAX;
  // max_non_split_rounding_mb: such a block may be larger than the request by less than this.
  uint64_t max_waste_bytes = uint64_t{20} << 20;
  // large_segment_size_mb: large requests below kLeastOwnSegment share segments of this size; at least 10 MiB, a multiple of 2.
  uint64_t large_segment_bytes = uint64_t{20} << 20;
  // garbage_collection_threshold: above this part of the memory fraction old free blocks are given back before more is taken; 0: never.
  double collect_above = 0;
  // roundup_power2_divisions: steps between two powers of two to which a request is rounded up; [i] is for requests of [2^(20+i),
  // 2^(21+i)), the first for smaller ones too and the last for larger ones too. 0 and 1: multiples of kBlockUnit.
  std::array<uint32_t, 16> divisions{};
  // expandable_segments: one range of addresses a stream that grows at its end instead of many segments (feature vmm).
  bool expandable = false;

  // "max_split_size_mb:128,roundup_power2_divisions:[256:1,512:2,>:4]": changes what is named and returns nothing, or changes nothing and
  // returns what is wrong. Words for other allocators (pinned_..., backend) are passed over.
  std::optional<std::string> parse(std::string_view text);
  // What is wrong with the values, if anything.
  std::optional<std::string> check() const;

  // The size of the block for a request of this many bytes; UINT64_MAX when there is no such size.
  uint64_t rounded(uint64_t bytes) const;
  // The size of the segment that is taken for a block of this size.
  uint64_t segment_for(uint64_t block_bytes) const;
};

}  // namespace xhal::caching
