// SPDX-License-Identifier: Apache-2.0
// What a driver tells people of a device.
#include <algorithm>
#include <cstring>
#include <vector>

#include "suite/support.h"
#include "suite/texts.h"

namespace xhal::conformance {
namespace {

constexpr uint32_t kFirstRevision = 2;

std::vector<xhal_device_note_t> sized(uint32_t count) {
  std::vector<xhal_device_note_t> notes(count);
  for (auto& note : notes) {
    std::memset(static_cast<void*>(&note), 0x5A, sizeof(note));
    note.struct_size = sizeof(note);
  }
  return notes;
}

// Whether the driver has the call; one that is older need not.
bool lists_notes(Context& t, uint32_t& count, size_t i = 0) {
  const xhal_result_t result =
      xhal_device_get_notes(t.device(i), 0, sizeof(xhal_device_note_t), nullptr, &count);
  xhal_driver_properties_t driver{};
  driver.struct_size = sizeof(driver);
  REQUIRE_OK(xhal_driver_get_properties(t.driver(), &driver));
  if (driver.abi_revision < kFirstRevision && result == XHAL_ERROR_UNSUPPORTED) return false;
  ASSERT_RESULT("XHAL-DEVICE-14", result, XHAL_SUCCESS);
  ASSERT_CLAUSE("XHAL-DEVICE-14", count < 1000, "device {} lists {} notes", i, count);
  return true;
}

XHAL_TEST(device, notes, .clauses = {"XHAL-DEVICE-14"},
          .observes = "the notes of every device, at every capacity, before anything opens its context") {
  for (size_t i = 0; i < t.device_count(); ++i) {
    uint32_t before = 0;
    REQUIRE_OK(xhal_device_is_active(t.device(i), &before));
    uint32_t count = 77;
    if (!lists_notes(t, count, i)) {
      t.substitute("the driver is from before there were notes");
      return;
    }
    std::vector<xhal_device_note_t> first;
    for (uint32_t capacity = 1; capacity <= count + 1; ++capacity) {
      std::vector<xhal_device_note_t> notes = sized(capacity);
      uint32_t told = 77;
      EXPECT_RESULT(
          "XHAL-DEVICE-14",
          xhal_device_get_notes(t.device(i), capacity, sizeof(xhal_device_note_t), notes.data(), &told),
          capacity < count ? XHAL_INCOMPLETE : XHAL_SUCCESS);
      EXPECT_VALUE("XHAL-DEVICE-14", told, count);
      for (uint32_t k = 0; k < std::min(capacity, count); ++k) {
        const xhal_device_note_t& note = notes[k];
        EXPECT_CLAUSE("XHAL-DEVICE-14", note.kind == XHAL_NOTE_FACT || note.kind == XHAL_NOTE_QUIRK,
                      "note {} is of kind {}", k, note.kind);
        EXPECT_CLAUSE("XHAL-DEVICE-14", is_line(note.topic) && note.topic[0] != 0, "the topic of note {}", k);
        EXPECT_CLAUSE("XHAL-DEVICE-14", is_line(note.text) && note.text[0] != 0, "the text of note {}", k);
        EXPECT_CLAUSE("XHAL-DEVICE-14", is_line(note.link), "the link of note {}", k);
        // The same each time, so that of the note before is compared too.
        if (k < first.size())
          EXPECT_CLAUSE("XHAL-DEVICE-14", std::memcmp(&first[k], &note, sizeof(note)) == 0,
                        "note {} is another one the second time", k);
      }
      notes.resize(std::min(capacity, count));
      first = std::move(notes);
    }
    uint32_t after = 0;
    REQUIRE_OK(xhal_device_is_active(t.device(i), &after));
    EXPECT_VALUE("XHAL-DEVICE-14", after, before, "device {}: whether its context is open", i);
  }
}

XHAL_TEST(device, note_strides, .clauses = {"XHAL-ABI-10", "XHAL-INSTANCE-5", "XHAL-DEVICE-14"},
          .observes = "notes into padded elements, strides below the first size, and null arrays") {
  uint32_t count = 0;
  if (!lists_notes(t, count)) {
    t.substitute("the driver is from before there were notes");
    return;
  }
  const uint32_t capacity = std::max(count, 1u);
  constexpr uint32_t kSize = sizeof(xhal_device_note_t);
  constexpr uint32_t kFirst = 424;
  static_assert(kSize >= kFirst);
  std::vector<xhal_device_note_t> tight = sized(capacity);
  EXPECT_RESULT("XHAL-ABI-10", xhal_device_get_notes(t.device(), capacity, kSize, tight.data(), &count),
                XHAL_SUCCESS);
  constexpr uint32_t kStride = kSize + 64;
  std::vector<uint8_t> wide(size_t{capacity} * kStride, 0x5A);
  for (uint32_t i = 0; i < capacity; ++i)
    std::memcpy(wide.data() + size_t{i} * kStride, &kSize, sizeof(kSize));
  EXPECT_RESULT("XHAL-ABI-10",
                xhal_device_get_notes(t.device(), capacity, kStride,
                                      reinterpret_cast<xhal_device_note_t*>(wide.data()), &count),
                XHAL_SUCCESS);
  for (uint32_t i = 0; i < count; ++i) {
    const uint8_t* const element = wide.data() + size_t{i} * kStride;
    EXPECT_CLAUSE("XHAL-ABI-10", std::memcmp(&tight[i], element, kSize) == 0, "note {}", i);
    EXPECT_CLAUSE("XHAL-ABI-10",
                  std::all_of(element + kSize, element + kStride, [](uint8_t byte) { return byte == 0x5A; }),
                  "bytes behind note {} were written", i);
  }
  for (const uint32_t stride : {1u, 4u, kFirst - 1})
    EXPECT_RESULT("XHAL-ABI-10", xhal_device_get_notes(t.device(), capacity, stride, tight.data(), &count),
                  XHAL_ERROR_INVALID_ARGUMENT, "stride {}", stride);
  EXPECT_RESULT("XHAL-INSTANCE-5", xhal_device_get_notes(t.device(), 1, kSize, nullptr, &count),
                XHAL_ERROR_INVALID_ARGUMENT, "a capacity and no array");
}

}  // namespace
}  // namespace xhal::conformance
