// SPDX-License-Identifier: Apache-2.0
#include "device/notes.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

#include "device/quirks.hpp"

namespace xhal::opencl {
namespace {

// How many bytes the letter at the beginning has; 0: it is none that can be printed.
size_t letter(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const size_t size = byte(0) < 0x80                       ? 1
                      : byte(0) >= 0xC2 && byte(0) <= 0xDF ? 2
                      : byte(0) >= 0xE0 && byte(0) <= 0xEF ? 3
                      : byte(0) >= 0xF0 && byte(0) <= 0xF4 ? 4
                                                           : 0;
  if (size == 0 || size > text.size() || byte(0) < 0x20 || byte(0) == 0x7F) return 0;
  for (size_t i = 1; i < size; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  return size;
}

// Vendors' names may hold anything, and may be cut within a letter: what cannot be printed becomes a question mark.
template <size_t N>
void put(char (&field)[N], std::string_view text) {
  size_t length = 0;
  while (!text.empty()) {
    const size_t size = letter(text);
    if (length + std::max<size_t>(size, 1) >= N) break;
    if (size == 0)
      field[length] = '?';
    else
      std::memcpy(field + length, text.data(), size);
    length += std::max<size_t>(size, 1);
    text.remove_prefix(std::max<size_t>(size, 1));
  }
  field[length] = '\0';
}

xhal_device_note_t note(uint32_t kind, std::string_view topic, std::string_view text, std::string_view link) {
  xhal_device_note_t out = {};
  out.kind = kind;
  put(out.topic, topic);
  put(out.text, text);
  put(out.link, link);
  return out;
}

const char* topic_of(Quirk quirk) {
  switch (quirk) {
    case kNoUserEvents:
      return "user events";
    case kStartsUnasked:
      return "flush";
    case kCachesPrograms:
      return "program cache";
    case kNoCalledKernels:
      return "called kernels";
    case kLowGroupLimit:
      return "group size";
    case kFinishRuns:
      return "waits";
  }
  return "driver";
}

}  // namespace

std::vector<xhal_device_note_t> notes_of(const DeviceFacts& facts) {
  std::vector<xhal_device_note_t> out;
  const auto fact = [&](std::string_view topic, std::string_view text) {
    if (!text.empty()) out.push_back(note(XHAL_NOTE_FACT, topic, text, ""));
  };
  fact("memory", name_of(facts.path));
  fact("platform", facts.platform_name);
  fact("opencl version", facts.platform_version);
  fact("driver version", facts.driver_version);
  fact("language", facts.language);
  for (const QuirkRow& row : all_quirks()) {
    if (!applies(row, facts)) continue;
    out.push_back(note(XHAL_NOTE_QUIRK, topic_of(row.quirk), std::string(row.symptom) + ": " + row.workaround,
                       row.link));
  }
  return out;
}

}  // namespace xhal::opencl
