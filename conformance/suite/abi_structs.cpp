// SPDX-License-Identifier: Apache-2.0
// Sizes, strides, tails, flags.
#include <cstring>

#include "suite/support.h"

namespace xhal::conformance {
namespace {

// First published sizes, of revision 0.1.0, typed from the headers of that revision: sizeof would follow a struct that grows.
struct FirstSize {
  const char* name;
  uint32_t bytes;
};
constexpr FirstSize kInStructs[] = {
    {"stream_desc", 16}, {"event_desc", 8}, {"memory_desc", 32}, {"module_desc", 48}, {"launch", 88}};
constexpr FirstSize kOutStructs[] = {{"driver_properties", 2704},
                                     {"device_properties", 504},
                                     {"memory_info", 24},
                                     {"link", 32},
                                     {"fault", 616},
                                     {"stream_info", 32},
                                     {"pointer_attributes", 64},
                                     {"kernel_info", 160},
                                     {"occupancy", 16}};

static_assert(sizeof(xhal_stream_desc_t) >= 16 && sizeof(xhal_event_desc_t) >= 8 &&
              sizeof(xhal_memory_desc_t) >= 32);

constexpr size_t kRoom = 8192;
constexpr uint8_t kGuard = 0xA5;

Cases in_structs() {
  Axis axis{"struct", {}};
  for (const FirstSize& one : kInStructs) {
    const bool kernel = std::string_view(one.name) == "module_desc" || std::string_view(one.name) == "launch";
    axis.values.emplace_back(one.name,
                             kernel ? std::vector<uint32_t>{XHAL_FEATURE_KERNEL} : std::vector<uint32_t>{});
  }
  return grid({axis});
}

Cases out_structs() {
  Axis axis{"struct", {}};
  for (const FirstSize& one : kOutStructs) {
    const bool kernel =
        std::string_view(one.name) == "kernel_info" || std::string_view(one.name) == "occupancy";
    axis.values.emplace_back(one.name,
                             kernel ? std::vector<uint32_t>{XHAL_FEATURE_KERNEL} : std::vector<uint32_t>{});
  }
  return grid({axis});
}

uint32_t first_size(std::span<const FirstSize> table, const std::string& name) {
  for (const FirstSize& one : table) {
    if (name == one.name) return one.bytes;
  }
  throw std::logic_error("no struct " + name);
}

// A struct in a larger block, whose bytes behind it are 0.
template <class T>
std::vector<uint8_t> padded(const T& value) {
  std::vector<uint8_t> block(kRoom, 0);
  std::memcpy(block.data(), &value, sizeof(T));
  return block;
}

void set_size(std::vector<uint8_t>& block, uint32_t size) { std::memcpy(block.data(), &size, sizeof(size)); }

// One call that reads an in-struct, with a good struct to begin with; what a success made is undone.
class Reader {
 public:
  explicit Reader(Context& t) : t_(t), name_(t.text("struct")) {
    if (name_ == "stream_desc") block_ = padded(xhal_stream_desc_t{sizeof(xhal_stream_desc_t), 0, 0, 0});
    if (name_ == "event_desc") block_ = padded(xhal_event_desc_t{sizeof(xhal_event_desc_t), 0});
    if (name_ == "memory_desc") block_ = padded(memory_desc(XHAL_MEMORY_DEVICE, 64));
    if (name_ == "module_desc") {
      image_ = t.pack().image();
      xhal_module_desc_t desc{};
      desc.struct_size = sizeof(desc);
      desc.format = image_.format.c_str();
      desc.target = image_.target.empty() ? nullptr : image_.target.c_str();
      desc.image = image_.bytes.data();
      desc.image_size = image_.bytes.size();
      block_ = padded(desc);
    }
    if (name_ == "launch") {
      stream_.emplace_back(t);
      cell_.push_back(device_memory(t, 8));
      launch_ = std::make_unique<Launch>(t.kernel("xhal_fold_u64"));
      launch_->updates(cell_.front(), 8).value(uint64_t{1}).value(uint64_t{1});
      block_ = padded(*launch_->desc());
    }
  }

  std::vector<uint8_t>& block() { return block_; }

  xhal_result_t call() {
    Context& t = t_;
    const void* desc = block_.data();
    xhal_result_t result = XHAL_SUCCESS;
    if (name_ == "stream_desc") {
      xhal_stream_t stream = nullptr;
      result = TRACED(xhal_stream_create(t.device(), static_cast<const xhal_stream_desc_t*>(desc), &stream));
      if (result == XHAL_SUCCESS) REQUIRE_OK(xhal_stream_destroy(stream));
    } else if (name_ == "event_desc") {
      xhal_event_t event = nullptr;
      result = TRACED(xhal_event_create(t.device(), static_cast<const xhal_event_desc_t*>(desc), &event));
      if (result == XHAL_SUCCESS) REQUIRE_OK(xhal_event_destroy(event));
    } else if (name_ == "memory_desc") {
      void* pointer = nullptr;
      result =
          TRACED(xhal_memory_allocate(t.device(), static_cast<const xhal_memory_desc_t*>(desc), &pointer));
      if (result == XHAL_SUCCESS) REQUIRE_OK(xhal_memory_free(t.device(), pointer));
    } else if (name_ == "module_desc") {
      xhal_module_t module = nullptr;
      result = TRACED(xhal_module_load(t.device(), static_cast<const xhal_module_desc_t*>(desc), &module));
      if (result == XHAL_SUCCESS) REQUIRE_OK(xhal_module_destroy(module));
    } else {
      result = TRACED(xhal_kernel_launch(stream_.front(), t.kernel("xhal_fold_u64"),
                                         static_cast<const xhal_launch_t*>(desc)));
    }
    return result;
  }

 private:
  Context& t_;
  std::string name_;
  std::vector<uint8_t> block_;
  KernelImage image_;
  std::vector<Stream> stream_;
  std::vector<Buffer> cell_;
  std::unique_ptr<Launch> launch_;
};

XHAL_TEST_P(abi, in_struct_sizes, in_structs, .clauses = {"XHAL-ABI-6", "XHAL-ABI-7", "XHAL-ABI-8"},
            .observes =
                "the first published size, larger sizes with zero and with one non-zero byte at each end of "
                "the tail, sizes 0, 4 and one too few") {
  Reader reader(t);
  const uint32_t first = first_size(kInStructs, t.text("struct"));
  set_size(reader.block(), first);
  EXPECT_RESULT("XHAL-ABI-6", reader.call(), XHAL_SUCCESS, "the first published size, {} bytes", first);
  for (const uint32_t size : {first + 8, first + 64, uint32_t{kRoom}}) {
    // What this revision knows beyond the first size stays zero here, so only the unknown tail is looked at.
    set_size(reader.block(), size);
    EXPECT_RESULT("XHAL-ABI-7", reader.call(), XHAL_SUCCESS, "{} bytes, the tail zero", size);
    reader.block()[size - 1] = 1;
    EXPECT_RESULT("XHAL-ABI-7", reader.call(), XHAL_ERROR_UNKNOWN_FIELD, "{} bytes, the last one set", size);
    reader.block()[size - 1] = 0;
    if (size > first + 64) {
      reader.block()[size - 64] = 0x80;
      EXPECT_RESULT("XHAL-ABI-7", reader.call(), XHAL_ERROR_UNKNOWN_FIELD,
                    "{} bytes, one inside the tail set", size);
      reader.block()[size - 64] = 0;
    }
  }
  for (const uint32_t size : {0u, 4u, first - 1}) {
    set_size(reader.block(), size);
    EXPECT_RESULT("XHAL-ABI-8", reader.call(), XHAL_ERROR_INVALID_ARGUMENT, "{} bytes", size);
  }
}

// One call that writes an out-struct.
xhal_result_t write_struct(Context& t, const std::string& name, void* out) {
  if (name == "driver_properties")
    return TRACED(xhal_driver_get_properties(t.driver(), static_cast<xhal_driver_properties_t*>(out)));
  if (name == "device_properties")
    return TRACED(xhal_device_get_properties(t.device(), static_cast<xhal_device_properties_t*>(out)));
  if (name == "memory_info")
    return TRACED(xhal_device_get_memory_info(t.device(), static_cast<xhal_memory_info_t*>(out)));
  if (name == "link")
    return TRACED(xhal_device_get_link(t.device(), t.device(), static_cast<xhal_link_t*>(out)));
  if (name == "fault") return TRACED(xhal_device_get_fault(t.device(), static_cast<xhal_fault_t*>(out)));
  if (name == "stream_info") {
    const Stream stream(t);
    return TRACED(xhal_stream_get_info(stream, static_cast<xhal_stream_info_t*>(out)));
  }
  if (name == "pointer_attributes") {
    const Buffer memory = device_memory(t, 64);
    return TRACED(
        xhal_driver_get_pointer_attributes(t.driver(), memory, static_cast<xhal_pointer_attributes_t*>(out)));
  }
  if (name == "kernel_info")
    return TRACED(xhal_kernel_get_info(t.kernel("xhal_fold_u64"), static_cast<xhal_kernel_info_t*>(out)));
  return TRACED(
      xhal_kernel_get_occupancy(t.kernel("xhal_fold_u64"), 1, 0, static_cast<xhal_occupancy_t*>(out)));
}

XHAL_TEST_P(abi, out_struct_sizes, out_structs, .clauses = {"XHAL-ABI-8", "XHAL-ABI-9", "XHAL-ABI-14"},
            .observes =
                "the first published size and larger ones: the size stays, the unknown tail is zero, the "
                "bytes behind are untouched; too small "
                "ones are refused and untouched") {
  const std::string& name = t.text("struct");
  const uint32_t first = first_size(kOutStructs, name);
  // What the library knows of the struct ends at its own size at the latest.
  constexpr uint32_t kKnownAtMost = 4096;
  for (const uint32_t size : {first, first + 4, first + 200, kKnownAtMost + 256}) {
    std::vector<uint8_t> block(kRoom, kGuard);
    set_size(block, size);
    EXPECT_RESULT("XHAL-ABI-9", write_struct(t, name, block.data()), XHAL_SUCCESS, "{} bytes", size);
    uint32_t told = 0;
    std::memcpy(&told, block.data(), sizeof(told));
    EXPECT_VALUE("XHAL-ABI-9", told, size, "struct_size");
    for (size_t i = size; i < kRoom; ++i) {
      if (!EXPECT_VALUE("XHAL-ABI-9", uint32_t{block[i]}, uint32_t{kGuard}, "byte {} behind a struct of {}",
                        i, size))
        break;
    }
    if (size <= kKnownAtMost) continue;
    for (size_t i = kKnownAtMost; i < size; ++i) {
      if (!EXPECT_VALUE("XHAL-ABI-9", uint32_t{block[i]}, 0u, "byte {} of the unknown tail", i)) break;
    }
  }
  for (const uint32_t size : {0u, 4u, first - 1}) {
    std::vector<uint8_t> block(kRoom, kGuard);
    set_size(block, size);
    const std::vector<uint8_t> before = block;
    EXPECT_RESULT("XHAL-ABI-8", write_struct(t, name, block.data()), XHAL_ERROR_INVALID_ARGUMENT, "{} bytes",
                  size);
    EXPECT_DATA("XHAL-ABI-14", before, block, "{} bytes", size);
  }
}

XHAL_TEST(abi, strides, .clauses = {"XHAL-ABI-10"},
          .observes =
              "image formats into padded elements: contents, sizes and the bytes between; strides below the "
              "first size") {
  uint32_t count = 0;
  REQUIRE_OK(xhal_device_get_image_formats(t.device(), 0, sizeof(xhal_image_format_t), nullptr, &count));
  constexpr uint32_t kFirst = 104;
  static_assert(sizeof(xhal_image_format_t) >= kFirst);
  const uint32_t capacity = std::max(count, 1u);
  const auto fill = [&](std::vector<uint8_t>& block, uint32_t stride) {
    for (uint32_t i = 0; i < capacity; ++i) {
      const uint32_t size = sizeof(xhal_image_format_t);
      std::memcpy(block.data() + i * stride, &size, sizeof(size));
    }
  };
  std::vector<uint8_t> tight(capacity * sizeof(xhal_image_format_t), kGuard);
  fill(tight, sizeof(xhal_image_format_t));
  EXPECT_RESULT("XHAL-ABI-10",
                xhal_device_get_image_formats(t.device(), capacity, sizeof(xhal_image_format_t),
                                              reinterpret_cast<xhal_image_format_t*>(tight.data()), &count),
                XHAL_SUCCESS);
  for (const uint32_t stride : {uint32_t{sizeof(xhal_image_format_t)} + 8, 256u, 1000u}) {
    std::vector<uint8_t> wide(capacity * stride, kGuard);
    fill(wide, stride);
    EXPECT_RESULT("XHAL-ABI-10",
                  xhal_device_get_image_formats(t.device(), capacity, stride,
                                                reinterpret_cast<xhal_image_format_t*>(wide.data()), &count),
                  XHAL_SUCCESS, "stride {}", stride);
    for (uint32_t i = 0; i < count; ++i) {
      EXPECT_CLAUSE("XHAL-ABI-10",
                    std::memcmp(tight.data() + i * sizeof(xhal_image_format_t), wide.data() + i * stride,
                                sizeof(xhal_image_format_t)) == 0,
                    "element {} at stride {}", i, stride);
      for (uint32_t k = sizeof(xhal_image_format_t); k < stride; ++k) {
        if (!EXPECT_VALUE("XHAL-ABI-10", uint32_t{wide[i * stride + k]}, uint32_t{kGuard},
                          "between elements, stride {}", stride))
          break;
      }
    }
  }
  for (const uint32_t stride : {1u, 4u, kFirst - 1}) {
    std::vector<uint8_t> block(capacity * kFirst + 64, kGuard);
    EXPECT_RESULT("XHAL-ABI-10",
                  xhal_device_get_image_formats(t.device(), capacity, stride,
                                                reinterpret_cast<xhal_image_format_t*>(block.data()), &count),
                  XHAL_ERROR_INVALID_ARGUMENT, "stride {}", stride);
  }
}

XHAL_TEST(abi, range_stride, .clauses = {"XHAL-ABI-10"},
          .observes = "a launch whose further ranges stand 64 bytes apart; strides below the first size",
          .needs = {XHAL_FEATURE_KERNEL}) {
  Stream stream(t);
  const Buffer cell = device_memory(t, 8);
  struct alignas(64) Wide {
    xhal_memory_range_t range;
  };
  const Wide ranges[3] = {{{cell, 8, XHAL_ACCESS_READ, 0}},
                          {{cell, 4, XHAL_ACCESS_READ_WRITE, 0}},
                          {{cell, 8, XHAL_ACCESS_WRITE, 0}}};
  for (const auto& [stride, code] : {std::pair{uint32_t{sizeof(Wide)}, XHAL_SUCCESS},
                                     {8u, XHAL_ERROR_INVALID_ARGUMENT},
                                     {1u, XHAL_ERROR_INVALID_ARGUMENT}}) {
    Launch launch(t.kernel("xhal_fold_u64"));
    launch.updates(cell, 8).value(uint64_t{4}).value(uint64_t{1});
    xhal_launch_t desc = *launch.desc();
    desc.ranges = &ranges[0].range;
    desc.range_count = 3;
    desc.range_stride = stride;
    EXPECT_RESULT("XHAL-ABI-10", xhal_kernel_launch(stream, t.kernel("xhal_fold_u64"), &desc), code,
                  "stride {}", stride);
  }
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
}

XHAL_TEST(abi, undefined_flags, .clauses = {"XHAL-ABI-11"},
          .observes =
              "bit 31 and the first undefined bit of every flags field, and enum values beyond their last") {
  Stream stream(t);
  Event event(t);
  xhal_stream_t no_stream = sentinel<xhal_stream_s>();
  xhal_event_t no_event = sentinel<xhal_event_s>();
  void* no_pointer = sentinel<void>();
  for (const uint32_t bit : {1u << 31, 1u << 3}) {
    const xhal_stream_desc_t stream_desc{sizeof(stream_desc), bit, 0, 0};
    EXPECT_RESULT("XHAL-ABI-11", xhal_stream_create(t.device(), &stream_desc, &no_stream),
                  XHAL_ERROR_INVALID_ARGUMENT, "bit {:#x}", bit);
    const xhal_event_desc_t event_desc{sizeof(event_desc), bit};
    EXPECT_RESULT("XHAL-ABI-11", xhal_event_create(t.device(), &event_desc, &no_event),
                  XHAL_ERROR_INVALID_ARGUMENT, "bit {:#x}", bit);
    xhal_memory_desc_t desc = memory_desc(XHAL_MEMORY_DEVICE, 64);
    desc.flags = bit;
    EXPECT_RESULT("XHAL-ABI-11", xhal_memory_allocate(t.device(), &desc, &no_pointer),
                  XHAL_ERROR_INVALID_ARGUMENT, "bit {:#x}", bit);
    EXPECT_RESULT("XHAL-ABI-11", xhal_event_record(event, stream, bit), XHAL_ERROR_INVALID_ARGUMENT,
                  "bit {:#x}", bit);
    EXPECT_RESULT("XHAL-ABI-11", xhal_stream_wait_event(stream, event, bit), XHAL_ERROR_INVALID_ARGUMENT,
                  "bit {:#x}", bit);
  }
  for (const uint32_t kind : {0u, 4u, 5u, 6u, 99u, ~0u}) {
    const xhal_memory_desc_t desc = memory_desc(kind, 64);
    EXPECT_RESULT("XHAL-ABI-11", xhal_memory_allocate(t.device(), &desc, &no_pointer),
                  XHAL_ERROR_INVALID_ARGUMENT, "memory kind {}", kind);
  }
  EXPECT_CLAUSE("XHAL-ABI-11", no_stream == sentinel<xhal_stream_s>() &&
                                   no_event == sentinel<xhal_event_s>() && no_pointer == sentinel<void>());
  EXPECT_RESULT("XHAL-ABI-11", xhal_event_query(event), XHAL_SUCCESS, "a refused record counted");
}

XHAL_TEST(abi, external_flag_outside_a_capture, .clauses = {"XHAL-ABI-11"},
          .observes = "record and wait with the flag of external nodes, outside of a capture") {
  Stream stream(t);
  Event event(t);
  EXPECT_RESULT("XHAL-ABI-11", xhal_event_record(event, stream, XHAL_EVENT_EXTERNAL),
                XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_RESULT("XHAL-ABI-11", xhal_stream_wait_event(stream, event, XHAL_EVENT_EXTERNAL),
                XHAL_ERROR_INVALID_ARGUMENT);
}

XHAL_TEST(abi, undefined_kernel_flags, .clauses = {"XHAL-ABI-11"},
          .observes = "undefined flags of a module and of a launch; nothing ran",
          .needs = {XHAL_FEATURE_KERNEL}) {
  const KernelImage& image = t.pack().image();
  Stream stream(t);
  const Buffer cell = device_memory(t, 8);
  t.write(cell, std::vector<uint64_t>{3});
  for (const uint32_t bit : {1u << 31, 1u << 2}) {
    xhal_module_desc_t desc{};
    desc.struct_size = sizeof(desc);
    desc.flags = bit;
    desc.format = image.format.c_str();
    desc.target = image.target.c_str();
    desc.image = image.bytes.data();
    desc.image_size = image.bytes.size();
    xhal_module_t module = sentinel<xhal_module_s>();
    EXPECT_RESULT("XHAL-ABI-11", xhal_module_load(t.device(), &desc, &module), XHAL_ERROR_INVALID_ARGUMENT,
                  "bit {:#x}", bit);
    Launch launch(t.kernel("xhal_fold_u64"));
    launch.updates(cell, 8).value(uint64_t{4}).value(uint64_t{1});
    launch.raw().flags = bit;
    EXPECT_RESULT("XHAL-ABI-11", launch.on(stream), XHAL_ERROR_INVALID_ARGUMENT, "bit {:#x}", bit);
  }
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_VALUE("XHAL-ABI-11", t.read<uint64_t>(cell, 1).front(), 3u);
}

XHAL_TEST(abi, undefined_register_flags, .clauses = {"XHAL-ABI-11"},
          .observes = "undefined flags of a registration", .needs = {XHAL_FEATURE_REGISTER}) {
  const auto block = t.host_bytes(4096);
  for (const uint32_t bit : {1u << 31, 1u}) {
    EXPECT_RESULT("XHAL-ABI-11", xhal_memory_register(t.device(), block.data(), block.size(), bit),
                  XHAL_ERROR_INVALID_ARGUMENT, "bit {:#x}", bit);
  }
  EXPECT_VALUE("XHAL-ABI-11", attributes_of(t, block.data()).kind, uint32_t{XHAL_MEMORY_UNMANAGED});
}

}  // namespace
}  // namespace xhal::conformance
