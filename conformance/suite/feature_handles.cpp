// SPDX-License-Identifier: Apache-2.0
#include "suite/feature_handles.h"

#include "xhal/driver.h"

namespace xhal::conformance {

namespace {

template <class Handle>
uint64_t word(Handle handle) {
  return reinterpret_cast<uintptr_t>(handle);
}

}  // namespace

FeatureHandles::FeatureHandles(Context& t, Session& session, xhal_stream_t stream,
                               std::map<uint32_t, uint64_t>& handles) {
  if (session.claims(XHAL_FEATURE_GRAPH)) make_graph(t, stream, handles);
  if (session.claims(XHAL_FEATURE_POOL)) {
    xhal_pool_t pool = nullptr;
    REQUIRE_OK(xhal_pool_create(session.device(), nullptr, &pool));
    destroys_.actions.emplace_back([pool] { TRACED(xhal_pool_destroy(pool)); });
    handles[XHAL_TYPE_pool] = word(pool);
  }
  if (session.claims(XHAL_FEATURE_ACTIVITY)) {
    xhal_activity_desc_t desc{};
    desc.struct_size = sizeof(desc);
    desc.kinds = XHAL_ACTIVITY_FILL;
    desc.callback = [](void*, const xhal_activity_record_t*, uint32_t, uint32_t) {};
    xhal_subscription_t subscription = nullptr;
    // A vendor may have room for one subscriber only: then there is no second handle.
    if (TRACED(xhal_activity_subscribe(session.device(), &desc, &subscription)) == XHAL_SUCCESS) {
      destroys_.actions.emplace_back([subscription] { TRACED(xhal_activity_unsubscribe(subscription)); });
      handles[XHAL_TYPE_subscription] = word(subscription);
    }
  }
}

void FeatureHandles::make_graph(Context& t, xhal_stream_t stream, std::map<uint32_t, uint64_t>& handles) {
  xhal_graph_t graph = nullptr;
  xhal_graph_exec_t exec = nullptr;
  REQUIRE_OK(xhal_stream_begin_capture(stream, XHAL_CAPTURE_RELAXED));
  REQUIRE_OK(xhal_stream_end_capture(stream, &graph));
  destroys_.actions.emplace_back([graph] { TRACED(xhal_graph_destroy(graph)); });
  handles[XHAL_TYPE_graph] = word(graph);
  REQUIRE_OK(xhal_graph_instantiate(graph, 0, &exec));
  destroys_.actions.emplace_back([exec] { TRACED(xhal_graph_exec_destroy(exec)); });
  handles[XHAL_TYPE_graph_exec] = word(exec);
}

}  // namespace xhal::conformance
