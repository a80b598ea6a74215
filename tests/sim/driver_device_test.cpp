// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <set>

#include "harness.hpp"

namespace xhal::sim_test {
namespace {

xhal_device_properties_t properties_of(xhal_device_t device) {
  auto properties = sized<xhal_device_properties_t>();
  EXPECT_EQ(call().device_get_properties(device, &properties), XHAL_SUCCESS);
  return properties;
}

bool claims(xhal_device_t device, uint32_t feature) {
  uint32_t claimed = 9;
  EXPECT_EQ(call().device_has_feature(device, feature, &claimed), XHAL_SUCCESS);
  return claimed == 1;
}

TEST(SimDriver, TellsWhoItIs) {
  const Machine machine;
  auto properties = sized<xhal_driver_properties_t>();
  ASSERT_EQ(call().driver_get_properties(machine.handle, &properties), XHAL_SUCCESS);
  EXPECT_STREQ(properties.name, "sim");
  EXPECT_STRNE(properties.version, "");
  EXPECT_STREQ(properties.library_path, XHAL_TEST_SIM_DRIVER);
  EXPECT_EQ(properties.emulated, 1u);
  EXPECT_EQ(call().driver_get_properties(machine.handle, nullptr), XHAL_ERROR_INVALID_ARGUMENT);
}

TEST(SimDriver, EnumeratesLikeEveryEnumeration) {
  const Machine machine("devices=3");
  xhal_device_t devices[4] = {};
  uint32_t count = 0;
  EXPECT_EQ(call().driver_get_devices(machine.handle, 0, nullptr, &count), XHAL_SUCCESS);
  EXPECT_EQ(count, 3u);
  EXPECT_EQ(call().driver_get_devices(machine.handle, 1, devices, &count), XHAL_INCOMPLETE);
  EXPECT_EQ(count, 3u);
  EXPECT_NE(devices[0], nullptr);
  EXPECT_EQ(devices[1], nullptr);
  EXPECT_EQ(call().driver_get_devices(machine.handle, 4, devices, &count), XHAL_SUCCESS);
  EXPECT_EQ(devices[2], machine.device(2));
  EXPECT_EQ(devices[3], nullptr);
  EXPECT_EQ(call().driver_get_devices(machine.handle, 1, nullptr, &count), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(call().driver_get_devices(machine.handle, 1, devices, nullptr), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(call().driver_get_devices(machine.handle, 0, devices, &count), XHAL_INCOMPLETE);
}

TEST(SimDriver, HasNoExtension) {
  const Machine machine;
  const void* table = &machine;
  EXPECT_EQ(call().driver_get_extension(machine.handle, "anything", 1, &table), XHAL_ERROR_NOT_FOUND);
  EXPECT_EQ(table, &machine);
  EXPECT_EQ(call().driver_get_extension(machine.handle, nullptr, 1, &table), XHAL_ERROR_INVALID_ARGUMENT);
}

TEST(SimDriver, RefusesUnknownOptionsByName) {
  xhal_driver_t handle = nullptr;
  EXPECT_EQ(Machine::open("no_such_option=1", handle), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_NE(last_text.find("no_such_option"), std::string::npos) << last_text;
  EXPECT_EQ(handle, nullptr);
}

TEST(SimDevice, UuidsDifferAndAreTheSameInEveryInstance) {
  const Machine one("devices=64");
  const Machine two("devices=64");
  std::set<std::string> seen;
  for (uint32_t i = 0; i < 64; ++i) {
    const auto a = properties_of(one.device(i));
    const auto b = properties_of(two.device(i));
    EXPECT_EQ(std::memcmp(a.uuid, b.uuid, 16), 0);
    seen.emplace(reinterpret_cast<const char*>(a.uuid), 16);
    EXPECT_EQ(a.index, i);
  }
  EXPECT_EQ(seen.size(), 64u);
  // Kept by applications: must not change between versions either.
  const unsigned char kFirst[] = {0x19, 0x1e, 0xfc, 0x3f, 0xf0, 0x00, 0x80, 0xe0,
                                  0xb2, 0x8b, 0x5b, 0x0b, 0x1a, 0x25, 0xa2, 0xdd};
  EXPECT_EQ(std::memcmp(properties_of(one.device(0)).uuid, kFirst, 16), 0);
}

TEST(SimDevice, PropertiesAreCompleteAndUnknownOnesSaySo) {
  const Machine machine("memory=32m,units=5");
  const auto p = properties_of(machine.device());
  EXPECT_EQ(p.memory_bytes, 32u << 20);
  EXPECT_EQ(p.unit_count, 5u);
  EXPECT_NE(p.dtype_mask, 0u);
  EXPECT_NE(p.address_bits, 0u);
  EXPECT_STRNE(p.name, "");
  EXPECT_STRNE(p.architecture, "");
  EXPECT_EQ(p.pci_domain, XHAL_PCI_UNKNOWN);
  EXPECT_EQ(p.numa_node, XHAL_NUMA_UNKNOWN);
  EXPECT_EQ(p.priority_least, 0);
  EXPECT_LT(p.priority_greatest, 0);
  EXPECT_EQ(p.fault_scope, static_cast<uint32_t>(XHAL_FAULT_SCOPE_STREAM));
  EXPECT_EQ(p.fault_recovery, static_cast<uint32_t>(XHAL_RECOVERY_RESET));
  EXPECT_EQ(p.copy_blocks, static_cast<uint32_t>(XHAL_COPY_DEVICE_TO_PAGEABLE | XHAL_COPY_HOST_TO_HOST));
  EXPECT_EQ(p.is_synchronous, 0u);
  EXPECT_GE(p.memory_alignment, 256u);
  for (const uint32_t limit :
       {p.max_group_items, p.max_group_size[0], p.max_group_count[2], p.max_local_bytes,
        p.preferred_group_multiple, p.max_argument_bytes, p.max_arguments}) {
    EXPECT_NE(limit, 0u);
  }
}

TEST(SimDevice, FeatureQuestionsAgreeAndUnclaimedCallsAreNull) {
  const Machine machine;
  const auto p = properties_of(machine.device());
  for (uint32_t feature = 0; feature < 300; ++feature) {
    const bool in_mask = feature < 256 && (p.features[feature / 64] >> (feature % 64) & 1) != 0;
    EXPECT_EQ(claims(machine.device(), feature), in_mask) << feature;
  }
#define XHAL_FEATURE(name, lower, bit, since, needs, maturity, text) \
  EXPECT_LE(claims(machine.device(), bit), claims(machine.device(), XHAL_FEATURE_##needs)) << #lower;
#include "xhal/features.def"
#undef XHAL_FEATURE
  // One slot a call: libxhal refuses for the null ones.
#define XHAL_ENTRY(feature, since, name, ...) \
  EXPECT_EQ(call().name != nullptr, claims(machine.device(), XHAL_FEATURE_##feature)) << #name;
#include "xhal/entry_points.def"
}

// What is not claimed is a decision of docs/sim.md: a feature that is lost by accident would take its tests along.
TEST(SimDevice, EveryFeatureIsClaimedButTheNamedOnes) {
  const Machine machine;
  std::set<std::string> unclaimed;
#define XHAL_FEATURE(name, lower, bit, since, needs, maturity, text) \
  if (!claims(machine.device(), bit)) unclaimed.insert(#lower);
#include "xhal/features.def"
#undef XHAL_FEATURE
  unclaimed.erase("builtin_kernels");  // of builds with the kernel pack alone
  EXPECT_EQ(unclaimed, (std::set<std::string>{"external_semaphore"}));
}

TEST(SimDevice, WithdrawnFeaturesAreRefusedAndTheirPropertiesAreZero) {
  std::string all = "features=";
  {
    const Machine machine;
#define XHAL_FEATURE(name, lower, bit, since, needs, maturity, text) \
  if ((bit) != XHAL_FEATURE_CORE && claims(machine.device(), bit)) all += "-" #lower;
#include "xhal/features.def"
#undef XHAL_FEATURE
  }
  const Machine machine(all);
  const xhal_device_t device = machine.device();
  for (uint32_t feature = 0; feature < 300; ++feature)
    EXPECT_EQ(claims(device, feature), feature == XHAL_FEATURE_CORE) << feature;
  const auto p = properties_of(device);
  EXPECT_EQ(p.features[0], uint64_t{1} << XHAL_FEATURE_CORE);
  for (const uint32_t limit :
       {p.event_resolution_ns, p.max_group_items, p.max_group_size[0], p.max_group_count[2],
        p.max_local_bytes, p.preferred_group_multiple, p.max_argument_bytes, p.max_arguments}) {
    EXPECT_EQ(limit, 0u);
  }
  uint32_t formats = 77;
  EXPECT_EQ(call().device_get_image_formats(device, 0, 0, nullptr, &formats), XHAL_SUCCESS);
  EXPECT_EQ(formats, 0u);

  auto desc = sized<xhal_event_desc_t>();
  desc.flags = XHAL_EVENT_TIMING;
  xhal_event_t event = nullptr;
  EXPECT_EQ(call().event_create(device, &desc, &event), XHAL_ERROR_UNSUPPORTED);
  EXPECT_EQ(call().memory_register(device, nullptr, 0, 77), XHAL_ERROR_UNSUPPORTED)
      << "whatever the arguments";
  EXPECT_EQ(call().memory_unregister(device, nullptr), XHAL_ERROR_UNSUPPORTED);
  EXPECT_EQ(call().module_load(device, nullptr, nullptr), XHAL_ERROR_UNSUPPORTED);
}

TEST(SimDevice, InstancesClaimEachTheirOwnFeatures) {
  const Machine without("features=-register");
  const Machine with;
  EXPECT_FALSE(claims(without.device(), XHAL_FEATURE_REGISTER));
  EXPECT_TRUE(claims(without.device(), XHAL_FEATURE_EVENT_TIMING));
  EXPECT_TRUE(claims(with.device(), XHAL_FEATURE_REGISTER));
}

TEST(SimDevice, NotesTellTheOptionsInForce) {
  const auto notes = [](const Machine& machine) {
    uint32_t count = 0;
    std::vector<xhal_device_note_t> all(16, sized<xhal_device_note_t>());
    EXPECT_EQ(call().device_get_notes(machine.device(), 16, sizeof(all[0]), all.data(), &count),
              XHAL_SUCCESS);
    std::string text;
    for (uint32_t i = 0; i < count; ++i) text += std::string(all[i].topic) + ": " + all[i].text + "\n";
    return text;
  };
  EXPECT_EQ(notes(Machine()),
            "order: streams run side by side, in the order of the system's threads\ntime: as fast as the "
            "processor goes\n");
  EXPECT_EQ(notes(Machine("odd=lazy+reuse,slow=7")),
            "order: odd=lazy+reuse\ntime: slow=7: no figure of time is the processor's\n");
}

TEST(SimDevice, ImageFormatsAreWalkedByTheStride) {
  const Machine machine;
  uint32_t count = 0;
  ASSERT_EQ(call().device_get_image_formats(machine.device(), 0, 0, nullptr, &count), XHAL_SUCCESS);
  ASSERT_GE(count, 1u);
  struct Padded {
    xhal_image_format_t format;
    uint64_t mine;
  };
  std::vector<Padded> formats(count);
  for (auto& f : formats) f = {sized<xhal_image_format_t>(), 42};
  ASSERT_EQ(
      call().device_get_image_formats(machine.device(), count, sizeof(Padded), &formats[0].format, &count),
      XHAL_SUCCESS);
  // The pack that lies in the driver is the last, where it does.
  uint32_t builtin = 0;
  ASSERT_EQ(call().device_has_feature(machine.device(), XHAL_FEATURE_BUILTIN_KERNELS, &builtin),
            XHAL_SUCCESS);
  for (const auto& f : formats) {
    const bool is_builtin = builtin != 0 && &f == &formats.back();
    EXPECT_STREQ(f.format.format, is_builtin ? "builtin" : "native");
    EXPECT_EQ(std::strncmp(f.format.target, is_builtin ? "" : "x86-64-v", is_builtin ? 1 : 8), 0)
        << f.format.target;
    EXPECT_EQ(f.mine, 42u);
  }
  EXPECT_STREQ(formats[0].format.target, properties_of(machine.device()).architecture) << "best first";
  EXPECT_EQ(call().device_get_image_formats(machine.device(), 1, 8, &formats[0].format, &count),
            XHAL_ERROR_INVALID_ARGUMENT);
  formats[0].format.struct_size = 4;
  EXPECT_EQ(call().device_get_image_formats(machine.device(), 1, sizeof(Padded), &formats[0].format, &count),
            XHAL_ERROR_INVALID_ARGUMENT);
  formats[0].format.struct_size = 2 * sizeof(Padded);
  EXPECT_EQ(call().device_get_image_formats(machine.device(), 1, sizeof(Padded), &formats[0].format, &count),
            XHAL_ERROR_INVALID_ARGUMENT);
}

TEST(SimDevice, QuestionsDoNotActivateWorkDoes) {
  const int before = activations.load();
  const Machine machine;
  const xhal_device_t device = machine.device();
  static_cast<void>(properties_of(device));
  auto info = sized<xhal_memory_info_t>();
  EXPECT_EQ(call().device_get_memory_info(device, &info), XHAL_SUCCESS);
  auto fault = sized<xhal_fault_t>();
  EXPECT_EQ(call().device_get_fault(device, &fault), XHAL_SUCCESS);
  xhal_stream_t stream = nullptr;
  EXPECT_EQ(call().device_get_default_stream(device, &stream), XHAL_SUCCESS);
  EXPECT_EQ(call().stream_query(stream), XHAL_SUCCESS);
  EXPECT_EQ(call().device_synchronize(device, XHAL_WAIT_FOREVER), XHAL_SUCCESS);
  auto attributes = sized<xhal_pointer_attributes_t>();
  EXPECT_EQ(call().driver_get_pointer_attributes(machine.handle, &fault, &attributes), XHAL_SUCCESS);
  uint32_t active = 9;
  EXPECT_EQ(call().device_is_active(device, &active), XHAL_SUCCESS);
  EXPECT_EQ(active, 0u);
  EXPECT_EQ(activations.load(), before);

  allocate(device, 100);
  EXPECT_EQ(call().device_is_active(device, &active), XHAL_SUCCESS);
  EXPECT_EQ(active, 1u);
  EXPECT_EQ(activations.load(), before + 1);
  EXPECT_EQ(call().device_is_active(machine.device(1), &active), XHAL_SUCCESS);
  EXPECT_EQ(active, 0u) << "another device";
}

TEST(SimDevice, LinksTellOfEveryPair) {
  const Machine machine("devices=3");
  for (uint32_t i = 0; i < 3; ++i) {
    for (uint32_t j = 0; j < 3; ++j) {
      auto link = sized<xhal_link_t>();
      ASSERT_EQ(call().device_get_link(machine.device(i), machine.device(j), &link), XHAL_SUCCESS);
      EXPECT_EQ(link.kind, static_cast<uint32_t>(i == j ? XHAL_LINK_SELF : XHAL_LINK_HOST_MEMORY));
      EXPECT_EQ(link.peer_access, i == j ? 0u : 1u) << "nobody is a peer of itself";
    }
  }
}

// Out-structs of every legal size are written so far and no further.
TEST(SimDevice, OutStructsKeepToTheCallersSize) {
  const Machine machine;
  struct {
    xhal_fault_t fault;
    unsigned char behind[64];
  } larger;
  std::memset(&larger, 0xee, sizeof(larger));
  larger.fault.struct_size = sizeof(xhal_fault_t) + 32;
  ASSERT_EQ(call().device_get_fault(machine.device(), &larger.fault), XHAL_SUCCESS);
  EXPECT_EQ(larger.fault.struct_size, sizeof(xhal_fault_t) + 32);
  for (int i = 0; i < 32; ++i) EXPECT_EQ(larger.behind[i], 0);
  for (int i = 32; i < 64; ++i) EXPECT_EQ(larger.behind[i], 0xee);
  for (const uint32_t size : {0u, 4u}) {
    larger.fault.struct_size = size;
    larger.fault.code = 77;
    EXPECT_EQ(call().device_get_fault(machine.device(), &larger.fault), XHAL_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(larger.fault.code, 77);
  }
}

}  // namespace
}  // namespace xhal::sim_test
