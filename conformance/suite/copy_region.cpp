// SPDX-License-Identifier: Apache-2.0
// Copies of rows and slices between pitched layouts.
#include <algorithm>

#include "suite/support.h"

namespace xhal::conformance {
namespace {

// One side: how its rows and slices lie, and where in its memory they begin.
struct Layout {
  uint64_t offset;
  uint64_t pitch;
  uint64_t slice_pitch;

  [[nodiscard]] uint64_t at(uint64_t row, uint64_t slice) const {
    return offset + row * pitch + slice * slice_pitch;
  }
  // Bytes from the beginning of the memory to the last one of the region.
  [[nodiscard]] uint64_t reach(const uint64_t (&extent)[3]) const {
    return at(extent[1] - 1, extent[2] - 1) + extent[0];
  }
};

struct Shape {
  const char* name;
  uint64_t extent[3];
  Layout source;
  Layout destination;
};

// Odd and even pitches, tight and wide ones, slices that are no multiple of the pitch.
constexpr Shape kShapes[] = {
    {"2d_odd", {13, 7, 1}, {3, 17, 0}, {5, 29, 0}},
    {"2d_tight", {64, 33, 1}, {0, 64, 0}, {1, 64, 0}},
    {"2d_wide", {1000, 40, 1}, {8, 1024, 0}, {0, 4096, 0}},
    {"2d_one_byte", {1, 257, 1}, {2, 3, 0}, {0, 2, 0}},
    {"row", {4099, 1, 1}, {1, 4099, 0}, {7, 5000, 0}},
    {"3d_odd", {13, 5, 7}, {1, 17, 91}, {4, 15, 101}},
    {"3d_tight", {32, 16, 8}, {0, 32, 512}, {0, 32, 512}},
    {"3d_whole_pitches", {100, 9, 6}, {0, 128, 1280}, {16, 256, 2560}},
    {"3d_one_row", {21, 1, 40}, {0, 21, 23}, {0, 32, 37}},
};

const Shape& shape_named(const std::string& name) {
  return *std::find_if(std::begin(kShapes), std::end(kShapes),
                       [&](const Shape& one) { return name == one.name; });
}

xhal_copy_region_t region_of(const Shape& shape, void* destination, const void* source) {
  xhal_copy_region_t region{};
  region.struct_size = sizeof(region);
  region.destination = static_cast<uint8_t*>(destination) + shape.destination.offset;
  region.source = static_cast<const uint8_t*>(source) + shape.source.offset;
  region.destination_pitch = shape.destination.pitch;
  region.destination_slice_pitch = shape.destination.slice_pitch;
  region.source_pitch = shape.source.pitch;
  region.source_slice_pitch = shape.source.slice_pitch;
  std::copy(std::begin(shape.extent), std::end(shape.extent), region.extent);
  return region;
}

// What the destination holds afterwards, byte by byte.
std::vector<uint8_t> copied(const Shape& shape, std::vector<uint8_t> destination,
                            const std::vector<uint8_t>& source) {
  for (uint64_t slice = 0; slice < shape.extent[2]; ++slice) {
    for (uint64_t row = 0; row < shape.extent[1]; ++row) {
      for (uint64_t byte = 0; byte < shape.extent[0]; ++byte)
        destination.at(shape.destination.at(row, slice) + byte) =
            source.at(shape.source.at(row, slice) + byte);
    }
  }
  return destination;
}

// Memory of the kind that a word names.
class Side {
 public:
  Side(Context& t, const std::string& kind, uint64_t bytes, size_t device = 0)
      : t_(t), bytes_(bytes), device_(device) {
    if (kind == "pageable") {
      pageable_ = t.host_bytes(bytes);
    } else {
      buffer_.emplace_back(t, kind == "device" ? XHAL_MEMORY_DEVICE : XHAL_MEMORY_PINNED, bytes, device);
    }
  }

  [[nodiscard]] uint8_t* get() const {
    return buffer_.empty() ? pageable_.data() : buffer_.front().as<uint8_t>();
  }
  void put(const std::vector<uint8_t>& bytes) {
    if (buffer_.empty()) {
      std::copy(bytes.begin(), bytes.end(), pageable_.begin());
    } else {
      t_.write(buffer_.front(), bytes, device_);
    }
  }
  std::vector<uint8_t> all() {
    if (buffer_.empty()) return {pageable_.begin(), pageable_.end()};
    return t_.read<uint8_t>(buffer_.front(), bytes_, device_);
  }

 private:
  Context& t_;
  uint64_t bytes_;
  size_t device_;
  std::span<uint8_t> pageable_;
  std::vector<Buffer> buffer_;
};

Cases directions_and_shapes() {
  Axis shapes{"shape", {}};
  for (const Shape& one : kShapes) shapes.values.emplace_back(one.name);
  return grid({{"from", {"device", "pinned", "pageable"}}, {"to", {"device", "pinned", "pageable"}}, shapes});
}

XHAL_TEST_P(
    region, copy, directions_and_shapes, .clauses = {"XHAL-REGION-1"},
    .observes =
        "the whole destination, rows, slices, gaps and guards, in memory that ends with the region's last "
        "byte and in memory that goes on; the source afterwards",
    .needs = {XHAL_FEATURE_COPY_REGION}) {
  const Shape& shape = shape_named(t.text("shape"));
  Stream stream(t);
  for (const uint64_t more : {uint64_t{0}, uint64_t{77}}) {
    const auto data = t.random_bytes(shape.source.reach(shape.extent) + more, 1);
    const auto before = t.random_bytes(shape.destination.reach(shape.extent) + more, 2);
    Side source(t, t.text("from"), data.size());
    Side destination(t, t.text("to"), before.size());
    source.put(data);
    destination.put(before);
    xhal_copy_region_t region = region_of(shape, destination.get(), source.get());
    if (shape.extent[2] == 1) {
      // Not read.
      region.source_slice_pitch = 1;
      region.destination_slice_pitch = ~uint64_t{0};
    }
    EXPECT_RESULT("XHAL-REGION-1", xhal_memory_copy_region(stream, &region), XHAL_SUCCESS);
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    EXPECT_DATA("XHAL-REGION-1", copied(shape, before, data), destination.all(), "{} bytes behind it", more);
    EXPECT_DATA("XHAL-REGION-1", data, source.all(), "the source");
  }
}

XHAL_TEST(
    region, between_devices, .clauses = {"XHAL-REGION-1", "XHAL-MEMORY-17"},
    .observes = "every shape from each device to the other, on a stream of either: the whole destination",
    .needs = {XHAL_FEATURE_COPY_REGION}, .devices = 2) {
  for (const size_t runner : {size_t{0}, size_t{1}}) {
    if (!t.claims(XHAL_FEATURE_COPY_REGION, runner)) continue;
    Stream stream(t, runner);
    for (const size_t from : {size_t{0}, size_t{1}}) {
      for (const Shape& shape : kShapes) {
        const auto data = t.random_bytes(shape.source.reach(shape.extent), 1);
        const auto before = t.random_bytes(shape.destination.reach(shape.extent) + 9, 2);
        Side source(t, "device", data.size(), from);
        Side destination(t, "device", before.size(), 1 - from);
        source.put(data);
        destination.put(before);
        const xhal_copy_region_t region = region_of(shape, destination.get(), source.get());
        EXPECT_RESULT("XHAL-MEMORY-17", xhal_memory_copy_region(stream, &region), XHAL_SUCCESS);
        REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
        EXPECT_DATA("XHAL-REGION-1", copied(shape, before, data), destination.all(),
                    "{}, device {} to {} on a stream of {}", shape.name, from, 1 - from, runner);
      }
    }
  }
}

Cases gates() { return grid({gate_axis()}); }

XHAL_TEST_P(
    region, in_stream_order, gates, .clauses = {"XHAL-REGION-1", "XHAL-STREAM-1"},
    .observes =
        "a region copy between a fill of its source and one of its destination behind a gate: nothing is "
        "there while the gate is shut, the rows between the fills' bytes after it",
    .needs = {XHAL_FEATURE_COPY_REGION}) {
  const Shape& shape = shape_named("3d_odd");
  const uint64_t source_bytes = shape.source.reach(shape.extent);
  const uint64_t bytes = shape.destination.reach(shape.extent);
  Stream stream(t);
  const Buffer source = device_memory(t, source_bytes);
  const Buffer destination = pinned_memory(t, bytes);
  t.write(source, std::vector<uint8_t>(source_bytes, 1));
  std::fill(destination.host().begin(), destination.host().end(), uint8_t{2});
  Gate gate(t, stream, gate_kind(t.text("hold")));
  if (may_block(t, XHAL_COPY_DEVICE_TO_PINNED)) gate.open();
  REQUIRE_OK(xhal_memory_fill(stream, destination, 3, 1, bytes));
  REQUIRE_OK(xhal_memory_fill(stream, source, 4, 1, source_bytes));
  const xhal_copy_region_t region = region_of(shape, destination, source);
  EXPECT_RESULT("XHAL-REGION-1", xhal_memory_copy_region(stream, &region), XHAL_SUCCESS);
  REQUIRE_OK(xhal_memory_fill(stream, source, 5, 1, source_bytes));
  if (gate.held()) {
    if (t.witness(gate))
      EXPECT_CLAUSE("XHAL-STREAM-1", destination.host()[shape.destination.offset] == 2,
                    "the copy overtook a gate");
    EXPECT_CLAUSE("XHAL-REGION-1", gate.held(), "the copy waited, which copy_blocks does not declare");
  }
  gate.open();
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA("XHAL-STREAM-1",
              copied(shape, std::vector<uint8_t>(bytes, 3), std::vector<uint8_t>(source_bytes, 4)),
              std::vector<uint8_t>(destination.host().begin(), destination.host().end()));
}

XHAL_TEST_P(region, pageable_source_is_consumed, gates, .clauses = {"XHAL-REGION-1", "XHAL-MEMORY-8"},
            .observes = "a pageable source overwritten right behind the call while a gate holds the stream",
            .needs = {XHAL_FEATURE_COPY_REGION}) {
  const Shape& shape = shape_named("2d_wide");
  const auto data = t.random_bytes(shape.source.reach(shape.extent));
  const std::vector<uint8_t> before(shape.destination.reach(shape.extent), 0x66);
  Stream stream(t);
  const Buffer destination = device_memory(t, before.size());
  const auto source = t.host_bytes(data.size());
  t.write(destination, before);
  std::copy(data.begin(), data.end(), source.begin());
  Gate gate(t, stream, gate_kind(t.text("hold")));
  if (may_block(t, XHAL_COPY_PAGEABLE_TO_DEVICE)) gate.open();
  const bool held = gate.held();
  const xhal_copy_region_t region = region_of(shape, destination, source.data());
  REQUIRE_OK(xhal_memory_copy_region(stream, &region));
  std::fill(source.begin(), source.end(), uint8_t{0xEE});
  if (held)
    EXPECT_CLAUSE("XHAL-REGION-1", gate.held(), "the copy waited, which copy_blocks does not declare");
  gate.open();
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA("XHAL-MEMORY-8", copied(shape, before, data), t.read<uint8_t>(destination, before.size()));
}

// A good region of two slices and what may be wrong with one.
constexpr Shape kGood = {"good", {16, 4, 2}, {0, 20, 100}, {0, 24, 120}};

XHAL_TEST(
    region, refusals, .clauses = {"XHAL-REGION-2", "XHAL-ABI-11"},
    .observes =
        "pitches below the row, slice pitches below the rows, regions that leave source or destination by "
        "a byte or by far, null pointers and undefined flags: the codes; nothing was written",
    .needs = {XHAL_FEATURE_COPY_REGION}) {
  const uint64_t source_bytes = kGood.source.reach(kGood.extent);
  const uint64_t bytes = kGood.destination.reach(kGood.extent);
  const auto before = t.random_bytes(bytes);
  Stream stream(t);
  const Buffer source = device_memory(t, source_bytes);
  const Buffer destination = device_memory(t, bytes);
  t.write(destination, before);
  t.write(source, std::vector<uint8_t>(source_bytes, 0x99));
  const auto refused = [&](xhal_result_t code, const char* what,
                           const std::function<void(xhal_copy_region_t&)>& spoil) {
    xhal_copy_region_t region = region_of(kGood, destination, source);
    spoil(region);
    EXPECT_RESULT("XHAL-REGION-2", xhal_memory_copy_region(stream, &region), code, "{}", what);
  };
  const xhal_result_t invalid = XHAL_ERROR_INVALID_ARGUMENT;
  const xhal_result_t range = XHAL_ERROR_OUT_OF_RANGE;
  refused(invalid, "source pitch", [](auto& r) { r.source_pitch = 15; });
  refused(invalid, "destination pitch", [](auto& r) { r.destination_pitch = 15; });
  refused(invalid, "pitch 0", [](auto& r) { r.destination_pitch = 0; });
  refused(invalid, "source slice pitch", [](auto& r) { r.source_slice_pitch = 3 * 20; });
  refused(invalid, "destination slice pitch", [](auto& r) { r.destination_slice_pitch = 3 * 24; });
  refused(invalid, "slice pitch 0", [](auto& r) { r.source_slice_pitch = 0; });
  refused(range, "a byte more in a row", [](auto& r) { r.extent[0] = 17; });
  refused(range, "a row more", [](auto& r) { r.extent[1] = 5; });
  refused(range, "a slice more", [](auto& r) { r.extent[2] = 3; });
  refused(range, "source a byte on", [](auto& r) { r.source = static_cast<const uint8_t*>(r.source) + 1; });
  refused(range, "destination a byte on",
          [](auto& r) { r.destination = static_cast<uint8_t*>(r.destination) + 1; });
  refused(range, "pitch that overflows", [](auto& r) {
    r.source_pitch = uint64_t{1} << 63;
    r.extent[2] = 1;
  });
  refused(range, "slice pitch that overflows", [](auto& r) { r.destination_slice_pitch = ~uint64_t{0}; });
  refused(range, "rows that overflow", [](auto& r) {
    r.extent[1] = uint64_t{1} << 60;
    r.extent[2] = 1;
  });
  refused(XHAL_ERROR_INVALID_POINTER, "null source", [](auto& r) { r.source = nullptr; });
  refused(XHAL_ERROR_INVALID_POINTER, "null destination", [](auto& r) { r.destination = nullptr; });
  for (const uint32_t flags : {1u, 1u << 31}) {
    xhal_copy_region_t region = region_of(kGood, destination, source);
    region.flags = flags;
    EXPECT_RESULT("XHAL-ABI-11", xhal_memory_copy_region(stream, &region), invalid, "flags {:#x}", flags);
  }
  EXPECT_RESULT("XHAL-REGION-2", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  EXPECT_DATA("XHAL-REGION-2", before, t.read<uint8_t>(destination, bytes), "a refused copy wrote");
  const xhal_copy_region_t good = region_of(kGood, destination, source);
  EXPECT_RESULT("XHAL-REGION-2", xhal_memory_copy_region(stream, &good), XHAL_SUCCESS, "as it was");
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
}

XHAL_TEST(
    region, overlaps, .clauses = {"XHAL-REGION-1", "XHAL-REGION-2"},
    .observes =
        "copies within one matrix: to columns and to rows that share a byte with the source, in the first, "
        "in the last and in every row, refused; to columns beside it and to rows between its rows, copied",
    .needs = {XHAL_FEATURE_COPY_REGION}) {
  constexpr uint64_t kPitch = 64;
  constexpr uint64_t kRows = 8;
  constexpr uint64_t kBytes = kPitch * kRows * 4;
  const auto before = t.random_bytes(kBytes);
  Stream stream(t);
  const Buffer matrix = device_memory(t, kBytes);
  const auto shape = [](uint64_t to, uint64_t to_pitch, uint64_t from, uint64_t from_pitch) {
    return Shape{"", {16, kRows, 1}, {from, from_pitch, 0}, {to, to_pitch, 0}};
  };
  const auto answer = [&](const Shape& one) {
    t.write(matrix, before);
    const xhal_copy_region_t region = region_of(one, matrix, matrix);
    const xhal_result_t result = TRACED(xhal_memory_copy_region(stream, &region));
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    return result;
  };
  const struct {
    const char* what;
    Shape shape;
  } overlapping[] = {{"the region itself", shape(0, kPitch, 0, kPitch)},
                     {"columns, by a byte to the right", shape(15, kPitch, 0, kPitch)},
                     {"columns, by a byte to the left", shape(0, kPitch, 15, kPitch)},
                     {"a row further down", shape(kPitch, kPitch, 0, kPitch)},
                     {"the first row alone", shape(0, kPitch, kPitch * (kRows - 1) + 15, 2 * kPitch)},
                     {"the last row alone", shape(kPitch * (kRows - 1) + 15, 2 * kPitch, 0, kPitch)}};
  for (const auto& one : overlapping) {
    EXPECT_VALUE("XHAL-REGION-2", result_name(answer(one.shape)), result_name(XHAL_ERROR_INVALID_ARGUMENT),
                 "{}", one.what);
    EXPECT_DATA("XHAL-REGION-2", before, t.read<uint8_t>(matrix, kBytes), "{}", one.what);
  }
  const struct {
    const char* what;
    Shape shape;
  } apart[] = {{"columns beside it", shape(16, kPitch, 0, kPitch)},
               {"columns before it", shape(0, kPitch, 16, kPitch)},
               {"rows between its rows", shape(kPitch, 2 * kPitch, 0, 2 * kPitch)},
               {"rows behind it", shape(kPitch * kRows, kPitch, 0, kPitch)}};
  for (const auto& one : apart) {
    EXPECT_VALUE("XHAL-REGION-1", result_name(answer(one.shape)), result_name(XHAL_SUCCESS), "{}", one.what);
    EXPECT_DATA("XHAL-REGION-1", copied(one.shape, before, before), t.read<uint8_t>(matrix, kBytes), "{}",
                one.what);
  }
}

XHAL_TEST(region, nothing, .clauses = {"XHAL-REGION-2"},
          .observes =
              "an extent of 0 in each dimension, with good and with null pointers, with good and with small "
              "pitches: success, and nothing was written",
          .needs = {XHAL_FEATURE_COPY_REGION}) {
  const uint64_t bytes = kGood.destination.reach(kGood.extent);
  const auto before = t.random_bytes(bytes);
  Stream stream(t);
  const Buffer source = device_memory(t, kGood.source.reach(kGood.extent));
  const Buffer destination = device_memory(t, bytes);
  t.write(destination, before);
  for (const size_t dimension : {size_t{0}, size_t{1}, size_t{2}}) {
    xhal_copy_region_t region = region_of(kGood, destination, source);
    region.extent[dimension] = 0;
    EXPECT_RESULT("XHAL-REGION-2", xhal_memory_copy_region(stream, &region), XHAL_SUCCESS, "dimension {}",
                  dimension);
    region.source_pitch = region.destination_pitch = 1;
    EXPECT_RESULT("XHAL-REGION-2", xhal_memory_copy_region(stream, &region), XHAL_SUCCESS,
                  "dimension {}, small pitches", dimension);
    region.source = region.destination = nullptr;
    EXPECT_RESULT("XHAL-REGION-2", xhal_memory_copy_region(stream, &region), XHAL_SUCCESS,
                  "dimension {}, null", dimension);
  }
  EXPECT_RESULT("XHAL-REGION-2", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  EXPECT_DATA("XHAL-REGION-2", before, t.read<uint8_t>(destination, bytes));
}

}  // namespace
}  // namespace xhal::conformance
