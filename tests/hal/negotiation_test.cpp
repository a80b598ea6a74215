// SPDX-License-Identifier: Apache-2.0
// What libxhal accepts from a driver, and what it says about one that it does not.
#include <fstream>

#include "fixture.hpp"

namespace xhal::test {
namespace {

struct Defect {
  const char* name;
  xhal_result_t result;
  const char* text;  // part of the reason
};

// So that a failure names the case.
void PrintTo(const Defect& defect, std::ostream* out) { *out << defect.name; }

class DefectTest : public HalTest, public ::testing::WithParamInterface<Defect> {
 protected:
  void SetUp() override {
    HalTest::SetUp();
    setenv("XHAL_DRIVER_PATH", (drivers_of("bad") + ":" + drivers_of("good")).c_str(), 1);
  }
};

TEST_P(DefectTest, IsAnErrorOfTheInstanceWhenAskedForByName) {
  XHAL_CLAUSE("XHAL-ABI-17");
  XHAL_CLAUSE("XHAL-LOADER-45");
  XHAL_CLAUSE("XHAL-LOADER-46");
  XHAL_CLAUSE("XHAL-LOADER-47");
  Description description(GetParam().name);
  auto* instance = reinterpret_cast<xhal_instance_t>(uintptr_t{0x77});
  EXPECT_EQ(xhal_instance_create(&description.desc, &instance), GetParam().result) << last_text();
  EXPECT_EQ(instance, reinterpret_cast<xhal_instance_t>(uintptr_t{0x77}));
  EXPECT_NE(last_text().find(GetParam().text), std::string::npos) << last_text();
  EXPECT_NE(last_text().find(GetParam().name), std::string::npos) << last_text();
  EXPECT_STREQ(last_error().entry, "xhal_instance_create");
  EXPECT_EQ(last_error().code, GetParam().result);
  const Candidate* candidate = description.candidate(GetParam().name);
  ASSERT_NE(candidate, nullptr);
  EXPECT_EQ(candidate->decision, static_cast<uint32_t>(XHAL_CANDIDATE_REFUSED));
  EXPECT_EQ(candidate->result, GetParam().result);
  // A second try gives the same answer: nothing of the first one sticks.
  EXPECT_EQ(xhal_instance_create(&description.desc, &instance), GetParam().result);
}

TEST_P(DefectTest, IsLeftOutWithItsReasonWhenItWasOnlyFound) {
  XHAL_CLAUSE("XHAL-INSTANCE-4");
  Description description(nullptr);
  const xhal_instance_t instance = create(description);
  // The good ones of the other folder, each with two devices.
  EXPECT_EQ(drivers(instance).size(), 3u);
  EXPECT_EQ(devices(instance).size(), 6u);
  EXPECT_EQ(xhal_stream_query(stream(device(instance))), XHAL_SUCCESS);
  const Candidate* candidate = description.candidate(GetParam().name);
  ASSERT_NE(candidate, nullptr);
  EXPECT_EQ(candidate->decision, static_cast<uint32_t>(XHAL_CANDIDATE_REFUSED));
  EXPECT_EQ(candidate->result, GetParam().result);
  EXPECT_NE(candidate->reason.find(GetParam().text), std::string::npos) << candidate->reason;
  EXPECT_EQ(candidate->origin, "XHAL_DRIVER_PATH");
}

INSTANTIATE_TEST_SUITE_P(
    Driver, DefectTest,
    ::testing::Values(Defect{"other_minor", XHAL_ERROR_VERSION_MISMATCH,
                             "was built for version 0.2 of the contract, this libxhal is 0.1"},
                      Defect{"other_minor_unsaid", XHAL_ERROR_VERSION_MISMATCH, "was built for version 0.2"},
                      Defect{"refuses_host", XHAL_ERROR_VERSION_MISMATCH, "refuses version 0.1"},
                      Defect{"negotiation_error", XHAL_ERROR_DRIVER_FAILED,
                             "firmware is missing; install it"},
                      Defect{"negotiation_positive", XHAL_ERROR_DRIVER_FAILED, "returned XHAL_NOT_READY"},
                      Defect{"no_name", XHAL_ERROR_DRIVER_FAILED, "gives no name"},
                      Defect{"empty_name", XHAL_ERROR_DRIVER_FAILED, "gives no name"},
                      Defect{"other_name", XHAL_ERROR_BAD_MANIFEST, "says 'somebody_else'"},
                      Defect{"no_open", XHAL_ERROR_DRIVER_FAILED, "no open or no close"},
                      Defect{"no_close", XHAL_ERROR_DRIVER_FAILED, "no open or no close"},
                      Defect{"interface_small", XHAL_ERROR_DRIVER_FAILED, "are needed"},
                      Defect{"interface_large", XHAL_ERROR_DRIVER_FAILED, "were offered"},
                      Defect{"interface_overrun", XHAL_ERROR_DRIVER_FAILED, "wrote behind the interface"},
                      Defect{"table_small", XHAL_ERROR_DRIVER_FAILED, "in whole slots are needed"},
                      Defect{"table_zero", XHAL_ERROR_DRIVER_FAILED, "reports a table of 0 bytes"},
                      Defect{"table_odd", XHAL_ERROR_DRIVER_FAILED, "in whole slots are needed"},
                      Defect{"table_large", XHAL_ERROR_DRIVER_FAILED, "were offered"},
                      Defect{"table_overrun", XHAL_ERROR_DRIVER_FAILED, "wrote behind the"},
                      Defect{"table_own", XHAL_ERROR_DRIVER_FAILED, "a table of its own"}),
    [](const auto& test) { return std::string(test.param.name); });

class NegotiationTest : public HalTest {};

TEST_F(NegotiationTest, AShorterTableOfTheSameMinorWorksAndItsMissingCallsRefuse) {
  XHAL_CLAUSE("XHAL-ABI-18");
  const xhal_instance_t instance = create("short");
  const xhal_stream_t stream = this->stream(device(instance));
  EXPECT_EQ(xhal_stream_query(stream), XHAL_SUCCESS);
  EXPECT_EQ(xhal_event_record(event(device(instance)), stream, 0), XHAL_SUCCESS);
  // It filled slots behind the size that it told (module_load and others): they are not used.
  xhal_module_t module = nullptr;
  EXPECT_EQ(xhal_module_load(device(instance), nullptr, &module), XHAL_ERROR_UNSUPPORTED);
  xhal_clocks_t clocks{};
  clocks.struct_size = sizeof(clocks);
  EXPECT_EQ(xhal_device_get_clocks(device(instance), &clocks), XHAL_ERROR_UNSUPPORTED);
}

TEST_F(NegotiationTest, ASlotThatADriverLeavesNullRefusesAlsoBelowLibxhal) {
  XHAL_CLAUSE("XHAL-LOADER-48");
  const xhal_instance_t instance = create();
  const xhal_stream_t stream = this->stream(device(instance));
  EXPECT_EQ(xhal_stream_begin_capture(stream, 0), XHAL_ERROR_UNSUPPORTED);
  const auto* header = reinterpret_cast<const xhal_handle_header_t*>(stream);
  ASSERT_NE(header->table->driver->stream_begin_capture, nullptr);
  EXPECT_EQ(header->table->driver->stream_begin_capture(stream, 0), XHAL_ERROR_UNSUPPORTED);
}

TEST_F(NegotiationTest, ALibraryIsNegotiatedOnceAndOpenedForEachInstance) {
  XHAL_CLAUSE("XHAL-LOADER-49");
  const xhal_instance_t first = create();
  const uint32_t opens = state(first)->opens;
  const xhal_instance_t second = create();
  EXPECT_EQ(state(first)->negotiations, 1u);
  EXPECT_EQ(state(second)->opens, opens + 1);
  EXPECT_NE(state(first), state(second));
}

TEST_F(NegotiationTest, ALibraryByPathIsNamedByItsNegotiation) {
  const std::string library = root("good") + "/lib/xhal/driver_fake.so";
  Description description("");
  description.path(library.c_str());
  const xhal_instance_t instance = create(description);
  EXPECT_EQ(drivers(instance).size(), 1u);
  EXPECT_EQ(state(instance)->negotiations, 1u);
}

TEST_F(NegotiationTest, ALibraryByPathMustHaveALegalName) {
  XHAL_CLAUSE("XHAL-LOADER-45");
  const std::string library = root("nameless") + "/lib/xhal/driver_bad_name.so";
  Description description("");
  description.path(library.c_str());
  xhal_instance_t instance = nullptr;
  // Compiled with a name that differs from the legal one of its file.
  if (xhal_instance_create(&description.desc, &instance) == XHAL_SUCCESS) {
    ADD_FAILURE() << "a driver named 'No Good Name' was accepted";
    xhal_instance_destroy(instance);
  }
  EXPECT_EQ(last_error().code, XHAL_ERROR_DRIVER_FAILED);
  EXPECT_NE(last_text().find("gives itself a name that is not legal"), std::string::npos) << last_text();
}

TEST_F(NegotiationTest, TwoDriversOfOneNameByPathAreRefused) {
  XHAL_CLAUSE("XHAL-LOADER-29");
  const std::string manifest = drivers_of("good") + "/fake.json";
  const std::string copy =
      std::string(::testing::TempDir()) + "xhal_copy_" + std::to_string(getpid()) + ".so";
  {
    std::ifstream from(root("good") + "/lib/xhal/driver_fake.so", std::ios::binary);
    std::ofstream(copy, std::ios::binary) << from.rdbuf();
  }
  Description description("");
  description.path(manifest.c_str()).path(copy.c_str());
  xhal_instance_t instance = nullptr;
  EXPECT_EQ(xhal_instance_create(&description.desc, &instance), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_NE(last_text().find("a second driver named 'fake'"), std::string::npos) << last_text();
  unlink(copy.c_str());
}

}  // namespace
}  // namespace xhal::test
