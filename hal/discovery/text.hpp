// SPDX-License-Identifier: Apache-2.0
// Words for messages: whatever bytes come in, one clean line goes out. [XHAL-LOADER-44]
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xhal::discovery {

// Length of the UTF-8 sequence that `text` starts with; 0 when it is not valid (overlong, surrogate, above U+10FFFF, cut off).
std::size_t utf8_sequence_length(std::string_view text);

// Control characters and broken UTF-8 become \xNN, so that the result is one printable line; cut after max_bytes.
std::string printable(std::string_view text, std::size_t max_bytes = 4096);

// printable() in single quotes.
std::string quoted(std::string_view text, std::size_t max_bytes = 4096);

std::string quoted_list(const std::vector<std::string>& names);

// The one of `known` that a slip of the keyboard away from `word` is nearest; nothing when none is near.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known);

// " (did you mean 'x'?)", or "".
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);

}  // namespace xhal::discovery
