// SPDX-License-Identifier: Apache-2.0
#include "device/notes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "device/quirks.hpp"

namespace xhal::opencl {
namespace {

DeviceFacts facts(MemoryPath path, const char* platform, const char* device) {
  DeviceFacts out = {};
  out.path = path;
  std::snprintf(out.platform_name, sizeof(out.platform_name), "%s", platform);
  std::snprintf(out.name, sizeof(out.name), "%s", device);
  return out;
}

std::string text_of(const std::vector<xhal_device_note_t>& notes, std::string_view topic) {
  const auto found = std::ranges::find_if(notes, [&](const auto& note) { return note.topic == topic; });
  return found == notes.end() ? "" : found->text;
}

TEST(Notes, TellTheMemoryPath) {
  EXPECT_EQ(text_of(notes_of(facts(MemoryPath::kUsm, "any", "any")), "memory"),
            "unified memory (cl_intel_unified_shared_memory)");
  EXPECT_EQ(text_of(notes_of(facts(MemoryPath::kSvm, "any", "any")), "memory"),
            "fine-grained shared virtual memory");
  EXPECT_EQ(text_of(notes_of(facts(MemoryPath::kBuffers, "any", "any")), "memory"),
            "plain buffers with addresses of this driver's own");
}

// Whole, too: a row that is longer than its field is to be shortened by hand.
TEST(Notes, TellEveryQuirkThatIsInForceAndNoOther) {
  for (const QuirkRow& row : all_quirks()) {
    DeviceFacts one = facts(MemoryPath::kSvm, row.platform, row.device);
    std::snprintf(one.driver_version, sizeof(one.driver_version), "%s", row.version_prefix);
    size_t quirks = 0;
    bool is_there = false;
    for (const xhal_device_note_t& note : notes_of(one)) {
      if (note.kind != XHAL_NOTE_QUIRK) continue;
      ++quirks;
      EXPECT_STRNE(note.topic, "");
      is_there |= note.text == std::string(row.symptom) + ": " + row.workaround &&
                  std::string_view(note.link) == row.link;
    }
    EXPECT_TRUE(is_there) << row.symptom;
    EXPECT_EQ(quirks, std::ranges::count_if(all_quirks(), [&](const auto& it) { return applies(it, one); }));
  }
  const auto none = notes_of(facts(MemoryPath::kSvm, "Another", "device"));
  EXPECT_TRUE(std::ranges::none_of(none, [](const auto& note) { return note.kind == XHAL_NOTE_QUIRK; }));
}

TEST(Notes, AreOnePrintableLineWhateverAVendorCallsItself) {
  DeviceFacts one = facts(MemoryPath::kSvm, "two\nlines\x7f", "any");
  EXPECT_EQ(text_of(notes_of(one), "platform"), "two?lines?");
  for (const xhal_device_note_t& note : notes_of(one)) EXPECT_STRNE(note.text, "");
  // Cut by the vendor within a letter, and a byte that is none.
  std::snprintf(one.driver_version, sizeof(one.driver_version), "%s", "1\xff.\xc3\xa4.\xe2\x82");
  EXPECT_EQ(text_of(notes_of(one), "driver version"), "1?.\xc3\xa4.??");
}

}  // namespace
}  // namespace xhal::opencl
