// SPDX-License-Identifier: Apache-2.0
#include "suite/pool_support.h"

namespace xhal::conformance {

Pool::Pool(Context& t, uint64_t max_bytes, uint64_t release_threshold, size_t device) {
  t.touch(t.session(), device);
  xhal_pool_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.max_bytes = max_bytes;
  desc.release_threshold = release_threshold;
  REQUIRE_OK(xhal_pool_create(t.device(device), &desc, &handle_));
  require_given(t, handle_, "xhal_pool_create(device, &desc, &handle_)", XHAL_HERE);
}

void Pool::reset() {
  if (handle_ != nullptr) TRACED(xhal_pool_destroy(release()));
}

PoolMemory::PoolMemory(Context& t, xhal_pool_t pool, xhal_stream_t stream, uint64_t bytes)
    : pool_(pool), stream_(stream) {
  REQUIRE_MEMORY(xhal_pool_allocate(pool, stream, bytes, &pointer_), pointer_);
}

PoolMemory::~PoolMemory() {
  if (pointer_ != nullptr) TRACED(xhal_pool_free(pool_, stream_, release()));
}

xhal_pool_info_t pool_info(Context& t, xhal_pool_t pool) {
  xhal_pool_info_t info{};
  info.struct_size = sizeof(info);
  REQUIRE_OK(xhal_pool_get_info(pool, &info));
  return info;
}

}  // namespace xhal::conformance
