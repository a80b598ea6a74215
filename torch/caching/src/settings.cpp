// SPDX-License-Identifier: Apache-2.0
#include "xhal/caching/settings.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <vector>

namespace xhal::caching {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kMostMiB = UINT64_MAX / kMiB;

// Keys, values and the signs between them; blanks separate nothing.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> out;
  std::string word;
  const auto finish = [&] {
    if (!word.empty()) out.push_back(std::move(word));
    word.clear();
  };
  for (const char c : text) {
    if (std::string_view(",:[]").find(c) != std::string_view::npos) {
      finish();
      out.emplace_back(1, c);
    } else if (std::string_view(" \t\r\n").find(c) == std::string_view::npos) {
      word += c;
    }
  }
  finish();
  return out;
}

template <typename T>
std::optional<T> number(std::string_view word) {
  T value{};
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

// Reads one "key:value, key:[from:steps, ...]" after the other.
class Reader {
 public:
  explicit Reader(std::string_view text) : words_(words_of(text)) {}

  std::optional<std::string> read(Settings& settings) {
    while (at_ < words_.size()) {
      if (peek() == ",") {
        ++at_;
        continue;
      }
      const std::string key = next();
      if (next() != ":") return "'" + key + "' has no value; write " + key + ":VALUE";
      if (std::optional<std::string> wrong = read_value(key, settings)) return wrong;
      if (at_ < words_.size() && peek() != ",")
        return "after the value of '" + key + "' comes '" + peek() + "', not a comma";
    }
    return std::nullopt;
  }

 private:
  std::string peek() const { return at_ < words_.size() ? words_[at_] : std::string(); }
  std::string next() {
    std::string out = peek();
    ++at_;
    return out;
  }

  std::optional<std::string> read_value(const std::string& key, Settings& settings) {
    if (key == "max_split_size_mb") return read_mib(key, settings.max_split_bytes);
    if (key == "max_non_split_rounding_mb") return read_mib(key, settings.max_waste_bytes);
    if (key == "large_segment_size_mb") return read_mib(key, settings.large_segment_bytes);
    if (key == "garbage_collection_threshold") return read_part(key, settings.collect_above);
    if (key == "roundup_power2_divisions") return read_divisions(key, settings);
    if (key == "expandable_segments") return read_bool(key, settings.expandable);
    if (key.starts_with("pinned_") || key == "backend") return pass_over(key);
    return "'" + key + "' is not known";
  }

  std::optional<std::string> read_mib(const std::string& key, uint64_t& out) {
    const std::string word = next();
    const auto value = number<uint64_t>(word);
    if (!value || *value > kMostMiB) return key + ": '" + word + "' is not a number of MiB";
    out = *value * kMiB;
    return std::nullopt;
  }
  std::optional<std::string> read_part(const std::string& key, double& out) {
    const std::string word = next();
    const auto value = number<double>(word);
    if (!value) return key + ": '" + word + "' is not a number";
    out = *value;
    return std::nullopt;
  }
  std::optional<std::string> read_bool(const std::string& key, bool& out) {
    const std::string word = next();
    const bool is_true = word == "True" || word == "true";
    if (!is_true && word != "False" && word != "false")
      return key + ": '" + word + "' is neither True nor False";
    out = is_true;
    return std::nullopt;
  }
  std::optional<std::string> pass_over(const std::string& key) {
    if (next() != "[") return std::nullopt;
    while (at_ < words_.size() && peek() != "]") ++at_;
    return next() == "]" ? std::nullopt : std::optional(key + ": the list has no end");
  }

  std::optional<std::string> read_steps(const std::string& key, uint32_t& out) {
    const std::string word = next();
    const auto value = number<uint32_t>(word);
    if (!value || (*value != 0 && !std::has_single_bit(*value)))
      return key + ": '" + word + "' is not a power of two";
    out = *value;
    return std::nullopt;
  }
  // "4", or "[256:1,512:2,>:4]": for requests below twice the size, in MiB, that are not for the entry before; ">" is for all others.
  std::optional<std::string> read_divisions(const std::string& key, Settings& settings) {
    auto& divisions = settings.divisions;
    if (peek() != "[") {
      uint32_t steps = 0;
      if (auto wrong = read_steps(key, steps)) return wrong;
      divisions.fill(steps);
      return std::nullopt;
    }
    next();
    divisions.fill(0);
    size_t filled = 0;
    uint32_t steps = 0;
    while (peek() != "]") {
      const std::string size = next();
      if (size.empty()) return key + ": the list has no end";
      if (next() != ":") return key + ": '" + size + "' has no number of steps";
      if (auto wrong = read_steps(key, steps)) return wrong;
      size_t until = divisions.size();
      if (size != ">") {
        const auto mib = number<uint64_t>(size);
        if (!mib || !std::has_single_bit(*mib)) return key + ": '" + size + "' is not a power of two of MiB";
        until = std::min<size_t>(static_cast<size_t>(std::countr_zero(*mib)) + 1, divisions.size());
        if (until <= filled) return key + ": '" + size + "' is not above the size before it";
      }
      for (; filled < until; ++filled) divisions[filled] = steps;
      if (peek() == ",") next();
    }
    next();
    return std::nullopt;
  }

  std::vector<std::string> words_;
  size_t at_ = 0;
};

constexpr uint64_t kTooLarge = UINT64_MAX;

uint64_t rounded_up(uint64_t bytes, uint64_t unit) {
  return bytes > UINT64_MAX - (unit - 1) ? kTooLarge : (bytes + unit - 1) / unit * unit;
}

}  // namespace

std::optional<std::string> Settings::parse(std::string_view text) {
  Settings changed = *this;
  if (auto wrong = Reader(text).read(changed)) return wrong;
  if (auto wrong = changed.check()) return wrong;
  *this = changed;
  return std::nullopt;
}

std::optional<std::string> Settings::check() const {
  if (large_segment_bytes < kSegmentUnit || large_segment_bytes % kSegmentUnit != 0)
    return "large_segment_size_mb is an even number of MiB, at least 2";
  if (large_segment_bytes < kLeastOwnSegment)
    return "large_segment_size_mb is at least 10: larger requests alone have a segment of their own";
  if (max_split_bytes <= large_segment_bytes) return "max_split_size_mb is more than large_segment_size_mb";
  if (!(collect_above >= 0 && collect_above < 1)) return "garbage_collection_threshold is in [0, 1)";
  for (const uint32_t steps : divisions)
    if (steps != 0 && !std::has_single_bit(steps)) return "roundup_power2_divisions are powers of two";
  return std::nullopt;
}

uint64_t Settings::rounded(uint64_t bytes) const {
  if (bytes <= kBlockUnit) return kBlockUnit;
  const auto log2 = static_cast<size_t>(std::bit_width(bytes)) - 1;
  const size_t step = std::min(log2 < 20 ? 0 : log2 - 20, divisions.size() - 1);
  const uint32_t steps = divisions[step];
  const uint64_t floor = uint64_t{1} << log2;
  // Steps below a block's unit round nothing.
  if (steps > 1 && bytes > kBlockUnit * steps && floor / steps >= kBlockUnit)
    return rounded_up(bytes, floor / steps);
  return rounded_up(bytes, kBlockUnit);
}

uint64_t Settings::segment_for(uint64_t block_bytes) const {
  if (block_bytes <= kMostSmall) return kSmallSegment;
  if (block_bytes < kLeastOwnSegment) return large_segment_bytes;
  return rounded_up(block_bytes, kSegmentUnit);
}

}  // namespace xhal::caching
