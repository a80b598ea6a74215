// SPDX-License-Identifier: Apache-2.0
// Layers: order, state, what they see, what happens when they fail.
#include "fixture.hpp"

namespace xhal::test {
namespace {

class LayerTest : public HalTest {
 protected:
  // The driver answers 7, each layer on the way back appends its digit: the last digit is the application's neighbour.
  static uint32_t way(xhal_device_t device) {
    uint32_t digits = 0;
    EXPECT_EQ(xhal_device_has_feature(device, 255, &digits), XHAL_SUCCESS) << last_text();
    return digits;
  }
};

TEST_F(LayerTest, TheFirstNamedIsNearestTheApplication) {
  XHAL_CLAUSE("XHAL-LAYER-3");
  EXPECT_EQ(way(device(create("fake", ""))), 7u);
  EXPECT_EQ(way(device(create("fake", "first"))), 71u);
  EXPECT_EQ(way(device(create("fake", "first,second"))), 721u);
  EXPECT_EQ(way(device(create("fake", "second,first"))), 712u);
}

TEST_F(LayerTest, WithoutOneTheTablesHoldTheDriversOwnFunctions) {
  XHAL_CLAUSE("XHAL-LAYER-1");
  const auto goes_straight = [](const auto* handle, auto slot) {
    const xhal_table_t* table = reinterpret_cast<const xhal_handle_header_t*>(handle)->table;
    return table->functions.*slot == table->driver->*slot;
  };
  const xhal_instance_t plain = create("fake", "");
  const xhal_stream_t stream = this->stream(device(plain));
  EXPECT_TRUE(goes_straight(stream, &xhal_functions_t::stream_query));
  EXPECT_TRUE(goes_straight(device(plain), &xhal_functions_t::stream_create));
  const xhal_instance_t layered = create("fake", "first");
  EXPECT_FALSE(goes_straight(this->stream(device(layered)), &xhal_functions_t::stream_query));
  EXPECT_TRUE(goes_straight(this->stream(device(layered)), &xhal_functions_t::stream_synchronize))
      << "left alone";
}

TEST_F(LayerTest, TheVariableAsksForThemAndTheDescriptionWins) {
  XHAL_CLAUSE("XHAL-LAYER-1");
  setenv("XHAL_LAYERS", "first,second", 1);
  EXPECT_EQ(way(device(create("fake", nullptr))), 721u);
  EXPECT_EQ(way(device(create("fake", "second"))), 72u);
  EXPECT_EQ(way(device(create("fake", ""))), 7u);
}

TEST_F(LayerTest, OneThatIsNamedTwiceIsOnOnce) {
  XHAL_CLAUSE("XHAL-LAYER-5");
  EXPECT_EQ(way(device(create("fake", "first,second,first"))), 721u);
}

TEST_F(LayerTest, EachDriverOfEachInstanceHasAStateOfItsOwn) {
  XHAL_CLAUSE("XHAL-LAYER-7");
  // In the two instances the layers stand in other places of the chain; the slot that a layer was told is the same.
  const xhal_instance_t a = create("fake,other", "first,second");
  const xhal_instance_t b = create("fake", "second,first");
  EXPECT_EQ(layer_state(a, "first", 0)->slot, layer_state(b, "first", 0)->slot);
  EXPECT_NE(layer_state(a, "first", 0)->slot, layer_state(a, "second", 0)->slot);
  EXPECT_NE(layer_state(a, "first", 0), layer_state(a, "first", 1));
  EXPECT_NE(layer_state(a, "first", 0), layer_state(b, "first", 0));
  EXPECT_STREQ(layer_state(a, "first", 0)->driver_name, "fake");
  EXPECT_STREQ(layer_state(a, "first", 1)->driver_name, "other");

  const xhal_stream_t of_fake = stream(device(a, 0));
  const xhal_stream_t of_other = stream(device(a, 2));
  const xhal_stream_t of_b = stream(device(b, 0));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(xhal_stream_query(of_fake), XHAL_SUCCESS);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(xhal_stream_query(of_other), XHAL_SUCCESS);
  EXPECT_EQ(xhal_stream_query(of_b), XHAL_SUCCESS);
  EXPECT_EQ(layer_state(a, "first", 0)->queries, 3u);
  EXPECT_EQ(layer_state(a, "second", 0)->queries, 3u);
  EXPECT_EQ(layer_state(a, "first", 1)->queries, 2u);
  EXPECT_EQ(layer_state(b, "first", 0)->queries, 1u);
  EXPECT_EQ(layer_state(b, "second", 0)->queries, 1u);
}

TEST_F(LayerTest, HandlesAreStampedWhenTheyReachTheApplication) {
  XHAL_CLAUSE("XHAL-LAYER-8");
  const xhal_instance_t instance = create("fake", "first,second");
  const xhal_stream_t stream = this->stream(device(instance));
  EXPECT_EQ(layer_state(instance, "first")->saw_unstamped, 1u);
  EXPECT_EQ(layer_state(instance, "second")->saw_unstamped, 1u);
  EXPECT_EQ(xhal_stream_query(stream), XHAL_SUCCESS);
  EXPECT_EQ(layer_state(instance, "first")->queries, 1u);
}

TEST_F(LayerTest, TheListOfDevicesGoesThroughThem) {
  const xhal_instance_t instance = create(Description("fake", "first").option("first", "hide", "1"));
  EXPECT_EQ(devices(instance).size(), 1u);
  uint32_t count = 0;
  EXPECT_EQ(xhal_driver_get_devices(drivers(instance)[0], 0, nullptr, &count), XHAL_SUCCESS);
  EXPECT_EQ(count, 1u);
}

TEST_F(LayerTest, AnErrorOfALayerIsALayers) {
  XHAL_CLAUSE("XHAL-ERROR-2");
  const xhal_instance_t instance = create("fake", "first,second");
  const xhal_stream_t stream = this->stream(device(instance));
  layer_state(instance, "second")->query_result = XHAL_ERROR_BUSY;
  EXPECT_EQ(xhal_stream_query(stream), XHAL_ERROR_BUSY);
  const xhal_error_t error = last_error();
  EXPECT_STREQ(error.driver, "second");
  EXPECT_STREQ(error.text, "the layer forbids it");
  EXPECT_STREQ(error.entry, "xhal_stream_query");
  EXPECT_EQ(error.native_code, 4);
}

TEST_F(LayerTest, WhatALayerCallsOnIsComplete) {
  XHAL_CLAUSE("XHAL-LAYER-6");
  const xhal_instance_t instance = create("fake", "first,second");
  for (const char* layer : {"first", "second"}) {
    const xhal_functions_t& next = *layer_state(instance, layer)->next;
#define XHAL_ENTRY(feature, since, name, ...) EXPECT_NE(next.name, nullptr) << layer << " " << #name;
#include "xhal/entry_points.def"
  }
}

TEST_F(LayerTest, ASlotThatALayerSetsNullRefuses) {
  XHAL_CLAUSE("XHAL-LAYER-6");
  const xhal_instance_t instance = create("fake", "second");
  const xhal_stream_t stream = this->stream(device(instance));
  EXPECT_EQ(xhal_stream_begin_capture(stream, 0), XHAL_ERROR_UNSUPPORTED);
}

TEST_F(LayerTest, StateOutlivesTheDriverAndEndsWithTheInstance) {
  XHAL_CLAUSE("XHAL-LAYER-7");
  const xhal_instance_t instance = create("fake", "first");
  const fake_layer_state_t* state = layer_state(instance, "first");
  const xhal_stream_t stream = this->stream(device(instance));
  EXPECT_EQ(state->detached, 0u);
  ASSERT_EQ(xhal_instance_destroy(instance), XHAL_SUCCESS);
  EXPECT_EQ(state->detached, 1u);
  EXPECT_EQ(xhal_stream_query(stream), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(state->queries, 0u) << "a dead handle must not reach a layer";
}

TEST_F(LayerTest, AnUnknownLayerIsAnError) {
  XHAL_CLAUSE("XHAL-LAYER-4");
  xhal_instance_t instance = nullptr;
  Description description("fake", "first,frist");
  EXPECT_EQ(xhal_instance_create(&description.desc, &instance), XHAL_ERROR_NOT_FOUND);
  EXPECT_NE(last_text().find("frist"), std::string::npos) << last_text();
}

TEST_F(LayerTest, ALayerThatFailsIsAnErrorEvenInFrontOfADriverThatWasOnlyFound) {
  xhal_instance_t instance = nullptr;
  Description failing(nullptr, "second,first");
  failing.option("first", "attach", "error");
  EXPECT_EQ(xhal_instance_create(&failing.desc, &instance), XHAL_ERROR_DRIVER_FAILED);
  EXPECT_NE(
      last_text().find("layer 'first': attach returned XHAL_ERROR_IO: the layer's file cannot be written"),
      std::string::npos)
      << last_text();
  setenv("XHAL_LAYER_PATH", layers_of("bad").c_str(), 1);
  Description overrun("fake", "overrun");
  EXPECT_EQ(xhal_instance_create(&overrun.desc, &instance), XHAL_ERROR_DRIVER_FAILED);
  EXPECT_NE(last_text().find("layer 'overrun' wrote behind"), std::string::npos) << last_text();
}

TEST_F(LayerTest, ALayerOfAnotherMinorIsRefusedByName) {
  XHAL_CLAUSE("XHAL-ABI-17");
  XHAL_CLAUSE("XHAL-LAYER-4");
  setenv("XHAL_LAYER_PATH", layers_of("bad").c_str(), 1);
  xhal_instance_t instance = nullptr;
  Description description("fake", "other_minor");
  EXPECT_EQ(xhal_instance_create(&description.desc, &instance), XHAL_ERROR_VERSION_MISMATCH);
  EXPECT_NE(last_text().find("layer 'other_minor' was built for version 0.2"), std::string::npos)
      << last_text();
  EXPECT_EQ(description.candidate("other_minor")->decision, static_cast<uint32_t>(XHAL_CANDIDATE_REFUSED));
}

}  // namespace
}  // namespace xhal::test
