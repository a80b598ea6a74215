// SPDX-License-Identifier: Apache-2.0
// What the output may look like: colour, width, one-line errors.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace xhal::tools {

// Colour only on a terminal, and never with NO_COLOR set to anything or TERM=dumb.
bool use_color(std::FILE* stream);
// Columns of the terminal, from the device or COLUMNS; `fallback` where there is none.
int terminal_width(std::FILE* stream, int fallback);

enum class Style { kBold, kDim, kRed, kGreen, kYellow };
// `text` between escape codes, or as it is without colour.
std::string styled(std::string_view text, Style style, bool color);

// Control characters and broken UTF-8 made harmless and the text kept to one line: names come from drivers.
std::string printable(std::string_view text);

// "xhal-info: text" on stderr, one line.
void print_error(std::string_view tool, std::string_view text);

}  // namespace xhal::tools
